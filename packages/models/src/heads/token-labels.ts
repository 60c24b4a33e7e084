/** Labels of tokens: one for each token of each text, or −100 where a token does not count. */
import { crossEntropy, sameShape, ShapeError, showShape } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec } from '../architecture.ts';

/** Labels `i32 [batch, seq]` from 0 to one less than `count`, or −100. */
export function tokenLabels(count: number): InputSpec {
  return { shape: ['batch', 'seq'], dtype: 'i32', below: count, ignored: -100, label: true };
}

/** The mean cross entropy of `logits` `[batch, seq, count]` over the tokens that count. @throws ShapeError for labels of another shape */
export function tokenLoss(logits: Tensor, labels: Tensor): Tensor {
  const shape = logits.shape.slice(0, 2);
  if (!sameShape(labels.shape, shape))
    throw new ShapeError(`labels are ${showShape(labels.shape)}; they must be as input_ids, ${showShape(shape)}`);
  return crossEntropy(logits, labels as Tensor<Shape, 'i32'>);
}
