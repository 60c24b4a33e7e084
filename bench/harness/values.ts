/**
 * Seeded numbers that every engine, in any language, makes for itself: element `i` depends only on `i` and the seed.
 * Source of the hash: "lowbias32", Chris Wellons' hash-prospector (nullprogram.com/blog/2018/07/31).
 */

/** A tensor of uniform numbers in [low, high); `i32` rounds down. */
export interface Values {
  readonly shape: readonly number[];
  readonly dtype: 'f32' | 'i32';
  readonly low: number;
  readonly high: number;
  /** Engines that can keep it in fewer bytes do: rounded to the nearest. Default: as it is made. */
  readonly stored?: 'f16' | 'i8';
}

/** What `fill` returns. */
export type Data = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** `f32` numbers in [center - spread, center + spread). */
export function floats(shape: readonly number[], spread = 1, center = 0): Values {
  return { shape, dtype: 'f32', low: center - spread, high: center + spread };
}

/** `i32` numbers in [0, below). */
export function integers(shape: readonly number[], below: number): Values {
  return { shape, dtype: 'i32', low: 0, high: below };
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Makes the numbers. `engines/torch_engine.py` has the same rule. */
export function fill({ shape, dtype, low, high }: Values, seed: number): Data {
  const out = dtype === 'f32' ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
  if (low === high) return out.fill(low);
  const offset = Math.imul(seed + 1, 0x9e3779b9);
  for (let i = 0; i < out.length; i++) out[i] = low + ((high - low) * hash((i + offset) | 0)) / 2 ** 32;
  return out;
}

function hash(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}
