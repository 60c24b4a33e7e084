/** `--dims batch=1..32,seq=128`: run-time sizes, each a number or a range. */
import type { DimOption } from '@sinter/compiler';
import { UsageError } from '../errors.ts';

/** Sizes by name: fixed, or a range whose ends may be open. */
export type Dims = Readonly<Record<string, DimOption>>;

/** Sizes by name. */
export type Sizes = Readonly<Record<string, number>>;

const dimPattern = /^([A-Za-z]\w*)=(?:(\d+)|(\d*)\.\.(\d*))$/;

/**
 * Reads `name=8`, `name=1..32`, `name=..32` and `name=4..`, separated by commas; a name that was said `before` is an error.
 * @throws UsageError that shows the part that cannot be read
 */
export function parseDims(text: string, before: Dims = {}): Dims {
  const dims: Record<string, DimOption> = { ...before };
  for (const part of text.split(',').map((p) => p.trim())) {
    const [, name, exact, min, max] =
      dimPattern.exec(part) ?? fail(part, 'write name=8, name=1..32, name=..32 or name=4..');
    if (Object.hasOwn(dims, name!)) fail(part, `'${name}' is given twice`);
    dims[name!] = exact === undefined ? range(part, min!, max!) : size(part, exact);
  }
  return dims;
}

/** Reads `name=8`, separated by commas. @throws UsageError */
export function parseSizes(text: string, before: Sizes = {}): Sizes {
  const sizes = parseDims(text, before);
  for (const [name, value] of Object.entries(sizes))
    if (typeof value !== 'number') fail(`${name}=${showDim(value)}`, `here a size is one number, ${name}=8`);
  return sizes as Sizes;
}

/** A size as it is written on the command line: `8`, `1..32`, `4..`. */
export function showDim(dim: DimOption): string {
  if (typeof dim === 'number') return String(dim);
  const { min = 1, max = Infinity } = dim;
  if (min === max) return String(min);
  return `${min}..${max >= 2147483647 ? '' : max}`;
}

function range(part: string, first: string, last: string): DimOption {
  const min = first === '' ? undefined : size(part, first);
  const max = last === '' ? undefined : size(part, last);
  if (min === undefined && max === undefined) fail(part, 'a range needs at least one end');
  if (min !== undefined && max !== undefined && min > max) fail(part, `the range ends before it begins`);
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function size(part: string, digits: string): number {
  const value = Number(digits);
  if (value < 1 || value > 2147483647) fail(part, 'a size is from 1 to 2147483647');
  return value;
}

function fail(part: string, why: string): never {
  throw new UsageError(`--dims: '${part}': ${why}`);
}
