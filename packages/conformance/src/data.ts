/** Test data: the same numbers on every machine, irregular, and of a size that keeps sums tame. */
import type { DType, TensorData } from '@sinter/ir';
import { dataFrom } from '@sinter/ir';

/** Which numbers {@link noise} gives. */
export interface NoiseOptions {
  /** Different seeds give different numbers. Default 0. */
  readonly seed?: number;
  /** The smallest and the largest (not reached). Default −1 and 1. */
  readonly low?: number;
  readonly high?: number;
  /** Default `'f32'`; integers are rounded down. */
  readonly dtype?: DType;
}

/** A source of numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let s = Math.imul(seed + 1, 0x9e3779b9) | 0;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Numbers that look random. */
export function noise(
  shape: readonly number[],
  { seed = 0, low = -1, high = 1, dtype = 'f32' }: NoiseOptions = {},
): TensorData {
  const next = random(seed);
  const whole = dtype !== 'f32' && dtype !== 'f16' && dtype !== 'bf16';
  const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    const x = low + next() * (high - low);
    return whole ? Math.floor(x) : x;
  });
  return { shape, data: dataFrom(dtype, values) };
}

/** Given numbers as a tensor. */
export function tensorOf(shape: readonly number[], values: ArrayLike<number>, dtype: DType = 'f32'): TensorData {
  return { shape, data: dataFrom(dtype, values) };
}
