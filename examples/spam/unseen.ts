/** Three mails of our own making: the corpus is from 2002, these are not. */
export const unseenMails: readonly { readonly subject: string; readonly body: string }[] = [
  {
    subject: 'Build fails on the new compiler',
    body: `Hi all,

since yesterday's update the nightly build stops in the linker. The log is attached; it seems that the order of the
libraries matters now. Has anybody seen this before? I'd rather not pin the old version.

Thanks,
Marta`,
  },
  {
    subject: 'CONGRATULATIONS!!! You have been selected',
    body: `Dear friend,

you have WON a guaranteed cash prize of $5,000!!! No purchase necessary. Click here now to claim your money,
this offer expires in 24 hours. 100% risk free. To be removed from this list reply with REMOVE in the subject.`,
  },
  {
    subject: 'Re: dinner on Thursday',
    body: `Thursday is fine, but I can't be there before eight, the train gets in at half past seven. Shall I bring the
book I told you about? Say hello to the kids.

> Are you free on Thursday? We could try the new place near the station.`,
  },
];
