import { expect, test } from 'vitest';
import { cleanBody, cleanSubject } from './clean.ts';
import { htmlToText } from './html.ts';
import { parseMail } from './parse.ts';

const mail = (...lines: string[]) => parseMail(Buffer.from(lines.join('\r\n'), 'latin1'));

test('decodes encoded words, quoted-printable and the character set', async () => {
  const parsed = await mail(
    'From: a@b.example',
    'X-Spam-Flag: YES',
    'Subject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?w6Bib3Vu?=',
    'Content-Type: text/plain; charset=iso-8859-1',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'caf=E9 is a soft=',
    ' break',
  );
  expect(parsed).toEqual({ subject: 'Grüßeàboun', body: 'café is a soft break' });
});

test('prefers the plain part, and reads HTML where that is empty', async () => {
  const alternative = (plain: string) =>
    mail(
      'Subject: two parts',
      'Content-Type: multipart/alternative; boundary=xx',
      '',
      '--xx',
      'Content-Type: text/plain',
      '',
      plain,
      '--xx',
      'Content-Type: text/html; charset=utf-8',
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from('<p>from <b>HTML</b> &amp; more</p>').toString('base64'),
      '--xx--',
    );
  expect((await alternative('from text')).body).toBe('from text');
  expect((await alternative(' * ')).body).toBe('from HTML & more');
});

test('HTML that says it is plain text', async () => {
  const { body } = await mail('Subject: s', '', '<html><body><font size=7>BUY</font><br>now</body></html>');
  expect(body).toBe('BUY\nnow');
});

test('HTML: hidden things vanish, blocks break lines, broken markup does not matter', () => {
  const html =
    '<head><title>t</title><style>p{}</style><body><p>One<p>Two <script>x()</script><a href="http://x">link</a><td>a<td>b</table';
  expect(
    htmlToText(html)
      .replace(/ *\n\s*/g, '\n')
      .trim(),
  ).toBe('One\nTwo link a b');
});

test.each([
  ['[ILUG] Re: [ILUG] Hello', 'Re: Hello'],
  ['Re: Fwd: [Razor-users]  log', 'Re: log'],
  ['Hello [ILUG]', 'Hello [ILUG]'],
  ['*****SPAM***** Cheap', 'Cheap'],
  ['Re: ', 'Re:'],
  ['', ''],
])('subject %j is %j', (subject, clean) => expect(cleanSubject(subject)).toBe(clean));

test('takes footers, signatures, encoded data and quoted headers out of the body', () => {
  const body = [
    'Hello   there,\u200b',
    '',
    '> X-Spam-Status: No, hits=1',
    '> quoted words',
    'begin 644 a.gif',
    'M1TE&.#EA`0`!`',
    'end',
    'A'.repeat(72),
    'wow!!!!!!!!',
    '--  ',
    'A. Writer',
    '-------------------------------------------------------',
    'This sf.net email is sponsored by:ThinkGeek',
    'Welcome to geek heaven.',
    'http://thinkgeek.com/sf',
    '_______________________________________________',
    'Razor-users mailing list',
    'Razor-users@lists.sourceforge.net',
    'https://lists.sourceforge.net/lists/listinfo/razor-users',
  ];
  expect(cleanBody(body.join('\n'))).toBe('Hello there,\n> quoted words\nwow!!!');
});

test.each(['a', 'a.', '-', '--\n', '<p ', '> ', '>', 'x@', '_', '\n', '___\n', 'begin 644 x\n', 'List: '])(
  'a long mail of nothing but %j is no trap for the patterns',
  (piece) => expect(cleanBody(piece.repeat(50_000)).length).toBeLessThanOrEqual(piece.length * 50_000),
  2_000,
);
