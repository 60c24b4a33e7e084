/** The weights of a model folder, in any format that they come in: one file, or an index and several. */
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from './errors.ts';
import { readGguf } from './gguf.ts';
import { readSafetensors } from './safetensors.ts';
import { readTorch } from './torch.ts';
import { joinedWeights } from './weights-file.ts';
import type { WeightsFile } from './weights-file.ts';

/** The usual name of the weights in a model folder. */
export const weightsName = 'model.safetensors';

/** The names of the weights in a model folder, in the order of preference. Each may be split: {@link indexNameOf}. */
export const weightsNames: readonly string[] = [weightsName, 'pytorch_model.bin'];

/** How files are read, by the end of their names. */
const readers: Readonly<Record<string, (path: string) => Promise<WeightsFile>>> = {
  '.safetensors': readSafetensors,
  '.bin': readTorch,
  '.gguf': readGguf,
  '.index.json': openIndex,
};

/** The name of the index that stands in for a file that is split. */
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
    if (typeof file !== 'string' || !/^[\w.-]+\.(safetensors|bin)$/.test(file))
      throw badIndex(path, `"${tensor}" lies in ${JSON.stringify(file)}, which is no file beside it`);
    weightMap.set(tensor, file);
  }
  return { weightMap, files: [...new Set(weightMap.values())] };
}

/**
 * Opens the weights of a model folder: `model.safetensors`, or the files of `model.safetensors.index.json` as if they were one, or
 * `pytorch_model.bin`, or the files of its index. The path of one such file, of an index or of a `.gguf` file does as well.
 * @throws CheckpointError as {@link readSafetensors}, and as reading a PyTorch or a GGUF file; `unknown-tensor` if a file lacks what the index
 * says
 */
export async function openWeights(path: string): Promise<WeightsFile> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return readerOf(path)(path);
  const names = weightsNames.flatMap((name) => [name, indexNameOf(name)]);
  const found = names.find((name) => existsSync(join(path, name)));
  if (found !== undefined) return openWeights(join(path, found));
  throw new CheckpointError('missing-file', {
    asked: 'the weights of a model',
    found: `there is none of ${names.join(', ')}`,
    where: path,
    fix: 'Check the folder.',
  });
}

function readerOf(path: string): (path: string) => Promise<WeightsFile> {
  const ending = Object.keys(readers).find((ending) => path.endsWith(ending));
  if (ending !== undefined) return readers[ending]!;
  throw new CheckpointError('unsupported', {
    asked: 'the weights of a model',
    found: `"${basename(path)}" is no folder, and its name ends in none of ${Object.keys(readers).join(', ')}`,
    where: path,
    fix: 'Give the path of a model folder, or of such a file.',
  });
}

async function openIndex(path: string): Promise<WeightsFile> {
  const { weightMap, files } = await readIndex(path);
  const opened = new Map<string, WeightsFile>();
  try {
    for (const file of files) {
      const part = join(dirname(path), file);
      opened.set(file, await readerOf(part)(part));
    }
    for (const [tensor, file] of weightMap) opened.get(file)!.info(tensor);
  } catch (error) {
    await Promise.all([...opened.values()].map((file) => file.close()));
    throw error;
  }
  return joinedWeights(path, new Map([...weightMap].map(([tensor, file]) => [tensor, opened.get(file)!])));
}

function badIndex(where: string, found: string): CheckpointError {
  return new CheckpointError('bad-header', {
    asked: 'an index of weights',
    found,
    where,
    fix: 'Fetch or save the model again.',
  });
}
