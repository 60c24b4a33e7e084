/** What is learnt from is labelled as a reader would mostly label it, what is held out is held out, and the marks by hand fit their sentences. */
import { loadBook, loadSpeeches } from '@sinter/example-texts/documents.ts';
import { seeded } from '@sinter/example-texts/random.ts';
import { expect, test } from 'vitest';
import { trainBaseline } from './baseline.ts';
import { loadChecked, loadSentences } from './sentences.ts';
import { lastWord, splitByName } from './split.ts';
import { swapNames } from './swap.ts';
import { wordsOf } from './words.ts';
import type { Span, Word } from './words.ts';

const { labelled, checked, rules } = await loadSentences();
const shown = (words: readonly Word[], spans: readonly Span[]): string[] =>
  spans.map(
    ({ type, start, end }) =>
      `${type} ${words
        .slice(start, end)
        .map((word) => word.text)
        .join(' ')}`,
  );
const found = (sentence: string): string[] => shown(wordsOf(sentence), rules.find(wordsOf(sentence)));

test('the rules find people by title and first name, and countries by the list', () => {
  expect(found('Then Captain Peleg spoke to Mr. Van Rensselaer and to Abraham Lincoln.')).toEqual([
    'PER Peleg',
    'PER Van Rensselaer',
    'PER Abraham Lincoln',
  ]);
  expect(found('Our treaty with Great Britain, signed by General Grant, concerns New Mexico and the U.S.S.R.')).toEqual(
    ['COUNTRY Great Britain', 'PER Grant', 'COUNTRY U . S . S . R .'],
  );
  expect(found('The General Assembly of Georgia and the Secretary of State met the American people.')).toEqual([]);
  expect(rules.mayBeName('Elizabeth')).toBe(true);
  expect(rules.mayBeName('Congress')).toBe(false);
});

test('held-out names occur nowhere in training, and tests have no others', () => {
  const { train, test: tests, heldOut } = splitByName(labelled);
  expect(heldOut.size).toBeGreaterThan(100);
  expect(train.some(({ words }) => words.some(({ text }) => heldOut.has(text)))).toBe(false);
  expect(tests.every(({ words, spans }) => spans.every((span) => heldOut.has(lastWord(words, span))))).toBe(true);
  const named = (set: typeof train): number => set.filter(({ spans }) => spans.length > 0).length;
  expect(named(tests)).toBe(tests.length / 2);
  expect(named(train)).toBe(train.length / 2);
  expect(splitByName(labelled).train.slice(0, 5)).toEqual(train.slice(0, 5));
});

test('sentences checked by hand stand in the texts, are not trained on, and have names that are words', async () => {
  const file = await loadChecked();
  expect(file).toHaveLength(200);
  const documents = new Map([...(await loadSpeeches()), ...(await loadBook())].map(({ id, text }) => [id, text]));
  for (const { document, text, names } of file) {
    expect(documents.get(document)).toContain(text);
    for (const { start, end, text: name } of names) expect(text.slice(start, end)).toBe(name);
  }
  expect(checked.flatMap(({ words, spans }) => shown(words, spans)).length).toBe(115);
  const texts = new Set(
    file.map(({ text }) =>
      wordsOf(text)
        .map((word) => word.text)
        .join(' '),
    ),
  );
  expect(labelled.some(({ words }) => texts.has(words.map(({ text }) => text).join(' ')))).toBe(false);
});

test('swapped names keep their labels', () => {
  const words = wordsOf('Mr. John Smith of France left.');
  const spans: Span[] = [
    { type: 'PER', start: 2, end: 4 },
    { type: 'COUNTRY', start: 5, end: 6 },
  ];
  const pool = { PER: ['Ann'], COUNTRY: ['New Zealand'] };
  const swapped = swapNames({ words, spans }, pool, 1, seeded(1));
  expect(swapped.words.map(({ text }) => text).join(' ')).toBe('Mr . Ann of New Zealand left .');
  expect(shown(swapped.words, swapped.spans)).toEqual(['PER Ann', 'COUNTRY New Zealand']);
  expect(swapNames({ words, spans }, pool, 0, seeded(1))).toEqual({ words, spans });
});

test('the baseline looks names up, and types capitals that it does not know by the word before', () => {
  const sentence = (text: string, ...spans: Span[]) => ({ words: wordsOf(text), spans });
  const baseline = trainBaseline([
    sentence('We met Mr. Webb in France', { type: 'PER', start: 4, end: 5 }, { type: 'COUNTRY', start: 6, end: 7 }),
    sentence('The Congress went to work'),
  ]);
  const words = wordsOf('Today Webb of Congress lives in Peru');
  expect(shown(words, baseline(words))).toEqual(['PER Webb', 'COUNTRY Peru']);
});
