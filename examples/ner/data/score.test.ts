/** Labels and names are each other's image, and scores are those of `conlleval`. */
import { expect, test } from 'vitest';
import { score } from './score.ts';
import { inWords, labelsOf, spansOf, wordsOf } from './words.ts';
import type { Span } from './words.ts';

const names: Span[] = [
  { type: 'PER', start: 0, end: 2 },
  { type: 'PER', start: 2, end: 3 },
  { type: 'COUNTRY', start: 4, end: 5 },
];

test('labels of names, and names of labels', () => {
  const labels = labelsOf(names, 6);
  expect(labels).toEqual(['B-PER', 'I-PER', 'B-PER', 'O', 'B-COUNTRY', 'O']);
  expect(spansOf(labels)).toEqual(names);
  // An inside without a beginning begins a name; so does one of another type.
  expect(spansOf(['O', 'I-PER', 'I-COUNTRY', 'I-COUNTRY'])).toEqual([
    { type: 'PER', start: 1, end: 2 },
    { type: 'COUNTRY', start: 2, end: 4 },
  ]);
});

test('names by characters as names by words', () => {
  const words = wordsOf("Dough-Boy's U.S. ship");
  expect(words.map(({ text }) => text)).toEqual(['Dough', '-', 'Boy', "'", 's', 'U', '.', 'S', '.', 'ship']);
  expect(inWords([{ type: 'PER', start: 0, end: 9 }], words)).toEqual([{ type: 'PER', start: 0, end: 3 }]);
  expect(() => inWords([{ type: 'PER', start: 1, end: 9 }], words)).toThrow('no words begin at 1');
});

test('only whole names of the right type count', () => {
  const found: Span[] = [
    { type: 'PER', start: 0, end: 2 },
    { type: 'PER', start: 3, end: 4 },
    { type: 'PER', start: 4, end: 5 },
    { type: 'COUNTRY', start: 5, end: 6 },
  ];
  const { precision, recall, f1 } = score([found, []], [names, [names[2]!]]);
  expect([precision, recall]).toEqual([1 / 4, 1 / 4]);
  expect(f1).toBe(1 / 4);
  expect(score([found], [names], 'PER')).toEqual({ precision: 1 / 3, recall: 1 / 2, f1: 0.4, names: 2 });
  expect(score([[]], [[]])).toEqual({ precision: 0, recall: 0, f1: 0, names: 0 });
});
