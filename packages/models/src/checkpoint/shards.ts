/** Writes the weights of a model folder: one safetensors file, or several and their index, cut as Hugging Face's libraries cut them. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from './errors.ts';
import { writeSafetensors } from './safetensors.ts';
import type { TensorToWrite } from './safetensors.ts';
import { elementCount, storedTypes } from './stored-tensor.ts';
import { indexNameOf, weightsName } from './weights.ts';
import { writeWhole } from './whole-file.ts';

const units: Readonly<Record<string, number>> = {
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** The bytes that `'5GB'`, `'200MiB'` or a number mean. @throws CheckpointError `bad-name` */
export function parseSize(size: string | number): number {
  const [, digits = '', unit = ''] = /^([\d.]+) ?([KMGT]i?B)$/i.exec(String(size)) ?? [];
  const bytes = typeof size === 'number' ? size : Math.floor(Number(digits) * (units[unit.toUpperCase()] ?? NaN));
  if (bytes >= 1) return bytes;
  throw new CheckpointError('bad-name', {
    asked: 'max_shard_size',
    found: `${JSON.stringify(size)} is no size`,
    where: 'save_pretrained',
    fix: "Write it as '5GB', '200MB' or '64MiB', or as a number of bytes.",
  });
}

/**
 * Writes `model.safetensors`; where that would be larger than `max_shard_size`, `model-00001-of-00002.safetensors` and so on, with
 * `model.safetensors.index.json`. A tensor that is larger has a file of its own. What an earlier save left behind in the folder is
 * removed once the new files are there.
 * @throws CheckpointError as {@link writeSafetensors}
 */
export async function writeWeights(
  folder: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  max_shard_size: string | number = '5GB',
): Promise<void> {
  const shards = cut(tensors, parseSize(max_shard_size));
  const written = new Set<string>();
  const weight_map: Record<string, string> = {};
  for (const [i, names] of shards.entries()) {
    const file = shards.length === 1 ? weightsName : shardName(i, shards.length);
    await writeSafetensors(join(folder, file), Object.fromEntries(names.map((name) => [name, tensors[name]!])));
    written.add(file);
    for (const name of names) weight_map[name] = file;
  }
  if (shards.length > 1) {
    const total_size = Object.values(tensors).reduce((sum, tensor) => sum + bytesOf(tensor), 0);
    const sorted = Object.fromEntries(Object.entries(weight_map).sort(([a], [b]) => (a < b ? -1 : 1)));
    const index = { metadata: { total_size }, weight_map: sorted };
    await writeWhole(join(folder, indexNameOf(weightsName)), `${JSON.stringify(index, null, 2)}\n`);
    written.add(indexNameOf(weightsName));
  }
  for (const file of await readdir(folder))
    if (/^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(file) && !written.has(file))
      await rm(join(folder, file));
}

/** The names of each file's tensors: a file is full when the next tensor does not fit, and one that never fits stands alone. */
function cut(tensors: Readonly<Record<string, TensorToWrite>>, most: number): string[][] {
  const shards: string[][] = [];
  let [shard, used]: [string[], number] = [[], 0];
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = bytesOf(tensor);
    if (bytes > most) {
      shards.push([name]);
      continue;
    }
    if (used + bytes > most) {
      shards.push(shard);
      [shard, used] = [[], 0];
    }
    shard.push(name);
    used += bytes;
  }
  return shard.length > 0 || shards.length === 0 ? [...shards, shard] : shards;
}

function shardName(i: number, count: number): string {
  const [at, of] = [i + 1, count].map((n) => String(n).padStart(5, '0'));
  return weightsName.replace('.', `-${at}-of-${of}.`);
}

function bytesOf({ dtype, shape }: TensorToWrite): number {
  return elementCount(shape) * storedTypes[dtype].bytes;
}
