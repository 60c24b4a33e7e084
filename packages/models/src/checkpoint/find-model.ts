/** Where a model's configuration and weights are: in the files of a model folder, or both in one GGUF file. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readConfig } from '../config.ts';
import type { ConfigKeys } from '../config.ts';
import { readGgufConfig } from './gguf.ts';
import { resolveModel } from './hub.ts';
import type { ResolveOptions } from './hub.ts';
import { weightsName } from './weights.ts';

/** Where and how a model is looked for. */
export interface FindOptions extends Omit<ResolveOptions, 'files' | 'optional_files'> {
  /** The GGUF file of the folder or hub id that holds the model. Default: the only one, where there is no `config.json`. */
  readonly gguf_file?: string | undefined;
}

/** A model that was found. */
export interface FoundModel {
  /** The folder of its files. */
  readonly folder: string;
  /** The keys of `config.json`. */
  readonly keys: ConfigKeys;
  /** What `openWeights` opens. */
  readonly weights: string;
}

/**
 * Finds a model: a folder, the path of a `.gguf` file, or an id on the hub. `wants` says whether its weights must be there, and which
 * other files are taken if they are.
 * @throws CheckpointError as `resolveModel`, `readConfig` and `readGguf`
 */
export async function findModel(
  folderOrId: string,
  options: FindOptions,
  wants: { readonly weights: boolean; readonly optional_files?: readonly string[] },
): Promise<FoundModel> {
  const { gguf_file, ...where } = options;
  const isFile = folderOrId.endsWith('.gguf') && statSync(folderOrId, { throwIfNoEntry: false })?.isFile();
  const id = isFile ? dirname(folderOrId) : folderOrId;
  const gguf = isFile ? basename(folderOrId) : (gguf_file ?? onlyGguf(id));
  const optional = { optional_files: wants.optional_files ?? [] };
  if (gguf !== undefined) {
    const { folder } = await resolveModel(id, { ...where, ...optional, files: [gguf] });
    const weights = join(folder, gguf);
    return { folder, keys: await readGgufConfig(weights), weights };
  }
  const files = wants.weights ? ['config.json', weightsName] : ['config.json'];
  const { folder } = await resolveModel(id, { ...where, ...optional, files });
  return { folder, keys: await readConfig(join(folder, 'config.json')), weights: folder };
}

/** The only GGUF file of a folder without `config.json`. */
function onlyGguf(folder: string): string | undefined {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const names = readdirSync(folder);
  const all = names.filter((name) => name.endsWith('.gguf'));
  return all.length === 1 && !names.includes('config.json') ? all[0] : undefined;
}
