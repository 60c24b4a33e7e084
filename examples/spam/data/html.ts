/** HTML mail as plain text: what a reader would see, one line per block. */
import { Parser } from 'htmlparser2';

const hidden = new Set(['script', 'style', 'head', 'title', 'noscript', 'template', 'object', 'applet', 'select']);
const breaks = new Set(
  'address article aside blockquote br center dd div dl dt fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tr ul'.split(
    ' ',
  ),
);

/** The visible text of `html`; links keep their words and lose their address, pictures vanish. Never throws. */
export function htmlToText(html: string): string {
  let text = '';
  let hiddenIn: string | undefined;
  const parser = new Parser({
    onopentag(name) {
      if (hidden.has(name)) hiddenIn ??= name;
      else if (name === 'body') hiddenIn = undefined; // Bulk mailers often forget to close <head>.
      if (breaks.has(name)) text += '\n';
      else if (name === 'td' || name === 'th') text += ' ';
    },
    onclosetag(name) {
      if (name === hiddenIn) hiddenIn = undefined;
      if (breaks.has(name)) text += '\n';
    },
    ontext(piece) {
      // Line breaks of the source stay: mailing lists append plain text to HTML.
      if (hiddenIn === undefined) text += piece;
    },
  });
  parser.end(html);
  return text;
}
