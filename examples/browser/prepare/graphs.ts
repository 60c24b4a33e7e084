/**
 * The two programs of the page, which share the state of the head: `forward` reads texts with a BERT that stays as it is
 * and gives features and logits, `train_step` changes the head on features that were computed before.
 */
import {
  cast,
  crossEntropy,
  div,
  expandDims,
  full,
  graph,
  input,
  linear,
  maximum,
  mul,
  rmsNorm,
  state,
  sum,
} from '@sinter/ir';
import type { Graph, Shape, Tensor } from '@sinter/ir';
import type { BertModel } from '@sinter/models';
import { adamw, trainStep } from '@sinter/trainer';
import type { TrainableModel } from '@sinter/trainer';

/** The classes, in the order of the logits. */
export const labelNames = ['mail', 'spam'] as const;
/** The most texts, and tokens of each, that a run takes. */
export const largest = { batch: 16, seq: 64 } as const;

/** The state that is trained: a linear layer. */
function head(features: Tensor, size: number): Tensor {
  const weight = state('classifier.weight', [labelNames.length, size]);
  return linear(features, weight, state('classifier.bias', [labelNames.length]));
}

/**
 * `input_ids`, `attention_mask` (`i32 [batch, seq]`) → `features` (`f32 [batch, hidden]`: the mean of the tokens, brought to
 * the length √hidden) and `logits` (`f32 [batch, 2]`).
 */
export function forward(bert: BertModel): Graph {
  const input_ids = input('input_ids', ['batch', 'seq'], 'i32');
  const attention_mask = input('attention_mask', ['batch', 'seq'], 'i32');
  const { last_hidden_state } = bert.build({ input_ids, attention_mask });
  const counts = cast(attention_mask, 'f32') as Tensor;
  const total = sum(mul(last_hidden_state, expandDims(counts, 2)) as Tensor, { axes: 1 });
  const mean = div(total, maximum(sum(counts, { axes: 1, keepdims: true }), 1)) as Tensor;
  const features = rmsNorm(mean, full([bert.config.hidden_size], 1));
  return graph('forward', { outputs: { features, logits: head(features, bert.config.hidden_size) } });
}

/** `features` (`f32 [batch, hidden]`), `labels` (`i32 [batch]`) → `loss`; a step of AdamW on the head. */
export function headStep(hidden: number): Graph {
  const model: TrainableModel = {
    config: {},
    parameters: new Map(
      headShapes(hidden).map(([name, shape]) => [name, { data: new Float32Array(0), shape, dtype: 'f32' }]),
    ),
    inputs: {
      features: { shape: ['batch', hidden], dtype: 'f32' },
      labels: { shape: ['batch'], dtype: 'i32', below: labelNames.length },
    },
    build({ features, labels }) {
      const logits = head(features!, hidden);
      return { logits, loss: crossEntropy(logits, labels as Tensor<Shape, 'i32'>) };
    },
  };
  const optimizer = adamw({ weight_decay: 0.01 });
  return trainStep(model, {
    optimizer: () => optimizer,
    learning_rate: 2e-3,
    schedule: () => full([], 1),
    max_grad_norm: 1,
  });
}

/** The tensors of the head. */
export function headShapes(hidden: number): [name: string, shape: number[]][] {
  return [
    ['classifier.weight', [labelNames.length, hidden]],
    ['classifier.bias', [labelNames.length]],
  ];
}
