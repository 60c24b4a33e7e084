/** The whole example, shortened: it learns something, and measures itself beside compressors. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'sinter-gpt-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a small GPT on forty speeches', async () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const node = ['--conditions=@sinter/source', '--import', import.meta.resolve('tsx'), main];
  const small = ['--speeches', '40', '--vocabulary', '512', '--layers', '1', '--width', '64', '--context', '64'];
  const short = ['--epochs', '0.2', '--learning-rate', '0.004', '--threads', '1', '--prompt', 'My fellow Americans'];
  const files = ['--output', folder, '--report', join(folder, 'report.json')];
  const { stdout } = await promisify(execFile)(process.execPath, [...node, ...small, ...short, ...files]);

  expect(stdout).toMatch(/38 speeches to learn from, .* 2 held out/);
  expect(stdout).toMatch(/GPT {7}\d\.\d{3}\n {2}gzip -9 {3}\d\.\d{3}, or \d\.\d{3} when/);
  expect(stdout).toMatch(/ {2}My fellow Americans/);
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Record<string, number>;
  // A byte by itself takes 8 bits, by the frequencies of letters 4.4.
  expect(report.bits_per_byte).toBeLessThan(3.5);
  expect(report.bits_per_byte).toBeGreaterThan(1);
  expect(report['gzip -9']).toBeGreaterThan(2);
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json'])
    expect((await stat(join(folder, 'model', file))).size).toBeGreaterThan(0);
  expect(await readdir(join(folder, 'logs'))).not.toEqual([]);
}, 120_000);
