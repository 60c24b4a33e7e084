/** Layer normalisation (Ba et al. 2016): parameters `weight` and `bias`, of the size of the last axis. */
import { layerNorm as apply } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { ones, zeros } from '../init.ts';
import { layer } from '../scope.ts';
import { lastSize } from './linear.ts';

/** `x` with mean 0 and variance 1 along the last axis, scaled and moved. */
export const layerNorm = layer((scope, x: Tensor, eps: number): Tensor => {
  const size = lastSize('layerNorm', x);
  return apply(x, scope.param('weight', [size], ones), scope.param('bias', [size], zeros), eps);
});
