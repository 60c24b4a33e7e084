/** Tile sizes of contractions: a value that can be printed and overridden. */
import type { Target } from '../target.ts';

/** How a contraction is cut. */
export interface Tile {
  /** Rows and columns of the register tile. */ readonly mr: number;
  readonly nr: number;
  /** How often the innermost loop is unrolled. */ readonly unroll: number;
  /** Rows and columns of the block that one thread takes, multiples of the register tile. */ readonly mb: number;
  readonly nb: number;
}

/**
 * The tile for a target. With fused multiply-add a 6 × 8 tile keeps 12 accumulators, two columns and one row value in 15 of
 * 16 vector registers; without it the product needs a register of its own, and V8 spills beyond 4 × 8 or when unrolled.
 */
export function chooseTile(target: Target): Tile {
  return target.features.has('fma')
    ? { mr: 3, nr: 12, unroll: 1, mb: 96, nb: 192 }
    : { mr: 2, nr: 16, unroll: 1, mb: 96, nb: 192 };
}
