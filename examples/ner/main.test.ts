/** The whole example, shortened, as a user without any network runs it: a model of its own learns from some sentences, and the table is there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import type { Score } from './data/score.ts';

const folder = await mkdtemp(join(tmpdir(), 'sinter-ner-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a small BERT learns names from three thousand sentences', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main];
  const short = [
    '--from-scratch',
    '--sentences',
    '2000',
    '--epochs',
    '1',
    '--learning-rate',
    '0.002',
    '--threads',
    '1',
  ];
  const files = ['--output', folder, '--report', join(folder, 'report.json')];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, ...short, ...files]);

  expect(stdout).toMatch(/200 checked by hand \(115\)/);
  expect(stdout).toMatch(/checked: the rules themselves +8\d\.\d %/);
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as { results: Record<string, Score> };
  expect(Object.keys(report.results)).toEqual([
    'unseen: small BERT',
    'unseen: look-up and capitals',
    'checked: small BERT',
    'checked: look-up and capitals',
    'checked: the rules themselves',
  ]);
  expect(report.results['checked: small BERT']!.f1).toBeGreaterThan(0.1);
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json'])
    expect((await stat(join(folder, 'model', file))).size).toBeGreaterThan(0);
  expect(await readdir(join(folder, 'logs'))).not.toEqual([]);
}, 120_000);
