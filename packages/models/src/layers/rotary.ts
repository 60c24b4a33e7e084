/**
 * Rotary positions (Su et al. 2021, "RoFormer"): queries and keys are turned by angles that grow with their place, so that their product depends on how far
 * apart they stand. The halves of a head make the pairs, as in Hugging Face's models.
 */
import { add, cast, concat, constant, cos, exp, expandDims, log, max, maximum, mul, sin, slice, sub } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import { lastSize } from './linear.ts';
import type { Rope } from './rope-scaling.ts';

/** Turns queries or keys `[batch, seq, heads, size]`. */
export type Turn = (x: Tensor) => Tensor;

/** How states at positions (`i32 [batch, seq]` or `[seq]`) are turned. */
export function rotary(rope: Rope, positions: Tensor<Shape, 'i32'>): Turn {
  const at = cast(expandDims(expandDims(positions, -1), -1), 'f32') as Tensor;
  const angles = mul(at, frequencies(rope, positions)) as Tensor;
  const [c, s] = [cos, sin].map((of) => mul(of(angles), rope.magnitude) as Tensor) as [Tensor, Tensor];
  return (x) => {
    const half = lastSize('rotary', x) / 2;
    const part = (from: number): Tensor =>
      slice(x, { starts: [0, 0, 0, from], ends: [undefined, undefined, undefined, from + half] });
    const [a, b] = [part(0), part(half)];
    return concat([sub(mul(a, c), mul(b, s)) as Tensor, add(mul(b, c), mul(a, s)) as Tensor], 3);
  };
}

/** `[size / 2]`. */
function frequencies({ frequencies: given, grow }: Rope, positions: Tensor<Shape, 'i32'>): Tensor {
  const pairs = given.length;
  const usual: Tensor = constant(Float32Array.from(given), [pairs]);
  if (!grow) return usual;
  // theta · stretch ^ (size / (size − 2)) takes the place of theta.
  const { factor, from } = grow;
  const length = add(cast(max(positions) as Tensor, 'f32'), 1) as Tensor;
  const stretch = maximum(sub(mul(length, factor / from), factor - 1) as Tensor, 1);
  const exponents = constant(
    Float32Array.from(given, (_, i) => -i / (pairs - 1)),
    [pairs],
  ) as Tensor;
  return mul(usual, exp(mul(log(stretch), exponents) as Tensor)) as Tensor;
}
