/** The weights of a model folder: one safetensors file, or an index and several. */
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CheckpointError } from './errors.ts';
import { readSafetensors, unknownTensor } from './safetensors.ts';
import type { SafetensorsFile } from './safetensors.ts';

/** The usual name of the weights in a model folder. */
export const weightsName = 'model.safetensors';

/** The name of the index that stands in for a safetensors file that is split. */
export function indexNameOf(name: string): string {
  return `${name}.index.json`;
}

/** The files that an index names, in its order. @throws CheckpointError `bad-header` */
export async function readIndex(
  path: string,
): Promise<{ readonly weightMap: ReadonlyMap<string, string>; readonly files: readonly string[] }> {
  let map: unknown;
  try {
    map = (JSON.parse(await readFile(path, 'utf8')) as { weight_map?: unknown }).weight_map;
  } catch (cause) {
    throw badIndex(path, `it is not JSON (${(cause as Error).message})`);
  }
  const entries = typeof map === 'object' && map !== null ? Object.entries(map) : [];
  if (entries.length === 0) throw badIndex(path, '"weight_map" is missing or empty');
  const weightMap = new Map<string, string>();
  for (const [tensor, file] of entries) {
    if (typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file))
      throw badIndex(path, `"${tensor}" lies in ${JSON.stringify(file)}, which is no file beside it`);
    weightMap.set(tensor, file);
  }
  return { weightMap, files: [...new Set(weightMap.values())] };
}

/**
 * Opens the weights of a folder: `model.safetensors`, or the files of `model.safetensors.index.json` as if they were one.
 * @throws CheckpointError as {@link readSafetensors}; `unknown-tensor` if a file lacks what the index says
 */
export async function openWeights(folder: string): Promise<SafetensorsFile> {
  const single = join(folder, weightsName);
  const index = join(folder, indexNameOf(weightsName));
  return existsSync(single) || !existsSync(index) ? readSafetensors(single) : openIndex(index);
}

async function openIndex(path: string): Promise<SafetensorsFile> {
  const { weightMap, files } = await readIndex(path);
  const opened = new Map<string, SafetensorsFile>();
  const close = async () => void (await Promise.all([...opened.values()].map((file) => file.close())));
  try {
    for (const file of files) opened.set(file, await readSafetensors(join(dirname(path), file)));
    for (const [tensor, file] of weightMap) opened.get(file)!.info(tensor);
  } catch (error) {
    await close();
    throw error;
  }
  const fileOf = (name: string) => opened.get(weightMap.get(name) ?? unknownTensor(name, weightMap.keys(), path))!;
  return {
    path,
    metadata: [...opened.values()][0]!.metadata,
    names: [...opened].flatMap(([file, { names }]) => names.filter((name) => weightMap.get(name) === file)),
    has: (name) => weightMap.has(name),
    info: (name) => fileOf(name).info(name),
    read: async (name) => fileOf(name).read(name),
    readF32: async (name) => fileOf(name).readF32(name),
    readI32: async (name) => fileOf(name).readI32(name),
    close,
  };
}

function badIndex(where: string, found: string): CheckpointError {
  return new CheckpointError('bad-header', {
    asked: 'an index of safetensors files',
    found,
    where,
    fix: 'Fetch or save the model again.',
  });
}
