/** Lion (Chen et al., "Symbolic discovery of optimization algorithms", 2023): one slot, and steps of one size. */
import { add, mul, sign, sub } from '@sinter/ir';
import type { Optimizer } from './optimizer.ts';

/** Options of {@link lion}. */
export interface LionOptions {
  /** Weight of the slot in the direction of a step. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the slot. Default 0.99. */
  readonly beta2?: number;
  /** Share of a parameter that is taken off per step, times the learning rate. Default 0. */
  readonly weight_decay?: number;
}

/** Lion, with slot `m`. */
export function lion({ beta1 = 0.9, beta2 = 0.99, weight_decay = 0 }: LionOptions = {}): Optimizer {
  return {
    slots: ({ shape, dtype }) => ({ m: { shape, dtype } }),
    update(g, p, slots, { lr }) {
      const m = slots['m']!;
      const direction = sign(add(mul(m, beta1), mul(g, 1 - beta1)));
      const decayed = weight_decay === 0 ? p : mul(p, sub(1, mul(lr, weight_decay)));
      return { param: sub(decayed, mul(lr, direction)), slots: { m: add(mul(m, beta2), mul(g, 1 - beta2)) } };
    },
  };
}
