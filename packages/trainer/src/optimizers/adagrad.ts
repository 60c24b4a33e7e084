/** Adagrad (Duchi et al. 2011) and RMSprop (Hinton 2012): steps by the root of all squared gradients so far, or of their mean. As in torch. */
import { add, div, mul, sqrt, square, sub } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { Optimizer } from './optimizer.ts';

/** Options of {@link adagrad} and {@link rmsprop}. */
export interface RootOptions {
  /** Added to the denominator, outside of the root. Default: torch's, 1e-10 for Adagrad and 1e-8 for RMSprop. */
  readonly epsilon?: number;
  /** Share of the parameter that is added to its gradient. Default 0. */
  readonly weight_decay?: number;
}

/** Adagrad, with slot `sum`. */
export function adagrad({ epsilon = 1e-10, weight_decay = 0 }: RootOptions = {}): Optimizer {
  return byRoot('sum', (old, squares) => add(old, squares), epsilon, weight_decay);
}

/** RMSprop, with slot `square_avg`; `alpha` is its decay, by default 0.99. */
export function rmsprop({
  epsilon = 1e-8,
  weight_decay = 0,
  alpha = 0.99,
}: RootOptions & { readonly alpha?: number } = {}): Optimizer {
  const decayed = (old: Tensor, squares: Tensor): Tensor => add(mul(old, alpha), mul(squares, 1 - alpha));
  return byRoot('square_avg', decayed, epsilon, weight_decay);
}

function byRoot(
  slot: string,
  gather: (old: Tensor, squares: Tensor) => Tensor,
  epsilon: number,
  weight_decay: number,
): Optimizer {
  return {
    slots: ({ shape, dtype }) => ({ [slot]: { shape, dtype } }),
    update(gradient, p, slots, { lr }) {
      const g = weight_decay === 0 ? gradient : (add(gradient, mul(p, weight_decay)) as Tensor);
      const squares = gather(slots[slot]!, square(g));
      return { param: sub(p, mul(lr, div(g, add(sqrt(squares), epsilon)))), slots: { [slot]: squares } };
    },
  };
}
