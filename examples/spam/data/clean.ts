/**
 * What is taken out of a mail's text: invisible characters, encoded data, and traces of *how* the corpus was collected.
 * Most of the real mail came through mailing lists, whose software adds a tag to the subject and a footer to the body, and
 * spam through trap addresses; a classifier should read the mail and not recognise the list.
 */

/** The subject on one line, without the list's tag (`[ILUG] Re: [ILUG] Hello` is `Re: Hello`) and the marks of spam filters. */
export function cleanSubject(subject: string): string {
  const line = tidy(without(traces, tidy(subject)))
    .replaceAll('\n', ' ')
    .replace(/\*{3} ?SPAM ?\*{3} ?/g, '');
  const [prefix] = /^(?:(?:re|fwd?|aw|sv)(?:\[\d+\])?: ?|\[[^\]]*\] ?)*/i.exec(line)!;
  const [answer = ''] = /\b\w+: ?/.exec(prefix.replace(/\[[^\]]*\]/g, '')) ?? [];
  return (answer + line.slice(prefix.length)).trim();
}

/** The body as lines that have words, without what {@link traces} names and without the signature. */
export function cleanBody(body: string): string {
  return tidy(without([...traces, signature, /^[^\p{L}\p{N}\n]+$/gmu], tidy(body)));
}

function without(patterns: readonly RegExp[], text: string): string {
  return patterns.reduce((left, pattern) => left.replace(pattern, ''), text);
}

/** Letters as they are, spaces single, no empty lines, no line of ornaments longer than three signs of a kind. */
function tidy(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/(?!\s)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/gu, '')
    .replace(/[^\S\n]+/gu, ' ')
    .replace(/([^\p{L}\p{N}\s])\1{3,}/gu, '$1$1$1')
    .replace(/ *\n[ \n]*/g, '\n')
    .trim();
}

/** What a mail program shows as the signature: up to twelve last lines after a line with two dashes (RFC 3676, 4.3). */
const signature = /^--\n(?:.*\n){0,11}.*(?![^])/gm;

/** Text that software put there, not the writer. Matched after {@link tidy}: rules are three signs, no line is empty. */
const traces: readonly RegExp[] = [
  // Footers of Mailman and of the Irish Linux Users' Group, also where they are quoted.
  /^[> ]*(?:[^\s>]\S* mailing list(?: <\S+>)?|[\w.-]+@(?:lists|listman|example|redhat)\.\S+|List maintainer: .*)$/gm,
  /^.*(?:\/listinfo\/|Users' Group: \S+@|Users' Group Social Events: ).*$/gm,
  // SourceForge's advertisements, and those of Yahoo! Groups between two rules.
  /^[>) ]*This sf\.net email is sponsored by(?:.*\n){1,4}?(?=[> ]*___|.*(?![^]))/gim,
  /^--- Yahoo! Groups Sponsor -[^]*?^---~-?>?$/gm,
  /^To unsubscribe from this group, send an email to:\n.*$|^Your use of Yahoo! Groups is subject to.*$/gm,
  // The collector: the mark of the list that gathered spam, the recipient's addresses, the host that stands for others.
  /^.*DeathToSpam.*$/gm,
  /(?<![\w.+-])(?:[\w.+-]{0,64}@?(?:www\.)?spamassassin\.taint\.org|(?:jm|zzzz|yyyy)(?:-[\w.-]+)?@[\w.-]+)\b/gi,
  // Headers of transport, lists and filters in forwarded mail.
  /^[> |]*(?:X-[\w-]+|Received|Return-Path|Delivered-To|Errors-To|Sender|Message-ID|MIME-Version|Content-[\w-]+|List-[\w-]+): ?.*$/gim,
  // Encoded data: signatures (their rules may be cut to three signs), uuencoded files, lines of base64.
  /^-{3,5}BEGIN PGP SIGNATURE-{3,5}[^]*?(?:-{3,5}END PGP SIGNATURE-{3,5}|(?![^]))/gm,
  /^begin [0-7]{3} .*\n(?:(?!begin )[ -`]{1,61}\n)*end$/gm,
  /^[\w+/=]{56,}$/gm,
];
