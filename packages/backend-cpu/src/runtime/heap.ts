/** Hands out blocks of linear memory: first fit over the gaps, else from the top. */

/** All blocks start at multiples of this: a cache line. */
export const alignment = 64;

/** `bytes` rounded up to the next multiple of {@link alignment}. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Which bytes are taken. `top` is the end of the last block: all above is free. */
export class Heap {
  #top: number;
  /** Free ranges below the top, in order; no two touch, and none touches the top. Some may be empty. */
  #gaps: { start: number; end: number }[] = [];

  constructor(start: number) {
    this.#top = aligned(start);
  }

  get top(): number {
    return this.#top;
  }

  /** The address of a new block. */
  allocate(bytes: number): number {
    const size = aligned(bytes);
    const gap = this.#gaps.find((g) => g.end - g.start >= size);
    if (!gap) {
      this.#top += size;
      return this.#top - size;
    }
    gap.start += size;
    return gap.start - size;
  }

  /** Takes a block back; `bytes` as it was asked for. */
  free(address: number, bytes: number): void {
    const ranges = [...this.#gaps, { start: address, end: address + aligned(bytes) }]
      .filter(({ start, end }) => start < end)
      .sort((a, b) => a.start - b.start);
    this.#gaps = [];
    for (const range of ranges) {
      const before = this.#gaps.at(-1);
      if (before?.end === range.start) before.end = range.end;
      else this.#gaps.push(range);
    }
    if (this.#gaps.at(-1)?.end === this.#top) this.#top = this.#gaps.pop()!.start;
  }
}
