/** What general compressors make of a text: `gzip -9` by Node itself, `xz -9` by the system's command where there is one. */
import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';

/** How a compressor fares on a text, in bits per byte of it. */
export interface Compressed {
  /** The text by itself. */
  readonly alone: number;
  /** What it costs behind another text: the size of both less the size of that. The compressor has then read as much as a model that was trained on it. */
  readonly behind: number;
}

/** A compressor: bytes to how many they become; `undefined` where it is not installed. */
export type Compressor = (bytes: Uint8Array) => number | undefined;

/** The compressors by name. */
export const compressors: Readonly<Record<string, Compressor>> = {
  'gzip -9': (bytes) => gzipSync(bytes, { level: 9 }).length,
  'xz -9': (bytes) => {
    const { status, stdout } = spawnSync('xz', ['-9', '--stdout'], { input: bytes, maxBuffer: 2 ** 30 });
    return status === 0 ? stdout.length : undefined;
  },
};

/** Measures a compressor on `text`, alone and behind `before`; `undefined` where it is not installed. */
export function compressed(compressor: Compressor, text: string, before: string): Compressed | undefined {
  const [own, first] = [Buffer.from(text), Buffer.from(before)];
  const sizes = [own, first, Buffer.concat([first, own])].map(compressor);
  const [alone, less, both] = sizes;
  if (alone === undefined || less === undefined || both === undefined) return undefined;
  const perByte = (size: number): number => (8 * size) / own.length;
  return { alone: perByte(alone), behind: perByte(both - less) };
}
