/** The texts are all there, in order, and sentences end where a reader would end them. */
import { expect, test } from 'vitest';
import { loadBook, loadSpeeches } from './documents.ts';
import { paragraphsOf, sentencesOf } from './sentences.ts';

test('233 speeches from 1790 to 2021', async () => {
  const speeches = await loadSpeeches();
  expect(speeches).toHaveLength(233);
  expect(speeches[0]!.text).toMatch(/^Fellow-Citizens of the Senate/);
  expect(speeches.at(-1)!.id).toBe('2021_joseph_r_biden_d');
  const years = speeches.map(({ id }) => Number(id.slice(0, 4)));
  expect(years).toEqual([...years].sort((a, b) => a - b));
  expect(speeches.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)).toBeGreaterThan(10.7e6);
  const [only, ...others] = speeches[0]!.paragraphs;
  expect(others).toEqual([]);
  expect(only!.join(' ')).toBe(speeches[0]!.text);
});

test('the book, once and in order', async () => {
  const book = await loadBook();
  expect(book.map(({ id }) => id)).toEqual([
    'etymology',
    'extracts',
    ...Array.from({ length: 135 }, (_, i) => `chapter_${i + 1}`),
    'epilogue',
  ]);
  expect(book[2]!.paragraphs.slice(0, 2).map(([first]) => first)).toEqual(['CHAPTER 1.', 'Call me Ishmael.']);
});

test('where sentences end', () => {
  expect(
    sentencesOf('Mr. Starbuck saw it. "What?" he said. He paid $1.50 to J. Q. Adams of St. Louis! 3 days passed.'),
  ).toEqual([
    'Mr. Starbuck saw it.',
    '"What?" he said.',
    'He paid $1.50 to J. Q. Adams of St. Louis!',
    '3 days passed.',
  ]);
  expect(sentencesOf('They cried “Stop!” And he stopped')).toEqual(['They cried “Stop!”', 'And he stopped']);
  expect(sentencesOf('')).toEqual([]);
});

test('paragraphs are parted by empty lines', () => {
  expect(paragraphsOf('One\nline.\n\n  \nAnother\u0002 one.\n')).toEqual(['One line.', 'Another one.']);
});
