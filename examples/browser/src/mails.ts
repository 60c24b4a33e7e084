/** A few dozen short mails of today, with the label that somebody might give them. The head that comes along knows those of 2002. */

/** A text and the number of its class. */
export interface Labelled {
  readonly text: string;
  readonly label: number;
}

const mail = [
  'Your parcel is out for delivery and should arrive between 2 and 4 pm.',
  'Standup moves to 9:30 tomorrow, same room. Please bring the open tickets.',
  'Here are the photos from Sunday. The one with the dog is my favourite.',
  'The build is green again. It was the cache key, I have pushed the fix.',
  'Can you review my pull request before lunch? It is only forty lines.',
  'Your appointment with Dr. Lind is confirmed for Monday at 8:15.',
  'Mum says the train is late. She will be with you around seven.',
  'Minutes of the board meeting are attached. Corrections by Friday, please.',
  'The library has the book that you reserved. We keep it for ten days.',
  'Happy birthday! Are we still on for cake this afternoon?',
  'I left my keys at your place. Could you bring them to choir tonight?',
  'Receipt for your bicycle repair: 64.50, paid by card. Thank you, Tom.',
  'School is closed on Thursday because of the heating. Lessons are online.',
  'The landlord will read the water meter next Wednesday morning.',
  'Draft two of the paper is in the shared folder. Section 4 needs your numbers.',
  'Your password was changed from your laptop a minute ago, as you asked.',
];

const spam = [
  'Hi, quick question: who handles outbound sales at your company? Our AI books 30 meetings a month.',
  'Following up on my last three emails. Do you have 15 minutes this week for a short demo?',
  'We help founders like you scale pipeline with AI agents. Worth a chat on Tuesday?',
  'I was impressed by your profile and think our growth platform would be a perfect fit for your team.',
  'Last chance: the webinar on doubling your conversion rate starts in one hour. Save your seat.',
  'Bumping this to the top of your inbox. Did you get a chance to look at our pricing?',
  'Our SEO experts found 14 errors on your website that cost you visitors. Reply for the free audit.',
  'Your wallet has been selected for the token airdrop. Connect it within 24 hours to claim.',
  'Just checking in! Companies in your space cut costs by 40 % with our cloud platform.',
  'Would you be open to a partnership? We place guest posts on high authority sites.',
  'Your subscription has expired. Update your payment details now to avoid losing your data.',
  'Hey there, saw that you are hiring. We have vetted offshore developers who start on Monday.',
  'Unlock passive income with our automated trading bot. Members earn 3 % every day.',
  'Congratulations, your business is pre-approved for funding up to 250,000 with no paperwork.',
  'Should I close your file? I have not heard back about the lead generation offer.',
  'Exclusive list of 12,000 verified decision makers in your industry, half price until midnight.',
];

/** The mails that the page begins with, the classes in turn. */
export const mails: readonly Labelled[] = mail.flatMap((text, i) => [
  { text, label: 0 },
  { text: spam[i]!, label: 1 },
]);

/** Texts to try. No list contains them, so they show what was learned. */
export const samples: readonly string[] = [
  'See you at the station at noon',
  'The meeting is moved to Thursday.',
  'Could we book a short call about AI for your sales team?',
  'You have WON a guaranteed cash prize. Click here!',
];
