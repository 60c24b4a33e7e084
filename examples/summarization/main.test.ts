/** The example from beginning to end, shortened: few mails, one pass, a small model. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('it learns, writes and scores', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'summarization-'));
  const report = join(folder, 'report.json');
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const small =
    '--mails 60 --test 3 --vocabulary 600 --tokens 32 --layers 1 --width 32 --epochs 2 --beams 2 --threads 1';
  const run = spawnSync(
    process.execPath,
    [
      ...'--conditions=@sinter/source --import tsx'.split(' '),
      main,
      ...small.split(' '),
      '--output',
      folder,
      '--report',
      report,
    ],
    { encoding: 'utf8' },
  );
  expect(run.status, run.stderr).toBe(0);
  const { train, test, scores, training_loss } = JSON.parse(readFileSync(report, 'utf8')) as {
    train: number;
    test: number;
    training_loss: number;
    scores: { name: string; rouge1: number; rougeL: number }[];
  };
  expect([train, test]).toEqual([60, 3]);
  // It begins with 6.9.
  expect(training_loss).toBeLessThan(6.8);
  expect(scores).toHaveLength(3);
  for (const { rouge1, rougeL } of scores) expect(rouge1).toBeGreaterThanOrEqual(rougeL);
  rmSync(folder, { recursive: true });
});
