/** Kernels as a backend wants them: simplified, invariants outside of loops, nothing computed twice. */
import type { DimRange } from '../artifact/format.ts';
import type { Kernel } from './language.ts';
import { hoistInvariants } from './hoist.ts';
import { printKernel } from './print.ts';
import { shareValues } from './share.ts';
import { expand, simplifyKernel } from './simplify.ts';

/** Options of {@link optimize}. */
export interface OptimizeOptions {
  /** Repeats the bodies of `unroll` loops; otherwise they stay loops. */
  readonly unroll?: boolean;
  /** Ranges of run-time sizes; at least 1 where nothing is said. */
  readonly dims?: Readonly<Record<string, DimRange>>;
}

/**
 * Improves a kernel without changing what it computes, to the last bit: expressions are simplified with the ranges of counters
 * and sizes, invariants move out of loops (loads only where they are sure to run anyway), common values are named.
 * Names are unique in the result. Indices keep the form `base + counter part + constant`, and the counter of a `vector`
 * loop stays visible in them. Doing it again changes nothing.
 */
export function optimize(kernel: Kernel, options: OptimizeOptions = {}): Kernel {
  const dims = options.dims ?? {};
  let now = expand(kernel, options.unroll === true);
  let text = '';
  // Each pass makes work for the others; two or three rounds are enough.
  for (let round = 0; round < 6; round++) {
    now = shareValues(hoistInvariants(simplifyKernel(now, dims), dims));
    const next = printKernel(now);
    if (next === text) break;
    text = next;
  }
  return now;
}
