/**
 * From C to a shared library, once for each source, compiler and machine: libraries lie in the user's cache folder by the
 * hash of all that went into them. They are made aside and moved into place, so that processes do not disturb each other.
 */
import { BackendError } from '@sinter/compiler/artifact';
import { coreCount } from '../host.ts';
import type { CCompiler } from './compiler.ts';
import { builtin, flags } from './compiler.ts';

/** Sources of less than this are compiled in one piece. */
const partBytes = 48 << 10;
/** Lines of a compiler's complaint that are shown. */
const shownLines = 12;

/**
 * Where compiled programs are kept: `native` in `SINTER_CACHE`, else `sinter/native` in `XDG_CACHE_HOME`, in `~/Library/Caches` on
 * macOS, in `~/.cache` elsewhere. (`SINTER_CACHE=off` keeps nothing of the compiler's; a library must lie somewhere.)
 */
export function cacheFolder(): string {
  const { join, isAbsolute } = builtin('node:path');
  const { homedir } = builtin('node:os');
  const { SINTER_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  if (own && own !== 'off') return join(own, 'native');
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'sinter', 'native');
  const [first, ...rest] = process.platform === 'darwin' ? ['Library', 'Caches'] : ['.cache'];
  return join(homedir(), first!, ...rest, 'sinter', 'native');
}

/** What {@link compileLibrary} needs. */
export interface LibrarySource {
  /** Whose code this is, for messages. */ readonly name: string;
  /** C that can be compiled in parts, see `planSource`. */ readonly source: string;
  /** Hears how many of the parts are compiled. */ readonly onProgress?:
    ((done: number, total: number) => void) | undefined;
}

const running = new Map<string, Promise<string>>();

/**
 * The path of the library that is made from a source, compiled if it is not in the cache.
 *
 * @throws BackendError with the compiler's first lines if it refuses, and where the cache folder cannot be written.
 */
export async function compileLibrary(
  wanted: LibrarySource,
  compiler: CCompiler,
  folder = cacheFolder(),
): Promise<string> {
  const { createHash } = builtin('node:crypto');
  const { join } = builtin('node:path');
  const { existsSync } = builtin('node:fs');
  const hash = createHash('sha256');
  for (const part of [wanted.source, compiler.macros, ...compiler.machineFlags, ...flags])
    hash.update(part).update('\0');
  const path = join(folder, `${hash.digest('hex').slice(0, 40)}.so`);
  if (existsSync(path)) return path;
  let making = running.get(path);
  if (!making) {
    making = make(wanted, compiler, folder, path).finally(() => running.delete(path));
    running.set(path, making);
  }
  return making;
}

async function make(
  { name, source, onProgress }: LibrarySource,
  compiler: CCompiler,
  folder: string,
  path: string,
): Promise<string> {
  const { mkdir, mkdtemp, rename, rm, writeFile } = builtin('node:fs').promises;
  const { join } = builtin('node:path');
  let work: string;
  try {
    // Nobody else may write what this user's processes load.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    work = await mkdtemp(join(folder, 'new-'));
  } catch (error) {
    throw new BackendError(
      `program '${name}' cannot be compiled: the cache folder ${folder} cannot be written (${(error as Error).message}); set XDG_CACHE_HOME to one that can, or use target 'wasm'`,
    );
  }
  try {
    await writeFile(join(work, 'program.c'), source);
    const parts = Math.max(1, Math.min(coreCount(), Math.ceil(source.length / partBytes)));
    let done = 0;
    const cc = async (args: readonly string[]): Promise<void> => {
      await execute(name, compiler, [...compiler.machineFlags, ...flags, ...args], work);
      onProgress?.(Math.min(++done, parts), parts);
    };
    if (parts === 1) await cc(['-shared', 'program.c', '-o', 'program.so', '-lm']);
    else {
      const numbers = Array.from({ length: parts }, (_, part) => part);
      const object = (part: number): string => `program${part}.o`;
      await Promise.all(
        numbers.map((part) => cc([`-DPARTS=${parts}`, `-DPART=${part}`, '-c', 'program.c', '-o', object(part)])),
      );
      await cc(['-shared', ...numbers.map(object), '-o', 'program.so', '-lm']);
    }
    await rename(join(work, 'program.so'), path);
    return path;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function execute(name: string, compiler: CCompiler, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    builtin('node:child_process').execFile(
      compiler.command,
      args,
      { cwd, maxBuffer: 64 << 20 },
      (error, _stdout, stderr) => {
        if (!error) return resolve();
        const lines = (stderr.trim() || error.message).split('\n');
        const more = lines.length > shownLines ? `\n… and ${lines.length - shownLines} lines more` : '';
        reject(
          new BackendError(
            `program '${name}' cannot be compiled: ${compiler.command} ${compiler.machineFlags.join(' ')} says\n${lines.slice(0, shownLines).join('\n')}${more}`,
          ),
        );
      },
    );
  });
}
