/**
 * When two results are the same: NaN where NaN is, infinities equal, integers exact, reals within a relative part and an
 * absolute part that is scaled to the largest operand, because a sum of large numbers may cancel.
 */
import type { DType, TensorData } from '@sinter/ir';
import { decoder } from '@sinter/ir';

/** How far a real may be from the truth. Integers and booleans are always exact. */
export interface Tolerance {
  /** Of the true value itself. Default 1e-5. */
  readonly relative?: number;
  /** Of the largest number that the result was computed from, or of the largest result where that is more. Default 1e-6. */
  readonly absolute?: number;
}

/** Numbers smaller than any normal `f32` may be taken for zero: GPUs do, and fast exponentials. */
const subnormal = 2 ** -126;

/** No difference at all, except that zeros may differ in sign. */
export const exact: Tolerance = { relative: 0, absolute: 0 };

/** So many units in the last place of an `f32`. */
export function ulps(count: number): Tolerance {
  return { relative: count * 2 ** -23, absolute: 0 };
}

/** A result and what it should be. */
export interface Compared {
  readonly found: TensorData | undefined;
  readonly wanted: TensorData;
  readonly dtype: DType;
  /** The largest number among the operands (0): see {@link Tolerance} `absolute`. */
  readonly scale?: number;
}

/** What differs between a result and what it should be, as text that says where; `undefined` where nothing does. */
export function difference(
  { found, wanted, dtype, scale = 0 }: Compared,
  tolerance: Tolerance = {},
): string | undefined {
  if (!found) return 'is missing';
  if (found.shape.join() !== wanted.shape.join())
    return `has the shape [${found.shape.join(', ')}], wanted [${wanted.shape.join(', ')}]`;
  if (found.data.length !== wanted.data.length)
    return `has ${found.data.length} elements, wanted ${wanted.data.length}`;
  if (found.data.constructor !== wanted.data.constructor)
    return `is in a ${found.data.constructor.name}, wanted a ${wanted.data.constructor.name}`;
  const real = dtype === 'f32' || dtype === 'f16' || dtype === 'bf16';
  const { relative = 1e-5, absolute = 1e-6 } = real ? tolerance : exact;
  const get = decoder(dtype);
  const limit = (real ? subnormal : 0) + (absolute === 0 ? 0 : absolute * Math.max(scale, largest(wanted, dtype)));
  let [worst, at, wrong] = [0, -1, 0];
  for (let i = 0; i < wanted.data.length; i++) {
    const [f, w] = [get(found.data[i]!), get(wanted.data[i]!)];
    if (f === w || (Number.isNaN(f) && Number.isNaN(w))) continue;
    const error = Math.abs(f - w);
    // NaN and infinite errors compare as too large.
    if (Number.isFinite(error) && error <= limit + relative * Math.abs(w)) continue;
    wrong++;
    const weight = Number.isFinite(error) ? error : Infinity;
    if (at < 0 || weight > worst) [worst, at] = [weight, i];
  }
  if (wrong === 0) return undefined;
  const index = positionOf(at, wanted.shape).join(', ');
  return (
    `${dtype}[${wanted.shape.join(', ')}] differs in ${wrong} of ${wanted.data.length} elements, most at [${index}]: ` +
    `${get(found.data[at]!)}, wanted ${get(wanted.data[at]!)} ± ${limit + relative * Math.abs(get(wanted.data[at]!))}`
  );
}

/** The largest finite absolute value of a tensor. */
export function largest({ data }: TensorData, dtype: DType): number {
  const get = decoder(dtype);
  let out = 0;
  for (const stored of data) {
    const value = Math.abs(get(stored));
    if (value > out && Number.isFinite(value)) out = value;
  }
  return out;
}

function positionOf(flat: number, shape: readonly number[]): number[] {
  const out: number[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    out.unshift(flat % shape[d]!);
    flat = Math.floor(flat / shape[d]!);
  }
  return out;
}
