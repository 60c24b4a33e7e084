/** Sequence classification by models that look to the left only: the last token alone has read the whole text. A linear layer `score`. */
import { add, dimValue, equal, iota, min, mod, sub, where } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { ModelInputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { normal } from '../init.ts';
import { classificationLoss, classLabels } from '../layers/classification.ts';
import { linear } from '../layers/linear.ts';
import { statesAt } from '../layers/states.ts';
import type { BaseModelOutput, SequenceClassifierOutput } from '../outputs.ts';
import type { Scope } from '../scope.ts';
import { logitsHead } from './head.ts';
import type { Head } from './head.ts';

type Ids = Tensor<Shape, 'i32'>;

/** A classifier on the last token before the first padding (`pad_token_id`). Labels are as {@link classLabels} says. */
export function lastTokenClassification<
  C extends ModelConfig & { readonly pad_token_id: number | null; readonly initializer_range: number },
>(): Head<C, BaseModelOutput, SequenceClassifierOutput> {
  const logits = (scope: Scope, config: C, { last_hidden_state }: BaseModelOutput, inputs: ModelInputs): Tensor => {
    const { num_labels, pad_token_id, initializer_range } = config;
    const last = lastTokens(last_hidden_state, inputs['input_ids'] as Ids, pad_token_id);
    return linear(scope.at('score'), last, num_labels, { bias: false, init: normal(initializer_range) });
  };
  return logitsHead(logits, classLabels, classificationLoss);
}

/** The state `[batch, size]` of each text's last token before its first padding. */
function lastTokens(states: Tensor, ids: Ids, pad_token_id: number | null): Tensor {
  const length = dimValue(states.shape[1]!, 'i32');
  const end = pad_token_id === null ? length : firstOf(ids, pad_token_id);
  // A text that begins with padding counts to its end, as in Python.
  const last = mod(add(sub(end as Ids, 1), length) as Ids, length);
  return statesAt(states, last as Ids);
}

/** Where an id stands first in each row, or the length of the row. */
function firstOf(ids: Ids, id: number): Ids {
  const length = dimValue(ids.shape[1]!, 'i32') as Ids;
  return min(where(equal(ids, id), iota(ids.shape, 1), length) as Ids, { axes: 1 }) as Ids;
}
