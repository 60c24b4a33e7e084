/** A linear layer: parameters `weight` `[out, in]` and `bias` `[out]`, as in every checkpoint of PyTorch. */
import { linear as apply, ShapeError } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { normal, zeros } from '../init.ts';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';

/** The options of {@link linear}. */
export interface LinearOptions {
  /** Whether there is a bias. Default: yes. */
  readonly bias?: boolean;
  /** How the weight begins. Default: normal numbers of deviation 0.02. A bias begins as 0. */
  readonly init?: Init;
}

/** `x · weightᵀ + bias` along the last axis, which becomes `size`. */
export const linear = layer((scope, x: Tensor, size: number, options: LinearOptions = {}): Tensor => {
  const { bias = true, init = normal(0.02) } = options;
  const weight = scope.param('weight', [size, lastSize('linear', x)], init);
  return apply(x, weight, bias ? scope.param('bias', [size], zeros) : undefined);
});

/** The size of the last axis, which parameters take their shape from. */
export function lastSize(what: string, x: Tensor): number {
  const size = x.shape.at(-1);
  if (typeof size === 'number') return size;
  throw new ShapeError(`${what}: the last axis of ${String(x)} must have a fixed size`);
}
