/** The arena's memory over the steps of a plan: how much lives when, where the peak is, and what lies there. */
import type { Sizes } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import { evaluateSize, inArena } from './artifact/offsets.ts';
import { keepPrepared } from './artifact/prepare.ts';
import type { Plan } from './plan.ts';

/** A buffer that lives at the peak. */
export interface LiveBuffer {
  readonly name: string;
  readonly bytes: number;
  /** The first and last step that touch it. */
  readonly live: readonly [first: number, last: number];
  /** The kernel that writes it first; an input has none. */
  readonly writer: string | undefined;
  /** The kernel that reads it last, until which it is kept; an output has none. */
  readonly reader: string | undefined;
}

/** The memory of a plan over its steps, as `explain` tells it. */
export interface MemoryTimeline {
  /** Per step, the bytes of all buffers of the arena that live then. */
  readonly bytes: readonly number[];
  /** The step at which they are most, and how many: no arena can be smaller. */
  readonly peak: { readonly step: number; readonly kernel: string; readonly bytes: number };
  /** What lives at the peak, the largest first. */
  readonly alive: readonly LiveBuffer[];
}

/** What the arena holds at each step of a plan, for given run-time sizes. @throws RangeError for a size without a value */
export function memoryTimeline(plan: Plan, sizes: Sizes): MemoryTimeline {
  const buffers = keepPrepared(plan)
    .buffers.filter(inArena)
    .map((b) => ({ ...b, bytes: evaluateSize(b.length, sizes) * dtypeBytes[b.dtype] }));
  const bytes = plan.steps.map(() => 0);
  for (const b of buffers)
    for (let step = b.live[0]; step <= b.live[1]; step++) if (step in bytes) bytes[step]! += b.bytes;
  const most = Math.max(0, ...bytes);
  const step = Math.max(0, bytes.indexOf(most));
  const kernel = (at: number): string | undefined => {
    const found = plan.steps[at];
    return found && plan.kernels[found.kernel]!.name;
  };
  const alive = buffers
    .filter(({ live }) => live[0] <= step && step <= live[1])
    .sort((a, b) => b.bytes - a.bytes || a.live[0] - b.live[0])
    .map(({ name, bytes, live, role }): LiveBuffer => ({
      name,
      bytes,
      live,
      writer: role === 'input' ? undefined : kernel(live[0]),
      reader: role === 'output' ? undefined : kernel(live[1]),
    }));
  return { bytes, peak: { step, kernel: kernel(step) ?? '', bytes: most }, alive };
}

const bars = '▁▂▃▄▅▆▇█';
/** Columns of the drawing. */
const width = 64;
/** Rows of what lives at the peak. */
const rows = 12;

/** The timeline as lines of text: a drawing, and what lies at the peak, where buffers of one size and origin are one row. */
export function showTimeline({ bytes, peak, alive }: MemoryTimeline): string[] {
  if (peak.bytes === 0) return [];
  const columns = Math.min(width, bytes.length);
  const drawn = Array.from({ length: columns }, (_, i) => {
    const some = bytes.slice(Math.floor((i * bytes.length) / columns), Math.ceil(((i + 1) * bytes.length) / columns));
    return bars[Math.min(bars.length - 1, Math.floor((Math.max(...some) / peak.bytes) * bars.length))]!;
  });
  const kinds = new Map<string, LiveBuffer[]>();
  for (const b of alive) {
    const key = [b.bytes, b.writer ?? b.name, b.reader].join();
    kinds.set(key, [...(kinds.get(key) ?? []), b]);
  }
  const total = (some: readonly LiveBuffer[]): number => some.reduce((sum, b) => sum + b.bytes, 0);
  const sorted = [...kinds.values()].sort((a, b) => total(b) - total(a));
  const rest = total(sorted.slice(rows).flat());
  const unit = peak.bytes < 2 ** 20 ? 'KiB' : 'MiB';
  const size = (n: number): string => `${(n / 2 ** (unit === 'KiB' ? 10 : 20)).toFixed(2).padStart(10)} ${unit}`;
  const line = (some: readonly LiveBuffer[]): string => {
    const { name, writer, reader } = some[0]!;
    const what = some.length > 1 ? `in ${some.length} of ${writer}` : (writer ?? `the input '${name}'`);
    return `${size(total(some))} ${what}, kept for ${reader ?? 'the caller'}`;
  };
  return [
    `  over the steps ${drawn.join('')}`,
    `  where it is most, in step ${peak.step} (${peak.kernel}), lie`,
    ...sorted.slice(0, rows).map(line),
    ...(rest > 0 ? [`${size(rest)} in all that is smaller`] : []),
  ];
}
