/**
 * Places buffers in one arena: two buffers may overlap only when no step needs both. Largest first, each at the lowest
 * free offset ("greedy by size", Pisarchyk and Lee 2020). Cheap enough to be done whenever run-time sizes change.
 */
import type { Expr, Sizes } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import type { Artifact, PlanBuffer } from './format.ts';

const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => Math.trunc(a / b),
  mod: (a, b) => a % b,
  min: Math.min,
  max: Math.max,
};

/** The value of an integer expression over run-time sizes. @throws RangeError for a size without a value, and for an op that cannot stand in a size */
export function evaluateSize(x: Expr, sizes: Sizes): number {
  if (x.k === 'const') return x.value;
  if (x.k === 'var') {
    const value = sizes[x.name];
    if (value === undefined) throw new RangeError(`the size '${x.name}' has no value`);
    return value;
  }
  const operation = operations[x.op];
  if (!operation) throw new RangeError(`the op '${x.op}' cannot stand in a size`);
  return operation(evaluateSize(x.args[0]!, sizes), evaluateSize(x.args[1]!, sizes));
}

/** Where each buffer lies, in bytes from the start of the arena, and the arena's size. */
export interface Layout {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/**
 * Assigns offsets to the buffers for which `placed` holds; the others get −1. All offsets are multiples of `align` bytes.
 * No buffer crosses a multiple of `page` bytes, unless it is larger than a page itself: then it begins at one.
 */
export function assignOffsets(
  buffers: readonly PlanBuffer[],
  sizes: Sizes,
  placed: (b: PlanBuffer) => boolean,
  align = 64,
  page = Infinity,
): Layout {
  const offsets = buffers.map(() => -1);
  const items = buffers.flatMap((b, index) => {
    if (!placed(b)) return [];
    const bytes = Math.ceil((evaluateSize(b.length, sizes) * dtypeBytes[b.dtype]) / align) * align;
    return [{ index, bytes, first: b.live[0], last: b.live[1] }];
  });
  items.sort((a, b) => b.bytes - a.bytes || a.index - b.index);
  /** The first start from `at` on where so many bytes stay within a page. */
  const inPage = (at: number, bytes: number): number =>
    bytes === 0 || (at % page) + bytes <= page || at % page === 0 ? at : Math.ceil(at / page) * page;
  const set: { start: number; end: number; first: number; last: number }[] = [];
  let total = 0;
  for (const item of items) {
    let start = 0;
    // `set` is kept sorted by start: the first gap between overlapping lifetimes that is large enough is taken.
    for (const other of set) {
      if (other.last < item.first || item.last < other.first) continue;
      if (other.start >= start + item.bytes) break;
      start = inPage(Math.max(start, other.end), item.bytes);
    }
    const at = set.findIndex((o) => o.start > start);
    set.splice(at < 0 ? set.length : at, 0, { start, end: start + item.bytes, first: item.first, last: item.last });
    offsets[item.index] = start;
    total = Math.max(total, start + item.bytes);
  }
  return { offsets, bytes: total };
}

/** Whether a buffer lies in the arena, which is laid out anew when sizes change: state, constants and what is prepared do not. */
export function inArena({ role }: PlanBuffer): boolean {
  return role === 'input' || role === 'output' || role === 'scratch';
}

/** The arena of a run: inputs are there before the first step and outputs after the last, whatever steps touch them. */
export function arenaLayout(
  artifact: Pick<Artifact, 'buffers' | 'outputs' | 'steps'>,
  sizes: Sizes,
  align?: number,
  page?: number,
): Layout {
  const { buffers, outputs, steps } = artifact;
  const kept = new Set(Object.values(outputs).map(({ buffer }) => buffer));
  const alive = buffers.map((b, i) => {
    const first = b.role === 'input' ? -1 : b.live[0];
    return { ...b, live: [first, kept.has(i) ? steps.length : Math.max(first, b.live[1])] as const };
  });
  return assignOffsets(alive, sizes, inArena, align, page);
}
