/** What classifiers of all families share: which labels they take, and the loss. As Hugging Face's `…ForSequenceClassification`. */
import { crossEntropy, mean, mul, reshape, sameShape, ShapeError, showShape, softplus, square, sub } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec } from '../architecture.ts';
import type { ModelConfig, ProblemType } from '../config.ts';

/** The labels that a classifier of this configuration is trained on. Without a `problem_type` they are classes, or one real number. */
export function classLabels(config: ModelConfig): InputSpec {
  const { num_labels } = config;
  if (problemOf(config, 'i32') === 'single_label_classification')
    return { shape: ['batch'], dtype: 'i32', below: num_labels, ignored: -100, label: true };
  return { shape: num_labels === 1 ? ['batch'] : ['batch', num_labels], dtype: 'f32', label: true };
}

/**
 * The loss of a classifier, a scalar; `logits` are `[batch, num_labels]`. Cross entropy for classes (`i32 [batch]`, −100 does
 * not count), mean squared error for regression (`f32 [batch]` or `[batch, num_labels]`), and the binary cross entropy of each label for
 * several at once (`f32 [batch, num_labels]` of 0 and 1). Without a `problem_type`, one label is a regression, whole numbers
 * are classes, and reals are several labels at once.
 * @throws ShapeError if labels do not fit the problem
 */
export function classificationLoss(config: ModelConfig, logits: Tensor, labels: Tensor): Tensor {
  const { num_labels } = config;
  const problem = problemOf(config, labels.dtype);
  const expect = (dtype: string, shape: Shape, found: Tensor): void => {
    if (found.dtype === dtype && sameShape(found.shape, shape)) return;
    throw new ShapeError(
      `labels: ${problem} with ${num_labels} labels wants ${dtype}${showShape(shape)}, got ${labels.dtype}${showShape(labels.shape)}`,
    );
  };
  switch (problem) {
    case 'single_label_classification':
      expect('i32', logits.shape.slice(0, 1), labels);
      return crossEntropy(logits, labels as Tensor<Shape, 'i32'>);
    case 'regression': {
      const flat = labels.shape.length === 1 ? reshape(labels, [labels.shape[0]!, 1]) : labels;
      expect('f32', logits.shape, flat);
      return mean(square(sub(logits, flat) as Tensor));
    }
    case 'multi_label_classification':
      expect('f32', logits.shape, labels);
      return mean(sub(softplus(logits), mul(logits, labels)) as Tensor);
    default:
      return problem satisfies never;
  }
}

function problemOf(config: ModelConfig, labels: string): ProblemType {
  if (config.problem_type !== null) return config.problem_type;
  if (config.num_labels === 1) return 'regression';
  return labels === 'i32' ? 'single_label_classification' : 'multi_label_classification';
}
