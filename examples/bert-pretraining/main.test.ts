/** The whole example, shortened: fewer speeches, a smaller model. It pretrains, compares, saves, and what it saved is a model. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { seeded } from '@sinter/example-texts/random.ts';
import { AutoTokenizer, BertForMaskedLM } from '@sinter/models';
import { afterAll, expect, test } from 'vitest';
import { countGuesses } from './data/guesses.ts';
import { sentencePairs } from './data/pairs.ts';

const folder = await mkdtemp(join(tmpdir(), 'bert-pretraining-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('it pretrains, and compares with what did not', { timeout: 120_000 }, async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main];
  const short = '--speeches 40 --epochs 0.3 --vocabulary 1000 --layers 1 --width 64 --labels 5 --tuning-epochs 2 --test 20 --seeds 1 --threads 1'; // prettier-ignore
  const files = ['--output', folder, '--report', join(folder, 'report.json')];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, ...short.split(' '), ...files]);
  expect(stdout).toMatch(/masked tokens +\d+\.\d % right; the most frequent token \d+\.\d %/);
  expect(stdout).toMatch(/not pretrained +\d+\.\d % right \(\d+\.\d %\)/);
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Record<string, number>;
  expect(report['tokens']).toBeGreaterThan(500);
  expect(report['masked']).toBeGreaterThan(0.03);
  expect((await readdir(join(folder, 'logs'))).some((name) => name.includes('tfevents'))).toBe(true);
  const model = await BertForMaskedLM.from_pretrained(join(folder, 'model'), { on_notice: () => undefined });
  expect(model.loading.missing).toEqual([]);
  expect((await AutoTokenizer.from_pretrained(join(folder, 'model'))).vocab_size).toBe(model.config.vocab_size);
});

/** Documents whose sentences are 3 tokens: the number of the document, that of the sentence, and both at once. */
const documents = Array.from({ length: 6 }, (_, d) => Array.from({ length: 40 }, (_, s) => [d, 100 + s, 1000 + 100 * d + s])); // prettier-ignore

test('the second text follows the first, or is from another document', () => {
  const pairs = sentencePairs(documents, { length: 21, cls: -1, sep: -2, random: seeded(1) });
  expect(pairs.length).toBeGreaterThan(40);
  for (const { input_ids, token_type_ids, next_sentence_label } of pairs) {
    expect(input_ids.length).toBeLessThanOrEqual(21);
    expect(token_type_ids).toHaveLength(input_ids.length);
    const split = input_ids.indexOf(-2);
    expect(token_type_ids.indexOf(1)).toBe(split + 1);
    const [first, second] = [input_ids.slice(1, split), input_ids.slice(split + 1, -1)];
    const [last, next] = [first.findLast((id) => id >= 1000)!, second.find((id) => id >= 1000)!];
    if (next_sentence_label === 1) expect(Math.floor(last / 100)).not.toBe(Math.floor(next / 100));
    else expect(next - last).toBe(1);
  }
  const random = pairs.filter((pair) => pair.next_sentence_label === 1).length / pairs.length;
  expect(Math.abs(random - 0.5)).toBeLessThan(0.2);
});

test('guesses count', () => {
  const { unigram, bigram } = countGuesses([[[1, 2, 1, 3, 1, 2]], [[3, 1]]]);
  expect([unigram(undefined), bigram(1), bigram(3), bigram(9), bigram(undefined)]).toEqual([1, 2, 1, 1, 1]);
});
