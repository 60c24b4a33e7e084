/** One step of AdamW (Loshchilov and Hutter 2019) with PyTorch's defaults but the rate, in each language that trains. */
import type * as Jax from '@jax-js/jax';
import type * as Ir from '@sinter/ir';
import { floats, type Values } from '../harness/values.ts';
import type { Lookup } from '../harness/work.ts';

const [rate, decay, beta1, beta2, tiny] = [5e-5, 0.01, 0.9, 0.999, 1e-8];

const meanOf = (name: string) => `adamw.mean.${name}`;
const varianceOf = (name: string) => `adamw.variance.${name}`;

/** Whether a tensor of this name is one that the optimizer remembers. */
export const isOfAdamw = (name: string): boolean => name.startsWith('adamw.');

/** What the optimizer remembers of the params, all zero at the start. */
export function adamwSlots(params: Readonly<Record<string, Values>>): Record<string, Values> {
  const slots: Record<string, Values> = { 'adamw.count': floats([], 0) };
  for (const [name, { shape }] of Object.entries(params)) {
    slots[meanOf(name)] = floats(shape, 0);
    slots[varianceOf(name)] = floats(shape, 0);
  }
  return slots;
}

/** The states after a step on every param of `names`. */
export function adamw(ir: typeof Ir, t: Lookup<Ir.Tensor>, loss: Ir.Tensor, names: readonly string[]): Ir.Tensors {
  const { add, div, exp, mul, sqrt, square, sub } = ir;
  const gradients = ir.gradients(loss, names.map(t));

  const count: Ir.Tensor = add(t('adamw.count'), 1);
  const unbiased = (mean: Ir.Tensor, beta: number): Ir.Tensor => div(mean, sub(1, exp(mul(count, Math.log(beta)))));
  const updates: Record<string, Ir.Tensor> = { 'adamw.count': count };
  names.forEach((name, i) => {
    const gradient = gradients[i] as Ir.Tensor;
    const blend = (slot: string, value: Ir.Tensor, beta: number): Ir.Tensor =>
      (updates[slot] = add(mul(t(slot), beta), mul(value, 1 - beta)));
    const mean = unbiased(blend(meanOf(name), gradient, beta1), beta1);
    const variance = unbiased(blend(varianceOf(name), square(gradient), beta2), beta2);
    const step = mul(div(mean, add(sqrt(variance), tiny)), rate);
    updates[name] = sub(mul(t(name), 1 - rate * decay), step);
  });
  return updates;
}

/** The same for jax-js, whose arrays are consumed by their use. */
export function adamwJax(
  { numpy: np }: typeof Jax,
  t: Lookup<Jax.Array>,
  params: Readonly<Record<string, Jax.Array>>,
  gradients: Readonly<Record<string, Jax.Array>>,
): Record<string, Jax.Array> {
  const count = t('adamw.count').add(1);
  const unbiased = (mean: Jax.Array, beta: number) => {
    const share = np.exp(count.ref.mul(Math.log(beta))).mul(-1);
    return mean.div(share.add(1));
  };
  const updates: Record<string, Jax.Array> = {};
  for (const [name, param] of Object.entries(params)) {
    const gradient = gradients[name] as Jax.Array;
    const blend = (slot: string, value: Jax.Array, beta: number) =>
      (updates[slot] = t(slot)
        .mul(beta)
        .add(value.mul(1 - beta))).ref;
    const mean = unbiased(blend(meanOf(name), gradient.ref, beta1), beta1);
    const variance = unbiased(blend(varianceOf(name), np.square(gradient), beta2), beta2);
    const step = mean.div(np.sqrt(variance).add(tiny)).mul(rate);
    updates[name] = param.mul(1 - rate * decay).sub(step);
  }
  return { ...updates, 'adamw.count': count };
}
