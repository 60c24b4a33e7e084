/** The activation functions that configurations name (`hidden_act`). Source: `ACT2FN` of Hugging Face's transformers. */
import { gelu, minimum, mul, relu, sigmoid, silu, tanh } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { ConfigError } from '../errors.ts';

/** A function of each element. */
export type Activation = (x: Tensor) => Tensor;

const tanhGelu: Activation = (x) => gelu(x, { approximate: 'tanh' });

/** Every activation by the name that `config.json` gives it. */
export const activations: Readonly<Record<string, Activation>> = {
  gelu: (x) => gelu(x),
  gelu_python: (x) => gelu(x),
  gelu_new: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))) as Tensor,
  relu,
  relu6: (x) => minimum(relu(x), 6),
  silu,
  swish: silu,
  sigmoid,
  tanh,
  linear: (x) => x,
};

/** The activation of that name. @throws ConfigError if there is none */
export function activation(name: string): Activation {
  const found = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (found) return found;
  throw new ConfigError(`the activation "${name}" is not known; known: ${Object.keys(activations).join(', ')}`);
}
