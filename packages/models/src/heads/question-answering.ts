/** Extractive question answering: where in a text the answer stands (SQuAD). As Hugging Face's `…ForQuestionAnswering`. */
import { add, crossEntropy, dimValue, full, less, maximum, mul, reshape, ShapeError, slice, where } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import type { QuestionAnsweringModelOutput } from '../outputs.ts';
import type { Head, Logits } from './head.ts';

/**
 * `logits` are `[batch, seq, 2]`: start and end. Labels are `start_positions` and `end_positions`, `i32 [batch]`; one behind the end of the texts does
 * not count, one before their beginning is their beginning. The loss is the mean of both cross entropies.
 */
export function questionAnswering<C extends ModelConfig, B>(
  logits: Logits<C, B>,
): Head<C, B, QuestionAnsweringModelOutput> {
  return {
    inputs: (_, told) => ({ ...told, start_positions: positions, end_positions: positions }),
    build(scope, config, base, inputs) {
      const { start_positions, end_positions } = inputs;
      const both = logits(scope, config, base);
      const [start_logits, end_logits] = [column(both, 0), column(both, 1)];
      const loss =
        start_positions &&
        end_positions &&
        mul(add(positionLoss(start_logits, start_positions), positionLoss(end_logits, end_positions)) as Tensor, 0.5);
      return { ...(loss && { loss }), start_logits, end_logits };
    },
  };
}

const positions: InputSpec = { shape: ['batch'], dtype: 'i32', label: true };

function column(logits: Tensor, i: number): Tensor {
  if (logits.shape.length !== 3 || logits.shape[2] !== 2)
    throw new ShapeError(`question answering wants logits [batch, seq, 2], got ${String(logits)}`);
  return reshape(slice(logits, { starts: [0, 0, i], ends: [undefined, undefined, i + 1] }), logits.shape.slice(0, 2));
}

function positionLoss(logits: Tensor, given: Tensor): Tensor {
  const at = maximum(given, 0) as Tensor<Shape, 'i32'>;
  const inside = less(at, dimValue(logits.shape[1]!, 'i32'));
  return crossEntropy(logits, where(inside, at, full([], -100, 'i32')) as Tensor<Shape, 'i32'>);
}
