/** Stochastic gradient descent, with momentum (Polyak 1964; Sutskever et al. 2013), in the form of `torch.optim.SGD`. */
import { add, mul, sub } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { Optimizer } from './optimizer.ts';

/** Options of {@link sgd}. */
export interface SgdOptions {
  /** How much of the last direction is kept. Default 0. */
  readonly momentum?: number;
  /** Look at the gradient where momentum will have led (Nesterov 1983). Default no. */
  readonly nesterov?: boolean;
  /** Share of the parameter that is added to its gradient. Default 0. */
  readonly weight_decay?: number;
}

/** SGD; with momentum it has the slot `momentum_buffer`. */
export function sgd({ momentum = 0, nesterov = false, weight_decay = 0 }: SgdOptions = {}): Optimizer {
  return {
    slots: ({ shape, dtype }) => (momentum === 0 ? {} : { momentum_buffer: { shape, dtype } }),
    update(gradient, p, slots, { lr }) {
      const g = weight_decay === 0 ? gradient : (add(gradient, mul(p, weight_decay)) as Tensor);
      if (momentum === 0) return { param: sub(p, mul(lr, g)), slots: {} };
      // Zeros at first, so the first direction is the gradient, as in torch.
      const buffer = add(mul(slots['momentum_buffer']!, momentum), g);
      const direction = nesterov ? add(g, mul(buffer, momentum)) : buffer;
      return { param: sub(p, mul(lr, direction)), slots: { momentum_buffer: buffer } };
    },
  };
}
