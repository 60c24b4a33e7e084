/** One blob from the hub to disk: resumed where the last try broke off, checked against its size and hash, then renamed. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, truncate } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from './errors.ts';
import { pause, requestBytes, retries } from './hub-http.ts';
import type { RemoteFile, RequestOptions } from './hub-http.ts';

/** A connection that brings no byte for so long is taken for broken. */
const bytesWithin = 30_000;

/** The options of {@link downloadBlob}. */
export interface DownloadOptions extends RequestOptions {
  /** Called with the bytes that are there, now and then. */
  readonly onBytes?: ((loaded: number) => void) | undefined;
}

/**
 * Downloads `remote` from `url` to the file `blob`. The bytes gather in `<blob>.incomplete`, which stays when the download
 * breaks off, also when the process dies, and is gone on with the next time.
 * @throws CheckpointError `interrupted`, `hash-mismatch`, and what {@link requestBytes} throws; the signal's reason if aborted
 */
export async function downloadBlob(
  url: string,
  blob: string,
  remote: Extract<RemoteFile, { kind: 'file' }>,
  options: DownloadOptions,
): Promise<void> {
  const partial = `${blob}.incomplete`;
  const { size } = remote;
  let failures = 0;
  let resumed = false;
  for (;;) {
    let have = await sizeOf(partial);
    if (size !== undefined && have > size) have = (await rm(partial), 0);
    resumed ||= have > 0;
    if (size === undefined || have < size || have === 0) {
      const broken = await append(url, partial, have, options);
      const now = await sizeOf(partial);
      const ended =
        broken ??
        (size === undefined || now >= size ? undefined : new Error(`the answer ended after ${now} of ${size} bytes`));
      if (ended !== undefined) {
        failures = now > have ? 0 : failures + 1;
        if (failures > retries) throw interrupted(url, partial, now, size, ended);
        await pause(failures, options.signal);
        continue;
      }
    }
    const wrong = await mismatch(partial, remote);
    if (wrong === undefined) break;
    await rm(partial, { force: true });
    // The part that was there already may have been another file's: once more from the start.
    if (!resumed) throw hashMismatch(url, partial, wrong);
    resumed = false;
  }
  await rename(partial, blob);
}

/** Appends what the hub sends from position `have` on. Returns why the connection broke, or nothing at the proper end. */
async function append(url: string, partial: string, have: number, options: DownloadOptions): Promise<unknown> {
  let response: Response;
  try {
    response = await requestBytes(url, have, options);
  } catch (error) {
    // Before the first byte the hub counts as unreachable; after it, as broken off.
    if (have > 0 && error instanceof CheckpointError && error.code === 'unreachable') return error;
    throw error;
  }
  const resumes =
    response.status === 206 && Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]) === have;
  if (have > 0 && !resumes) {
    await truncate(partial);
    if (response.status !== 200) {
      await response.body?.cancel();
      return new Error(`the hub answers ${response.status} to a request from position ${have}`);
    }
  }
  const file = await open(partial, 'a');
  try {
    return await receive(response, file, resumes ? have : 0, options);
  } finally {
    await file.close();
  }
}

async function receive(response: Response, file: FileHandle, have: number, options: DownloadOptions): Promise<unknown> {
  const reader = response.body?.getReader();
  for (let loaded = have; reader !== undefined;) {
    let silent = false;
    const timer = setTimeout(() => {
      silent = true;
      void reader.cancel().catch(() => undefined);
    }, bytesWithin);
    let chunk;
    try {
      chunk = await reader.read();
    } catch (error) {
      options.signal?.throwIfAborted();
      return error;
    } finally {
      clearTimeout(timer);
    }
    if (silent) return new Error(`no bytes for ${bytesWithin / 1000} s`);
    if (chunk.done) break;
    await file.appendFile(chunk.value);
    options.onBytes?.((loaded += chunk.value.length));
  }
  await file.sync();
  return undefined;
}

/** How a file differs from what was announced: by its size, by SHA-256 (64 hex digits) or by git's blob hash (40). */
async function mismatch(
  path: string,
  { etag, size }: { readonly etag: string; readonly size: number | undefined },
): Promise<string | undefined> {
  const bytes = await sizeOf(path);
  if (size !== undefined && bytes !== size) return `${bytes} bytes instead of ${size}`;
  const hash = /^[0-9a-f]{64}$/.test(etag)
    ? createHash('sha256')
    : /^[0-9a-f]{40}$/.test(etag)
      ? createHash('sha1')
      : undefined;
  if (hash === undefined) return undefined;
  if (etag.length === 40) hash.update(`blob ${bytes}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  const found = hash.digest('hex');
  return found === etag ? undefined : `a hash of ${found} instead of ${etag}`;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function interrupted(
  url: string,
  partial: string,
  now: number,
  size: number | undefined,
  cause: unknown,
): CheckpointError {
  return new CheckpointError(
    'interrupted',
    {
      asked: `${size ?? 'all'} bytes`,
      found: `the connection broke off ${retries + 1} times in a row at byte ${now} (${(cause as Error).message})`,
      where: url,
      fix: `Try again: it goes on from there (${partial}).`,
    },
    { cause },
  );
}

function hashMismatch(url: string, partial: string, wrong: string): CheckpointError {
  return new CheckpointError('hash-mismatch', {
    asked: 'the content that the hub announced',
    found: `what came has ${wrong}; ${partial} was deleted`,
    where: url,
    fix: 'Try again; if it stays so, a proxy or mirror on the way changes files: check HF_ENDPOINT.',
  });
}
