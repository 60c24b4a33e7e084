/** A linear layer as GPT-2 stores it: parameters `weight` `[in, out]` and `bias` `[out]`. Hugging Face's `Conv1D`. */
import { add, matmul } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { normal, zeros } from '../init.ts';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';
import { lastSize } from './linear.ts';

/** `x · weight + bias` along the last axis, which becomes `size`. The weight begins as `init`, by default normal of deviation 0.02. */
export const conv1d = layer((scope, x: Tensor, size: number, init: Init = normal(0.02)): Tensor => {
  const weight: Tensor = scope.param('weight', [lastSize('conv1d', x), size], init);
  return add(matmul(x, weight) as Tensor, scope.param('bias', [size], zeros)) as Tensor;
});
