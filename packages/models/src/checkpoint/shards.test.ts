import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { writeSafetensors } from './safetensors.ts';
import type { TensorToWrite } from './safetensors.ts';
import { parseSize, writeWeights } from './shards.ts';
import { openWeights } from './weights.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-shards-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const fresh = () => {
  const folder = join(root, String(count++));
  mkdirSync(folder);
  return folder;
};
const floats = (...data: number[]): TensorToWrite => ({
  dtype: 'f32',
  shape: [data.length],
  data: Float32Array.from(data),
});
const tensors = { c: floats(1, 2), b: floats(3, 4, 5, 6, 7), a: floats(8), 'z.w': floats(9, 10), y: floats(11) };

describe('saving', () => {
  test('one file where it fits; several and an index where it does not; what was there before goes', async () => {
    const folder = fresh();
    writeFileSync(join(folder, 'config.json'), '{}');
    await writeWeights(folder, tensors, 44);
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
    await writeWeights(folder, tensors, 16);
    const parts = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`);
    expect(readdirSync(folder).sort()).toEqual(['config.json', ...parts, 'model.safetensors.index.json']);
    const file = await openWeights(folder);
    for (const [name, tensor] of Object.entries(tensors)) expect(await file.read(name)).toEqual(tensor);
    await file.close();
    await writeWeights(folder, tensors, '1KB');
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  test('sizes as people write them', async () => {
    expect([parseSize('5GB'), parseSize('1.5 MiB'), parseSize('2kb'), parseSize(7)]).toEqual([
      5e9,
      1.5 * 2 ** 20,
      2000,
      7,
    ]);
    for (const wrong of ['', '5', 'GB', '1 PB', '-1GB', 0, NaN]) expect(() => parseSize(wrong)).toThrow(/is no size/);
    await expect(writeWeights(fresh(), tensors, 'many')).rejects.toMatchObject({ code: 'bad-name' });
  });
});

describe('reading', () => {
  test.each([
    [
      'one that is missing',
      async (folder: string) => rmSync(join(folder, 'model-00002-of-00003.safetensors')),
      'missing-file',
    ],
    [
      'one that lacks a tensor',
      (folder: string) => writeSafetensors(join(folder, 'model-00002-of-00003.safetensors'), {}),
      'unknown-tensor',
    ],
    [
      'an index that is cut',
      async (folder: string) => writeFileSync(join(folder, 'model.safetensors.index.json'), '{"weight'),
      'bad-header',
    ],
    ['no weights at all', async (folder: string) => rmSync(folder, { recursive: true }), 'unsupported'],
    [
      'an empty folder',
      async (folder: string) => readdirSync(folder).forEach((name) => rmSync(join(folder, name))),
      'missing-file',
    ],
  ])('%s', async (_, spoil, code) => {
    const folder = fresh();
    await writeWeights(folder, tensors, 16);
    await spoil(folder);
    await expect(openWeights(folder)).rejects.toMatchObject({ name: 'CheckpointError', code });
  });
});

const python = findPython(['torch', 'huggingface_hub', 'safetensors', 'transformers']);
describe.skipIf(!python)('Python', () => {
  test('cuts the same tensors in the same places, and writes the same index', async () => {
    const [ours, theirs] = [fresh(), fresh()];
    await writeWeights(ours, tensors, 16);
    const script = `
import sys, torch
from huggingface_hub import save_torch_state_dict
tensors = {'c': 2, 'b': 5, 'a': 1, 'z.w': 2, 'y': 1}
save_torch_state_dict({k: torch.ones(n) for k, n in tensors.items()}, sys.argv[1], max_shard_size=16)`;
    execFileSync(python!, ['-c', script, theirs]);
    const index = 'model.safetensors.index.json';
    expect(readdirSync(ours).sort()).toEqual(readdirSync(theirs).sort());
    expect(JSON.parse(readFileSync(join(ours, index), 'utf8'))).toEqual(
      JSON.parse(readFileSync(join(theirs, index), 'utf8')),
    );
  });
});
