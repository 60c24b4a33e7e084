/**
 * The cache folder that every Hugging Face library shares: for each model `blobs/<etag>`, `refs/<revision>` (a commit),
 * `snapshots/<commit>/<file>` (links to blobs) and `.no_exist/<commit>/<file>` (known not to exist).
 * Source: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { copyFile, link, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeWhole } from './whole-file.ts';

/** The folder of one model in the cache. */
export function repoFolder(cacheDir: string, id: string): string {
  return join(cacheDir, `models--${id.replace('/', '--')}`);
}

/** The commit that the cache knows for a branch, tag or commit. */
export function cachedCommit(repo: string, revision: string): string | undefined {
  const ref = join(repo, 'refs', revision);
  if (statSync(ref, { throwIfNoEntry: false })?.isFile()) return readFileSync(ref, 'utf8').trim();
  return existsSync(join(repo, 'snapshots', revision)) ? revision : undefined;
}

/** Remembers the commit that a branch or tag stands for. */
export async function writeRef(repo: string, revision: string, commit: string): Promise<void> {
  if (revision !== commit && cachedCommit(repo, revision) !== commit)
    await writeWhole(join(repo, 'refs', revision), commit);
}

/** The folder with a commit's files. */
export function snapshotFolder(repo: string, commit: string): string {
  return join(repo, 'snapshots', commit);
}

/** The path of the content with an ETag. */
export function blobPath(repo: string, etag: string): string {
  return join(repo, 'blobs', etag);
}

/** What the cache says about a file of a commit: its path, that there is none, or nothing. */
export function cachedFile(repo: string, commit: string, name: string): string | 'absent' | 'unknown' {
  const path = join(snapshotFolder(repo, commit), name);
  if (existsSync(path)) return path;
  return existsSync(join(repo, '.no_exist', commit, name)) ? 'absent' : 'unknown';
}

/** Remembers that a commit lacks a file. */
export async function writeAbsent(repo: string, commit: string, name: string): Promise<void> {
  await writeWhole(join(repo, '.no_exist', commit, name), '');
}

/**
 * Lets a snapshot's file be a blob: by a relative symbolic link, else by a hard link, else by a copy. Returns its path.
 * Whatever stood there before is replaced in one step.
 */
export async function linkFile(
  repo: string,
  commit: string,
  name: string,
  etag: string,
  symlinks: boolean,
): Promise<string> {
  const path = join(snapshotFolder(repo, commit), name);
  const blob = blobPath(repo, etag);
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const target = relative(dirname(path), blob);
  await (symlinks ? symlink(target, temporary) : Promise.reject(new Error('not wanted')))
    .catch(() => link(blob, temporary))
    .catch(() => copyFile(blob, temporary));
  await rename(temporary, path);
  // A rename onto a hard link of the same blob leaves both names.
  await rm(temporary, { force: true });
  return path;
}

/** A lock whose holder has not been heard of for so long is taken over. */
const staleAfter = 30_000;

/**
 * Runs `work` while no other process of ours does so for the same lock file, so that a file is fetched once and not by
 * everybody. A convenience: what is downloaded is checked and moved into place in one step, with or without it.
 */
export async function withLock<T>(path: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const owner = `${hostname()}\n${process.pid}\n${randomBytes(4).toString('hex')}`;
  for (let seen = { owner: '', mtime: 0, at: 0 }; ;) {
    signal?.throwIfAborted();
    if (await writeFile(path, owner, { flag: 'wx' }).then(() => true, onlyIf('EEXIST', false))) break;
    const [now, info] = await Promise.all([readFile(path, 'utf8').catch(() => ''), stat(path).catch(() => undefined)]);
    if (info === undefined) continue;
    if (now !== seen.owner || info.mtimeMs !== seen.mtime) seen = { owner: now, mtime: info.mtimeMs, at: Date.now() };
    if (isDead(now) || Date.now() - seen.at > staleAfter) await rm(path, { force: true });
    else await sleep(100, undefined, { signal });
  }
  const heartbeat = setInterval(
    () => void utimes(path, new Date(), new Date()).catch(() => undefined),
    staleAfter / 10,
  ).unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readFile(path, 'utf8').catch(() => '')) === owner) await rm(path, { force: true });
  }
}

/** Whether a lock's owner ran on this machine and is no more. */
function isDead(owner: string): boolean {
  const [host, pid] = owner.split('\n');
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function onlyIf<T>(code: string, value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code !== code) throw error;
    return value;
  };
}
