/** Clipping by the global norm (Pascanu et al., "On the difficulty of training recurrent neural networks", 2013), as torch does it. */
import { add, div, minimum, mul, sqrt, square, sum } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';

/** The Euclidean norm of all gradients together (`f32 []`). */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  return sqrt(gradients.map((g): Tensor => sum(square(g))).reduce((a, b) => add(a, b)));
}

/** Scales all gradients by one factor so that their norm is at most `max`. */
export function clip(gradients: readonly Tensor[], norm: Tensor, max: number): Tensor[] {
  const factor = minimum(div(max, add(norm, 1e-6)), 1);
  return gradients.map((g) => mul(g, factor));
}
