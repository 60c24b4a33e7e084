/** Multiple choice: which of several texts fits (SWAG). As Hugging Face's `…ForMultipleChoice`. */
import { crossEntropy, dimProduct, reshape } from '@sinter/ir';
import type { Dim, Shape, Tensor } from '@sinter/ir';
import type { InputSpec } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { MultipleChoiceModelOutput } from '../outputs.ts';
import type { Head, Logits } from './head.ts';

/**
 * `logits` are `[batch*choices, 1]`, of texts that are told one after the other. Inputs have an axis of choices behind that of the batch, `[batch, choices, seq]`; labels
 * are `i32 [batch]`: which choice is right.
 */
export function multipleChoice<C extends ModelConfig, B>(logits: Logits<C, B>): Head<C, B, MultipleChoiceModelOutput> {
  return {
    inputs: (_, told) => ({ ...mapValues(told, withChoices), labels }),
    feed: ({ labels: _, ...told }) => mapValues(told, (x) => x && oneAfterTheOther(x)),
    build(scope, config, base, inputs) {
      const made = reshape(logits(scope, config, base), inputs['input_ids']!.shape.slice(0, 2));
      const wanted = inputs['labels'] as Tensor<Shape, 'i32'> | undefined;
      return { ...(wanted && { loss: crossEntropy(made, wanted) }), logits: made };
    },
  };
}

const labels: InputSpec = { shape: ['batch'], dtype: 'i32', label: true };

function withChoices(spec: InputSpec): InputSpec {
  const [batch, ...rest] = spec.shape;
  return { ...spec, shape: [batch!, 'choices', ...rest] };
}

function oneAfterTheOther(x: Tensor): Tensor {
  const [batch, choices, ...rest] = x.shape as readonly [Dim, Dim, ...Dim[]];
  return reshape(x, [dimProduct([batch, choices]), ...rest]);
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, fn: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, fn(value)]));
}
