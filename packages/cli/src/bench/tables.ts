/** What `sinter bench` prints. */
import type { TunedShape } from '@sinter/compiler';
import { showCount, showSchedule, table } from '../output/text.ts';
import type { KernelTime, Timed } from './time.ts';

/** Kernels that are listed; the others are one row. */
const listed = 20;

/** A row for each entry point. */
export function showEntries(entries: Readonly<Record<string, Timed>>): string {
  const rows = Object.entries(entries).map(([entry, { sizes, ms, best, tokensPerSecond }]) => [
    entry,
    showSchedule(sizes),
    ms.toFixed(2),
    best.toFixed(2),
    tokensPerSecond === undefined ? '' : showCount(Math.round(tokensPerSecond)),
  ]);
  return table(['entry', 'sizes', 'ms', 'best', 'tokens/s'], rows, ['ms', 'best', 'tokens/s']);
}

/** A row for each kernel, the dearest first. */
export function showKernels(kernels: readonly KernelTime[]): string {
  const total = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const rest = kernels.slice(listed);
  const row = (name: string, calls: number, ms: number): string[] => [
    name,
    String(calls),
    ms.toFixed(3),
    `${((100 * ms) / Math.max(total, 1e-9)).toFixed(1)} %`,
  ];
  const sum = (of: (k: KernelTime) => number): number => rest.reduce((all, k) => all + of(k), 0);
  return table(
    ['kernel', 'calls', 'ms', 'share'],
    [
      ...kernels.slice(0, listed).map(({ kernel, calls, ms }) => row(kernel, calls, ms)),
      ...(rest.length > 0
        ? [
            row(
              `${rest.length} more`,
              sum((k) => k.calls),
              sum((k) => k.ms),
            ),
          ]
        : []),
    ],
    ['calls', 'ms', 'share'],
  );
}

/** A row for each kernel shape: what the target suggests, the winner, and how they compare. */
export function showShapes(shapes: readonly TunedShape[]): string {
  const rows = shapes.map(({ shape, count, schedule, before, after, from }) => [
    shape,
    String(count),
    before?.toFixed(3) ?? '',
    showSchedule(schedule) || 'default',
    after?.toFixed(3) ?? '',
    before !== undefined && after !== undefined ? (before / after).toFixed(2) : '',
    from,
  ]);
  const head = ['kernel shape', 'groups', 'default ms', 'winner', 'ms', 'ratio', 'from'];
  return table(head, rows, ['groups', 'default ms', 'ms', 'ratio']);
}
