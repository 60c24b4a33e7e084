/** Elements that begin or end within a word of four bytes: devices write whole words, so what else is in them is read first. */
import type { Transfer } from './store.ts';

/** Bytes for whole words, and where they belong. */
export interface WholeWords {
  readonly start: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** `bytes` from `start` on, widened to whole words; `read` gives the bytes that ranges of `buffer` hold now. */
export async function wholeWords(
  bytes: Uint8Array<ArrayBuffer>,
  start: number,
  buffer: GPUBuffer,
  read: (ranges: Transfer[]) => Promise<ArrayBuffer[]>,
): Promise<WholeWords> {
  const first = Math.floor(start / 4) * 4;
  const after = Math.ceil((start + bytes.length) / 4) * 4;
  const [head, tail] = await read([first, after - 4].map((offset) => ({ buffer, offset, size: 4 })));
  const whole = new Uint8Array(after - first);
  whole.set(new Uint8Array(head!));
  whole.set(new Uint8Array(tail!), whole.length - 4);
  whole.set(bytes, start - first);
  return { start: first, bytes: whole };
}
