/**
 * Counter-based random numbers: Philox 2×32 with 10 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * 2011). An element depends on its position, the key and the stream only: the same on every backend, with any number
 * of threads, and after a resume.
 */
import { ShapeError } from '../errors.ts';
import type { Expr } from '../expr.ts';
import { constant, e } from '../expr.ts';
import type { RandomOp } from '../op.ts';
import type { Shape } from '../shape.ts';
import { sameShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';

const multiplier = 0xd256d193;
const weyl = 0x9e3779b9;
const rounds = 10;

/** One Philox 2×32-10 block as an expression: counter `(lo, hi)`, one key word; gives the first output word. */
export function philox(lo: Expr, hi: Expr, key: Expr): Expr {
  let [l, r, k] = [lo, hi, key];
  for (let i = 0; i < rounds; i++) {
    const m = constant(multiplier, 'u32');
    [l, r] = [e.xor(e.xor(e.mulhi(l, m), k), r), e.mul(l, m)];
    k = e.add(k, constant(weyl, 'u32'));
  }
  return l;
}

/** Uniform in [0, 1) with 24 bits; `key` is `u32[2]` (seed, step), `stream` tells the random tensors of one graph apart. */
export const uniformOp: RandomOp<{ readonly shape: Shape; readonly stream: number }> = {
  name: 'uniform',
  kind: 'random',
  infer([key], { shape }) {
    if (key!.dtype !== 'u32' || !sameShape(key!.shape, [2]))
      throw new ShapeError(`uniform: the key must be u32[2] (seed, step), got ${String(key)}`);
    return { shape, dtype: 'f32' };
  },
  vjp: () => [undefined],
  value(flat, [seed, step], { stream }) {
    const bits = philox(e.cast(flat, 'u32'), step, e.xor(seed, constant(Math.imul(stream + 1, 0x85ebca6b), 'u32')));
    return e.mul(e.cast(e.bitcast(e.shr(bits, constant(8, 'u32')), 'i32'), 'f32'), constant(2 ** -24, 'f32'));
  },
};

/** Uniform random numbers in [0, 1). */
export function uniform<const S extends Shape>(key: Tensor, shape: S, stream: number): Tensor<S, 'f32'> {
  return Tensor.make(uniformOp, [key], { shape, stream }) as Tensor<S, 'f32'>;
}
