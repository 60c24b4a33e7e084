import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { GPT2LMHeadModel } from '../families/gpt2.ts';
import type { MemoryReport } from './memory.test.kit.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-memory-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const kit = fileURLToPath(new URL('memory.test.kit.ts', import.meta.url));
const canMeasure = existsSync('/proc/self/clear_refs');
if (!canMeasure) console.warn('skipped: only Linux tells how much memory loading takes at most');
const python = findPython(['torch', 'safetensors']);

/** 66 MB of weights, or as large as is asked for: `SINTER_LARGE=1` is GPT-2 small. */
const isLarge = process.env['SINTER_LARGE'] === '1';
const size = isLarge ? {} : { vocab_size: 20_000, n_embd: 384, n_layer: 5, n_head: 6, n_positions: 128 };

function load(folder: string): MemoryReport & { readonly ratio: number } {
  const run = ['--conditions=@sinter/source', '--import', 'tsx', kit, folder];
  const report = JSON.parse(execFileSync(process.execPath, run, { encoding: 'utf8' })) as MemoryReport;
  // Beside the weights, what any process needs for doing anything.
  const ratio = (report.peak - report.before - 8e6) / report.weights;
  if (isLarge) console.log(folder, report, ratio, report.peak / report.weights);
  return { ...report, ratio };
}

describe.skipIf(!canMeasure)('loading takes the memory of the weights, and little more', () => {
  const folders = {
    one: join(root, 'one'),
    shards: join(root, 'shards'),
    half: join(root, 'half'),
    bin: join(root, 'bin'),
  };
  beforeAll(async () => {
    const model = GPT2LMHeadModel.from_config(size);
    await model.save_pretrained(folders.one);
    await model.save_pretrained(folders.shards, { max_shard_size: isLarge ? '100MB' : '16MB' });
    const half = await GPT2LMHeadModel.from_pretrained(folders.one, { torch_dtype: 'float16' });
    await half.save_pretrained(folders.half);
  }, 120_000);

  test.each(['one', 'shards', 'half'] as const)(
    '%s',
    (name) => {
      expect(load(folders[name]).ratio).toBeLessThan(1.15);
    },
    60_000,
  );

  test.skipIf(!python)(
    'a .bin of PyTorch',
    async () => {
      await cp(folders.one, folders.bin, { recursive: true });
      const script = `
import sys, torch
from safetensors.torch import load_file
torch.save(load_file(sys.argv[1] + '/model.safetensors'), sys.argv[1] + '/pytorch_model.bin')`;
      execFileSync(python!, ['-c', script, folders.bin]);
      await rm(join(folders.bin, 'model.safetensors'));
      expect(load(folders.bin).ratio).toBeLessThan(1.15);
    },
    60_000,
  );
});
