/** Finds the files of a model: in a local folder, in the Hugging Face cache, or on the hub, in this order. */
import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { hubSettings } from './environment.ts';
import type { HubSettings } from './environment.ts';
import { CheckpointError } from './errors.ts';
import {
  blobPath,
  cachedCommit,
  cachedFile,
  linkFile,
  repoFolder,
  snapshotFolder,
  withLock,
  writeAbsent,
  writeRef,
} from './hub-cache.ts';
import { downloadBlob } from './hub-download.ts';
import { fileUrl, remoteFile } from './hub-http.ts';
import { indexNameOf, readIndex, weightsName, weightsNames } from './weights.ts';

/** How far a file is. */
export interface DownloadProgress {
  readonly file: string;
  /** Bytes that are there. */
  readonly loaded: number;
  /** Bytes of the whole file, where known. */
  readonly total: number | undefined;
}

/** The options of {@link resolveModel}; what is left out comes from the environment (see {@link hubSettings}). */
export interface ResolveOptions extends Partial<HubSettings> {
  /** A branch, tag or commit. Default: `main`. A local folder has none. */
  readonly revision?: string;
  /**
   * Files that must be there. Default: `config.json` and `model.safetensors`. For weights, their index and the files that this names
   * do as well, and for `model.safetensors` also `pytorch_model.bin`.
   */
  readonly files?: readonly string[];
  /** Files that are taken if they are there. Default: none. */
  readonly optional_files?: readonly string[];
  /** Asks the hub even if the cache has everything, for a branch that has moved on. Default: no. */
  readonly refresh?: boolean;
  /** Stops the search; the promise is then rejected with its reason, and half a download stays for the next time. */
  readonly signal?: AbortSignal;
  /** Told how far each download is. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** Where a model's files lie. */
export interface ResolvedModel {
  /** The folder that holds them under their own names. */
  readonly folder: string;
  readonly source: 'folder' | 'cache' | 'hub';
  /** The commit, unless it is a local folder. */
  readonly commit: string | undefined;
  /** The paths of the files that were asked for and found, and of the parts of split weights, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Looks for one file: its path, or nothing. */
type Find = (name: string) => string | undefined | Promise<string | undefined>;

/**
 * Finds the files of the model `id` on this machine, or downloads them. `id` is the path of a folder, or `org/name` on the hub;
 * a folder of that name is preferred. What the cache has is used without asking the hub, unless `refresh` is set.
 * Downloads go into the cache folder that Python's libraries use too, and are resumed and checked against size and hash.
 *
 * @throws CheckpointError `missing-file` (names every place that was looked at), `offline`, `unreachable`, `unauthorized`,
 * `unknown-repo`, `bad-response`, `hash-mismatch`, `interrupted`, `bad-name`
 */
export async function resolveModel(id: string, options: ResolveOptions = {}): Promise<ResolvedModel> {
  const { revision = 'main', files = ['config.json', weightsName], optional_files = [] } = options;
  const settings = { ...hubSettings(), ...defined(options) };
  const endpoint = settings.endpoint.replace(/\/+$/, '');
  checkNames(id, revision, [...files, ...optional_files]);

  const folder = resolve(id);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    const found = await collect(files, optional_files, (name) => ifExists(join(folder, name)));
    return { folder, source: 'folder', commit: undefined, files: required(found, id, files, [folder]) };
  }
  if (!isHubId(id))
    throw new CheckpointError('missing-file', {
      asked: `the model "${id}"`,
      found: 'there is no such folder, and it cannot be an id on the hub',
      where: folder,
      fix: 'Give the path of a model folder, or an id such as "org/name".',
    });

