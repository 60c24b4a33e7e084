import { expect, test } from 'vitest';
import goldens from './goldens.test.json' with { type: 'json' };
import { learnWordPieces, trainWordPiece } from './train-word-piece.ts';

test.each(goldens.trained)(
  'learns what Python learns ($vocab_size pieces, $min_frequency times)',
  ({ always, sometimes, ...options }) => {
    const learned = [...trainWordPiece(goldens.corpus, options).get_vocab().keys()];
    expect(learned).toEqual(expect.arrayContaining(always));
    expect([...always, ...sometimes]).toEqual(expect.arrayContaining(learned));
  },
);

test('the vocabulary has its size, no piece twice, and every piece but the letters is a join of two others', () => {
  const words = ['banana', 'bandana', 'ananas', 'aaaaaaa', 'nabana', 'x'];
  const counts = new Map(words.map((word, i) => [word, i + 1]));
  const pieces = learnWordPieces(counts, { vocab_size: 24, min_frequency: 1 });
  expect(pieces).toHaveLength(24);
  expect(new Set(pieces).size).toBe(24);
  for (const piece of pieces.slice(5)) {
    const text = piece.replace('##', '');
    if (text.length === 1) continue;
    const head = piece.startsWith('##') ? '##' : '';
    const cuts = Array.from(
      { length: text.length - 1 },
      (_, i) => [head + text.slice(0, i + 1), `##${text.slice(i + 1)}`] as const,
    );
    expect(
      cuts.some(([a, b]) => pieces.includes(a) && pieces.includes(b)),
      piece,
    ).toBe(true);
  }
});

test('rare letters are unknown, and the order of the words does not matter', () => {
  const text = 'the cat sat on the mat þ';
  const t = trainWordPiece([text], { limit_alphabet: 8, min_frequency: 1 });
  expect(t.tokenize('þ')).toEqual(['[UNK]']);
  const again = trainWordPiece([text.split(' ').reverse().join(' ')], { limit_alphabet: 8, min_frequency: 1 });
  expect([...again.get_vocab().keys()]).toEqual([...t.get_vocab().keys()]);
});

test('encodes its own text without unknown pieces', () => {
  const t = trainWordPiece(goldens.corpus, { do_lower_case: false });
  for (const text of goldens.corpus) expect(t.encode(text)).not.toContain(t.unk_token_id);
  expect(t.tokenize('Größe')).toContain('G');
});
