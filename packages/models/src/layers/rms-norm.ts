/** Root-mean-square normalisation (Zhang and Sennrich 2019): parameter `weight`, of the size of the last axis. */
import { rmsNorm as apply } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { ones } from '../init.ts';
import { layer } from '../scope.ts';
import { lastSize } from './linear.ts';

/** `x` with a mean square of 1 along the last axis, scaled. */
export const rmsNorm = layer((scope, x: Tensor, eps: number): Tensor => {
  return apply(x, scope.param('weight', [lastSize('rmsNorm', x)], ones), eps);
});
