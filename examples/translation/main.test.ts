/** The whole example, shortened: names are told apart from keywords, nothing of a family straddles the split, a folder and figures are there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { dictionary, pairKeywords } from './data/dictionary.ts';
import { loadNames } from './data/names.ts';

const folder = await mkdtemp(join(tmpdir(), 'sinter-translation-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('families of emoji do not straddle the split', async () => {
  const { train, test } = await loadNames('de', 7);
  expect(train.length).toBeGreaterThan(2000);
  expect(test.length).toBeGreaterThan(150);
  const bare = (emoji: string): string => emoji.replace(/[\u{1f3fb}-\u{1f3ff}\u200d\ufe0f♀♂➡]/gu, '');
  const [known, named] = [new Set(train.map(({ emoji }) => bare(emoji))), new Set(train.map(({ source }) => source))];
  expect(test.filter(({ emoji, source }) => known.has(bare(emoji)) || named.has(source))).toEqual([]);
  // A farmer is the same family as a woman who is one.
  const farmers = [...train, ...test].filter(({ source }) => /farmer/u.test(source));
  expect(farmers.length).toBeGreaterThan(5);
  expect([0, farmers.length]).toContain(farmers.filter((entry) => train.includes(entry)).length);
});

test('a dictionary finds what becomes what', async () => {
  const { train } = await loadNames('de', 7);
  const keywords = pairKeywords(train);
  expect(keywords).toContainEqual({ source: 'book', target: 'Buch' });
  const translate = dictionary([...train, ...keywords], 'de');
  expect(translate('flag: book')).toBe('Flagge: Buch');
  expect(translate('an unheardof thing')).toMatch(/unheardof/);
});

test('a small model on few names', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main];
  const small = ['--languages', 'de', '--names', '300', '--vocabulary', '500', '--layers', '1', '--width', '32'];
  const short = ['--epochs', '8', '--learning-rate', '0.005', '--dropout', '0.1', '--beams', '2', '--threads', '1'];
  const files = ['--output', folder, '--report', join(folder, 'report.json')];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, ...small, ...short, ...files]);
  expect(stdout).toMatch(/English to de: 300 names and \d+ keywords to learn from, 30 names held out/);
  expect(stdout).toMatch(/ {2}word by word +\d+\.\d +\d+\.\d/);
  const { de } = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as {
    de: { test: number; scores: { name: string; bleu: number; chrf: number }[] };
  };
  expect(de.test).toBe(30);
  expect(de.scores.map(({ name }) => name)).toEqual(['word by word', 'greedy', '2 beams']);
  for (const { chrf } of de.scores) expect(chrf).toBeGreaterThan(5);
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json'])
    expect((await stat(join(folder, 'de/model', file))).size).toBeGreaterThan(0);
  expect(await readdir(join(folder, 'de/logs'))).not.toEqual([]);
}, 120_000);
