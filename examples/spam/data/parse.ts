/**
 * From the bytes of a mail to what its reader sees: the decoded subject and the text of the body, no other header.
 * MIME parts, transfer encodings and character sets are `postal-mime`'s work (RFC 2045 to 2049).
 */
import PostalMime from 'postal-mime';
import { cleanBody, cleanSubject } from './clean.ts';
import { htmlToText } from './html.ts';

/** What a reader sees of a mail. */
export interface MailText {
  readonly subject: string;
  readonly body: string;
}

/** Reads one mail in RFC 822 format; the plain-text part is preferred to HTML, as in text mail programs. */
export async function parseMail(bytes: Uint8Array): Promise<MailText> {
  const mail = await PostalMime.parse(bytes);
  const bodies = [
    () => plainText(mail.text ?? ''),
    () => htmlToText(mail.html ?? ''),
    // A malformed Content-Type makes the only text look like an attachment.
    () =>
      mail.attachments
        .filter((part) => part.mimeType.startsWith('text/'))
        .map(decode)
        .join('\n'),
  ];
  let body = '';
  for (const read of bodies) {
    body = cleanBody(read());
    if (/\p{L}/u.test(body)) break;
  }
  return { subject: cleanSubject(mail.subject ?? ''), body };
}

/** Some spam declares its HTML to be plain text. */
function plainText(text: string): string {
  const tags = text.match(/<\/?(?:html|body|table|tr|td|font|center|div|p|b|a|br)\b[^<>]*>/gi) ?? [];
  return tags.length > 3 || /<\/html>/i.test(text) ? htmlToText(text) : text;
}

function decode({ content }: { readonly content: ArrayBuffer | Uint8Array | string }): string {
  return typeof content === 'string' ? content : new TextDecoder('windows-1252').decode(content);
}
