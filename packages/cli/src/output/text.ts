/** How amounts and tables are written for people. */
import type { DimRange } from '@sinter/compiler/artifact';
import type { Sizes } from '../arguments/dims.ts';

/** `1.5 MiB`. */
export function showBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

/** `1,234,567`. */
export function showCount(n: number): string {
  return n.toLocaleString('en');
}

/** `0.83 s`, or `12 ms`. */
export function showTime(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Rows in columns that are as wide as they must be; numbers (columns named in `right`) stand on the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right.includes(head[i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((w) => '─'.repeat(w))), ...rows.map(line)].map((l) => `  ${l}`).join('\n');
}

/** A heading and what stands under it; nothing where there is nothing to tell. */
export function section(title: string, body: string): string {
  return body === '' ? '' : `\n${title}\n${body}\n`;
}

/** The largest sizes that a program takes, if all of them have a limit. */
export function largestSizes({ dims }: { readonly dims: Readonly<Record<string, DimRange>> }): Sizes | undefined {
  const sizes = Object.entries(dims).map(([name, { max }]) => [name, max] as const);
  return sizes.some(([, max]) => max >= 2147483647) ? undefined : Object.fromEntries(sizes);
}

/** `mr=6 nr=8`: how kernels are cut. */
export function showSchedule(schedule: Readonly<Record<string, unknown>>): string {
  return Object.entries(schedule)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}
