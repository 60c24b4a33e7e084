/**
 * A cache on disk: a file per entry in the user's cache folder. Files are written aside and moved into place, so that
 * processes do not disturb each other, and carry a hash, so that a damaged one is found and dropped.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Cache } from './cache.ts';
import { ownSources } from './sources.ts';

/** Options of {@link diskCache}. */
export interface DiskCacheOptions {
  /** When a new entry makes all of them larger than this, those that were used least recently go. Default: 1 GiB. */
  readonly maxBytes?: number;
}

/** What an entry's file ends with; what is being written has another ending. */
const ending = '.kept';
/** An entry begins with the SHA-256 of the rest. */
const hashBytes = 32;
/** A file that was being written so long ago was left by a process that died. */
const abandonedMs = 3_600_000;

/**
 * The folder in which everything of Sinter's is kept: what `SINTER_CACHE` names, else `sinter` in `XDG_CACHE_HOME`, in
 * `~/Library/Caches` on macOS, in `~/.cache` elsewhere.
 */
export function cacheFolder(): string {
  const { SINTER_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  if (own && own !== 'off') return own;
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'sinter');
  return join(homedir(), ...(process.platform === 'darwin' ? ['Library', 'Caches'] : ['.cache']), 'sinter');
}

/**
 * A cache in a folder; all processes of a user may share it. Entries belong to one version of Sinter's packages: what
 * another one wrote is not found. In a checkout of the sources every edit makes a new version, and a process that is
 * older than the last edit keeps nothing.
 *
 * @param folder Default: `compiler` in {@link cacheFolder}; and with `SINTER_CACHE=off` in the environment, no folder: then nothing is kept.
 */
export function diskCache(folder?: string, { maxBytes = 2 ** 30 }: DiskCacheOptions = {}): Cache {
  const sources = ownSources();
  if (sources === undefined || (folder === undefined && process.env['SINTER_CACHE'] === 'off')) return noCache;
  const place = folder ?? join(cacheFolder(), 'compiler');
  const pathOf = (key: string): string =>
    join(place, createHash('sha256').update(sources).update('\0').update(key).digest('hex').slice(0, 40) + ending);
  return {
    async read(key) {
      const path = pathOf(key);
      try {
        const file = await readFile(path);
        const bytes = file.subarray(hashBytes);
        if (hashOf(bytes).equals(file.subarray(0, hashBytes))) {
          const now = new Date();
          await utimes(path, now, now).catch(() => undefined);
          // On its own, so that its bytes begin where any element may.
          return new Uint8Array(bytes);
        }
        await rm(path, { force: true });
      } catch {
        // Not there, or not to be read.
      }
      return undefined;
    },
    async write(key, bytes) {
      const aside = join(place, `${randomUUID()}.new`);
      try {
        // Nobody else may write what this user's processes run.
        await mkdir(place, { recursive: true, mode: 0o700 });
        await writeFile(aside, [hashOf(bytes), bytes]);
        await rename(aside, pathOf(key));
        await dropOldest(place, maxBytes);
      } catch (error) {
        await rm(aside, { force: true }).catch(() => undefined);
        warnOnce(`nothing can be kept in the cache folder ${place}: ${(error as Error).message}`);
      }
    },
  };
}

const noCache: Cache = { read: async () => undefined, write: async () => undefined };

const hashOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Removes entries, the least recently used first, until the rest fits, and what dead processes left. */
async function dropOldest(folder: string, maxBytes: number): Promise<void> {
  const entries: { path: string; bytes: number; used: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // Another process may have removed it since.
    const found = await stat(path).catch(() => undefined);
    if (!found) continue;
    if (name.endsWith(ending)) entries.push({ path, bytes: found.size, used: found.mtimeMs });
    else if (name.endsWith('.new') && Date.now() - found.mtimeMs > abandonedMs) await rm(path, { force: true });
  }
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  entries.sort((a, b) => a.used - b.used);
  for (const { path, bytes } of entries) {
    if (total <= maxBytes) break;
    await rm(path, { force: true });
    total -= bytes;
  }
}

const warned = new Set<string>();

function warnOnce(message: string): void {
  if (!warned.has(message)) process.emitWarning(message, 'SinterCacheWarning');
  warned.add(message);
}
