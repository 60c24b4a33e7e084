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
  /** Free ranges below the top, in order; no two touch, and none touches the top. */
  readonly #gaps: { start: number; end: number }[] = [];

  constructor(start: number) {
    this.#top = aligned(start);
  }

  get top(): number {
    return this.#top;
  }

  /** The address of a new block. */
  allocate(bytes: number): number {
    const size = aligned(bytes);
    const at = this.#gaps.findIndex((g) => g.end - g.start >= size);
    const gap = this.#gaps[at];
    if (!gap) {
      this.#top += size;
      return this.#top - size;
    }
    gap.start += size;
    if (gap.start === gap.end) this.#gaps.splice(at, 1);
    return gap.start - size;
  }

  /** Takes a block back; `bytes` as it was asked for. */
  free(address: number, bytes: number): void {
    if (aligned(bytes) === 0) return;
    const freed = { start: address, end: address + aligned(bytes) };
    const next = this.#gaps.findIndex((g) => g.start > address);
    const at = next < 0 ? this.#gaps.length : next;
    const after = this.#gaps[at];
    const before = this.#gaps[at - 1];
    const joinsAfter = after?.start === freed.end;
    const joinsBefore = before?.end === freed.start;
    const joined = { start: joinsBefore ? before.start : freed.start, end: joinsAfter ? after.end : freed.end };
    this.#gaps.splice(at - Number(joinsBefore), Number(joinsBefore) + Number(joinsAfter), joined);
    if (joined.end === this.#top) {
      this.#top = joined.start;
      this.#gaps.pop();
    }
  }
}