  const cached = await fromCache(id, revision, files, optional_files, settings);
  if (cached.model && cached.complete && !options.refresh) return cached.model;
  const places = [folder, cached.place];
  if (settings.local_files_only) {
    if (cached.model) return cached.model;
    throw new CheckpointError('offline', {
      asked: `the model "${id}" (${files.join(', ')})`,
      found: 'not all of it is on this machine, and the network is not to be used',
      where: places.join(', '),
      fix: 'Unset HF_HUB_OFFLINE (or local_files_only) once to download it, or give the path of a model folder.',
    });
  }
  try {
    return await fromHub(id, revision, files, optional_files, { ...settings, endpoint, places });
  } catch (error) {
    if (cached.model && !options.refresh && error instanceof CheckpointError && error.code === 'unreachable')
      return cached.model;
    throw error;
  }
}

interface CacheAnswer {
  /** Where the cache was looked at. */
  readonly place: string;
  /** The model, if all required files are there. */
  readonly model: ResolvedModel | undefined;
  /** Whether the optional files are known to be there or not. */
  readonly complete: boolean;
}

async function fromCache(
  id: string,
  revision: string,
  files: readonly string[],
  optional: readonly string[],
  settings: HubSettings,
): Promise<CacheAnswer> {
  const repo = repoFolder(settings.cache_dir, id);
  const commit = cachedCommit(repo, revision);
  if (commit === undefined) return { place: repo, model: undefined, complete: false };
  const folder = snapshotFolder(repo, commit);
  let complete = true;
  const found = await collect(files, optional, (name) => {
    const state = cachedFile(repo, commit, name);
    if (state === 'unknown') complete = false;
    return state === 'unknown' || state === 'absent' ? undefined : state;
  });
  const model =
    found.missing.length > 0 ? undefined : ({ folder, source: 'cache', commit, files: found.files } as const);
  return { place: folder, model, complete };
}

async function fromHub(
  id: string,
  revision: string,
  files: readonly string[],
  optional: readonly string[],
  options: HubSettings & Pick<ResolveOptions, 'signal' | 'onProgress'> & { readonly places: readonly string[] },
): Promise<ResolvedModel> {
  const { cache_dir, endpoint, token, signal, onProgress } = options;
  const repo = repoFolder(cache_dir, id);
  let commit: string | undefined;
  const found = await collect(files, optional, async (name) => {
    // After the first answer ask by commit, so that all files belong together even if the branch moves meanwhile.
    const url = fileUrl(endpoint, id, commit ?? revision, name);
    const remote = await remoteFile(url, { endpoint, token, signal });
    commit ??= remote.commit;
    if (remote.kind === 'absent') {
      if (commit !== undefined) await writeAbsent(repo, commit, name);
      return undefined;
    }
    const blob = blobPath(repo, remote.etag);
    const report = (loaded: number) => onProgress?.({ file: name, loaded, total: remote.size });
    if (!existsSync(blob)) {
      await mkdir(dirname(blob), { recursive: true });
      const lock = join(cache_dir, '.locks', repo.slice(cache_dir.length + 1), `${remote.etag}.sinter`);
      await withLock(lock, signal, async () => {
        if (!existsSync(blob)) await downloadBlob(url, blob, remote, { endpoint, token, signal, onBytes: report });
      });
    }
    return linkFile(repo, remote.commit, name, remote.etag, options.symlinks);
  });
  const paths = required(found, id, files, [...options.places, `${endpoint}/${id} (${revision})`]);
  // No files asked for, or only optional ones that are not there: nothing that could be a model.
  if (commit === undefined)
    throw new CheckpointError('bad-name', {
      asked: `the model "${id}"`,
      found: 'no file was asked for',
      where: endpoint,
      fix: 'Name at least one file.',
    });
  await writeRef(repo, revision, commit);
  return { folder: snapshotFolder(repo, commit), source: 'hub', commit, files: paths };
}

interface Collected {
  readonly files: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
}

/** Looks for every file; weights that are split are found by their index. */
async function collect(files: readonly string[], optional: readonly string[], find: Find): Promise<Collected> {
  const found: Record<string, string> = {};
  const missing: string[] = [];
  const take = async (name: string): Promise<boolean> => {
    const path = await find(name);
    if (path !== undefined) found[name] = path;
    return path !== undefined;
  };
  /** A file, or the parts that its index names. */
  const takeWhole = async (name: string): Promise<boolean> => {
    if (await take(name)) return true;
    const index = indexNameOf(name);
    if (!/\.(safetensors|bin)$/.test(name) || !(await take(index))) return false;
    for (const part of (await readIndex(found[index]!)).files) if (!(await take(part))) missing.push(part);
    return true;
  };
  for (const name of files) {
    let isThere = false;
    for (const other of name === weightsName ? weightsNames : [name]) isThere ||= await takeWhole(other);
    if (!isThere) missing.push(name);
  }
  for (const name of optional) await take(name);
  return { files: found, missing };
}

function required(
  { files, missing }: Collected,
  id: string,
  wanted: readonly string[],
  places: readonly string[],
): Readonly<Record<string, string>> {
  if (missing.length === 0) return files;
  throw new CheckpointError('missing-file', {
    asked: `${wanted.join(', ')} of the model "${id}"`,
    found: `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not there`,
    where: `looked in ${places.join(', then ')}`,
    fix: missing.includes(weightsName)
      ? `Weights are read from ${weightsNames.join(' and ')}, whole or split, and from .gguf files (gguf_file): convert others with save_pretrained in Python.`
      : 'Check the id or the folder.',
  });
}

function checkNames(id: string, revision: string, files: readonly string[]): void {
  const leadsOut = (path: string) =>
    path === '' ||
    /^[\\/]|\\/.test(path) ||
    path.split('/').some((part) => part === '' || part === '.' || part === '..');
  const wrong = id === '' ? 'the empty id' : leadsOut(revision) ? `the revision "${revision}"` : files.find(leadsOut);
  if (wrong !== undefined)
    throw new CheckpointError('bad-name', {
      asked: `the model "${id}"`,
      found: `${wrong} is no proper name`,
      where: id,
      fix: 'Names are relative, with forward slashes and without "..".',
    });
}

/** `name` or `org/name`, by the rules of the hub. */
function isHubId(id: string): boolean {
  return /^(?:[A-Za-z0-9_][\w.-]*\/)?[A-Za-z0-9_][\w.-]*$/.test(id) && !/--|\.\./.test(id);
}

function ifExists(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

/** The options without those that are there but undefined. */
function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
