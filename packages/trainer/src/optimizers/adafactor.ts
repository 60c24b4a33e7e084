/**
 * Adafactor (Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018), in the form of
 * `transformers.optimization.Adafactor`: of a matrix it keeps one number for each row and each column.
 */
import { add, div, exp, expandDims, log, maximum, mean, mul, rsqrt, sqrt, square, sub } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { Optimizer } from './optimizer.ts';

/** Options of {@link adafactor}. */
export interface AdafactorOptions {
  /** Added to squared gradients. Default 1e-30. */
  readonly epsilon?: number;
  /** The least root mean square of a parameter that `scale_parameter` takes. Default 1e-3. */
  readonly least_scale?: number;
  /** Changes of a larger root mean square are scaled down. Default 1. */
  readonly clip_threshold?: number;
  /** The mean of squares forgets by `1 − step^decay_rate`. Default −0.8. */
  readonly decay_rate?: number;
  /** Decay of a mean of changes; without it there is none, and no slot for it. */
  readonly beta1?: number;
  /** Share of a parameter that is taken off per step, times the learning rate. Default 0. */
  readonly weight_decay?: number;
  /** Scale the learning rate by the root mean square of the parameter. Default no, as the Trainer has it. */
  readonly scale_parameter?: boolean;
}

const rms = (x: Tensor): Tensor => sqrt(mean(square(x)));

/** Adafactor: slots `row` and `column` of a matrix (or its stacks), `v` of a vector, and `m` with `beta1`. */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  const {
    epsilon = 1e-30,
    least_scale = 1e-3,
    clip_threshold = 1,
    decay_rate = -0.8,
    beta1,
    weight_decay = 0,
  } = options;
  return {
    slots({ shape, dtype }) {
      const squares = isMatrix(shape)
        ? {
            row: { shape: shape.slice(0, -1), dtype },
            column: { shape: [...shape.slice(0, -2), shape.at(-1)!], dtype },
          }
        : { v: { shape, dtype } };
      return beta1 === undefined ? squares : { ...squares, m: { shape, dtype } };
    },
    update(g, p, slots, { step, lr }) {
      const forgotten = exp(mul(log(step), decay_rate));
      const decayed = (old: Tensor, now: Tensor): Tensor => add(mul(old, sub(1, forgotten)), mul(now, forgotten));
      const squares = add(square(g), epsilon);
      const next = isMatrix(p.shape)
        ? {
            row: decayed(slots['row']!, mean(squares, { axes: -1 })),
            column: decayed(slots['column']!, mean(squares, { axes: -2 })),
          }
        : { v: decayed(slots['v']!, squares) };
      const scaled = mul(g, 'v' in next ? rsqrt(next.v) : outer(next.row, next.column));
      const clipped = div(scaled, maximum(div(rms(scaled), clip_threshold), 1));
      const rate = options.scale_parameter ? mul(lr, maximum(rms(p), least_scale)) : lr;
      const change = mul(clipped, rate);
      const m = beta1 === undefined ? undefined : add(mul(slots['m']!, beta1), mul(change, 1 - beta1));
      const kept = weight_decay === 0 ? p : mul(p, sub(1, mul(rate, weight_decay)));
      return { param: sub(kept, m ?? change), slots: m ? { ...next, m } : next };
    },
  };
}

function isMatrix(shape: Shape): boolean {
  return shape.length >= 2;
}

/** One over the root of the matrix that has these means of rows and columns and is their product. */
function outer(row: Tensor, column: Tensor): Tensor {
  const rows = rsqrt(div(row, mean(row, { axes: -1, keepdims: true })));
  return mul(expandDims(rows, -1), expandDims(rsqrt(column), -2)) as Tensor;
}
