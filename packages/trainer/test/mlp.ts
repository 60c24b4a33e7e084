/** A small model of its own (four numbers in, three classes out) and Fisher's iris data (1936), for tests that need no other package. */
import { add, checkpoint, crossEntropy, dropout, linear, state, tanh } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { ParameterData, TrainableModel } from '../src/index.ts';
import iris from './iris.json' with { type: 'json' };

export { iris };

/** Numbers that a seed decides, between −0.5 and 0.5. */
function numbers(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => ((Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453) % 1) / 2);
}

/** Two layers with `hidden` units between them, with dropout; `linear` leaves the tanh out. Can be checkpointed. */
export function mlp(
  options: { readonly hidden?: number; readonly p?: number; readonly linear?: boolean } = {},
): TrainableModel {
  const { hidden = 8, p = 0.1, linear: straight = false } = options;
  const weight = (seed: number, ...shape: number[]): ParameterData => ({
    data: numbers(
      shape.reduce((a, b) => a * b),
      seed,
    ),
    shape,
    dtype: 'f32',
  });
  return {
    config: { hidden, p },
    parameters: new Map([
      ['hidden.weight', weight(1, hidden, 4)],
      ['hidden.bias', weight(2, hidden)],
      ['head.weight', weight(3, 3, hidden)],
      ['head.bias', weight(4, 3)],
      ['unused.weight', weight(5, 2)],
    ]),
    inputs: {
      features: { shape: ['batch', 4], dtype: 'f32' },
      labels: { shape: ['batch'], dtype: 'i32', below: 3, ignored: -100 },
    },
    build({ features, labels }, { key, gradient_checkpointing } = {}) {
      const first = (from: Tensor): Tensor => {
        const sum = linear(from, state('hidden.weight', [hidden, 4]), state('hidden.bias', [hidden]));
        const x: Tensor = straight ? sum : tanh(sum);
        return key ? dropout(x, p, key, 0) : x;
      };
      const x = gradient_checkpointing ? checkpoint(first)(features!) : first(features!);
      const logits = add(linear(x, state('head.weight', [3, hidden])), state('head.bias', [3])) as Tensor;
      return labels ? { logits, loss: crossEntropy(logits, labels as Tensor<Shape, 'i32'>) } : { logits };
    },
  };
}
