/** AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019), in the form of `torch.optim.AdamW`. */
import { add, div, exp, less, mul, neg, sqrt, square, sub, where } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { Optimizer } from './optimizer.ts';

/** Options of {@link adamw}. */
export interface AdamWOptions {
  /** Decay of the mean of gradients. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the mean of squared gradients. Default 0.999. */
  readonly beta2?: number;
  /** Added to the denominator, outside of the root. Default 1e-8. */
  readonly epsilon?: number;
  /** Share of a parameter that is taken off per step, times the learning rate. Default 0. */
  readonly weight_decay?: number;
}

/** AdamW, with slots `m` and `v`. */
export function adamw(options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0 } = options;
  return {
    slots: ({ shape, dtype }) => ({ m: { shape, dtype }, v: { shape, dtype } }),
    update(g, p, slots, { step, lr }) {
      const m = add(mul(slots['m']!, beta1), mul(g, 1 - beta1));
      const v = add(mul(slots['v']!, beta2), mul(square(g), 1 - beta2));
      const stepSize = div(lr, oneMinusPower(beta1, step));
      const denominator = add(div(sqrt(v), sqrt(oneMinusPower(beta2, step))), epsilon);
      const decayed = weight_decay === 0 ? p : mul(p, sub(1, mul(lr, weight_decay)));
      return { param: sub(decayed, mul(stepSize, div(m, denominator))), slots: { m, v } };
    },
  };
}

/**
 * `1 − beta^step`. In single precision 1 − 0.999 loses half of its digits, so for small exponents it is a Taylor series
 * of `1 − e^x`.
 */
function oneMinusPower(beta: number, step: Tensor): Tensor {
  if (beta === 0) return add(mul(step, 0), 1);
  const x = mul(step, Math.log(beta));
  const series = [5, 4, 3, 2].reduce<Tensor>((tail, n) => add(mul(mul(x, 1 / n), tail), 1), add(mul(x, 1 / 6), 1));
  return where(less(neg(x), 0.25), neg(mul(x, series)), sub(1, exp(x)));
}
