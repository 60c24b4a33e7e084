/** Artifacts by path or address, and writing files whole. */
import { open, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ByteSource } from '@sinter/compiler/artifact';
import { urlSource } from '@sinter/compiler/artifact';
import { pathSource } from './standalone/runtime/node-file.ts';

/** A file that was written. */
export interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
}

/** A `.sinter` file by path, or by an address that begins with `http:` or `https:`. */
export function openSource(pathOrUrl: string): ByteSource {
  return /^https?:\/\//.test(pathOrUrl) ? urlSource(pathOrUrl) : pathSource(pathOrUrl);
}

/** Writes a file from chunks: at any moment there is the old file or the whole new one. Makes its folder. */
export async function writeChunks(
  folder: string,
  name: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<WrittenFile> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  let bytes = 0;
  try {
    const file = await open(partial, 'w');
    try {
      for await (const chunk of chunks) {
        await file.writeFile(chunk);
        bytes += chunk.length;
      }
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return { path, bytes };
}

/** Writes a text file. */
export function writeText(folder: string, name: string, text: string): Promise<WrittenFile> {
  return writeChunks(folder, name, [new TextEncoder().encode(text)]);
}
