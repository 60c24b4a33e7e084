/** BLEU and chrF are those of sacreBLEU. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { TrainerError } from '../errors.ts';
import { bleu } from './bleu.ts';
import type { BleuTokens } from './bleu.ts';
import { chrf } from './chrf.ts';

interface Golden {
  readonly tokenize: BleuTokens;
  readonly predictions: string[];
  readonly references: string[];
  readonly bleu: number;
  readonly chrf: number;
  readonly chrf1: number;
}
const goldens = JSON.parse(
  await readFile(new URL('../../goldens/scores.json', import.meta.url), 'utf8'),
) as readonly Golden[];

test.each(goldens.map((golden, i) => [i, golden.tokenize, golden] as const))(
  'case %i, tokens %s',
  (_, tokenize, { predictions, references, ...wanted }) => {
    expect(bleu(predictions, references, { tokenize })).toBeCloseTo(wanted.bleu, 8);
    expect(chrf(predictions, references)).toBeCloseTo(wanted.chrf, 8);
    expect(chrf(predictions, references, { beta: 1, order: 4 })).toBeCloseTo(wanted.chrf1, 8);
  },
);

test('what is the same is worth 100, and what has nothing in common 0', () => {
  expect(bleu(['a b c d'], ['a b c d'])).toBeCloseTo(100, 10);
  expect(chrf(['abcdefg'], ['a b c d e f g'])).toBeCloseTo(100, 10);
  expect(bleu(['a b c d'], ['e f g h'])).toBe(0);
  expect(chrf(['abc'], ['def'])).toBe(0);
  expect(() => bleu(['a'], [])).toThrow(TrainerError);
  expect(() => chrf([], [])).toThrow(/0 predictions and 0 references/);
});
