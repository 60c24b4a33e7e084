/** What predictions are worth: accuracy, precision, recall, F1 and the confusion matrix of a classification. */
import type { TensorData } from '@sinter/ir';
import { TrainerError } from './errors.ts';

/** The predictions of a dataset, and what they should be. */
export interface EvalPrediction {
  /** The logits, `[examples, …]`. */
  readonly predictions: TensorData;
  /** The labels, `[examples, …]`. */
  readonly label_ids: TensorData;
}

/** Measures predictions: numbers by name. */
export type ComputeMetrics = (
  prediction: EvalPrediction,
) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;

/** The class with the largest logit, for every row along the last axis (the first of equal ones). */
export function predictedClasses({ data, shape }: TensorData): Int32Array {
  const classes = shape.at(-1) ?? 1;
  return Int32Array.from({ length: data.length / classes }, (_, row) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (data[row * classes + c]! > data[row * classes + best]!) best = c;
    return best;
  });
}

/** How often each class (row) was predicted as each class (column); labels of −100 do not count. */
export function confusionMatrix({ predictions, label_ids }: EvalPrediction): number[][] {
  const predicted = predictedClasses(predictions);
  const labels = label_ids.data;
  if (labels.length !== predicted.length)
    throw new TrainerError(`there are ${predicted.length} predictions and ${labels.length} labels`);
  const classes = predictions.shape.at(-1) ?? 1;
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  predicted.forEach((guess, i) => {
    const row = matrix[labels[i]!];
    if (row) row[guess]!++;
  });
  return matrix;
}

/** Accuracy, precision, recall and F1. */
export interface ClassificationMetrics extends Readonly<Record<string, number>> {
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/**
 * The usual measures; pass it as `compute_metrics`. With two classes precision, recall and F1 are those of class 1, with
 * more their means over the classes. What would be 0/0 is 0.
 */
export function classificationMetrics(prediction: EvalPrediction): ClassificationMetrics {
  const matrix = confusionMatrix(prediction);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);
  const counted = matrix.length === 2 ? [1] : matrix.map((_, i) => i);
  const each = counted.map((c) => {
    const precision = ratio(matrix[c]![c]!, sum(matrix.map((row) => row[c]!)));
    const recall = ratio(matrix[c]![c]!, sum(matrix[c]!));
    return { precision, recall, f1: ratio(2 * precision * recall, precision + recall) };
  });
  const mean = (key: 'precision' | 'recall' | 'f1'): number => sum(each.map((m) => m[key])) / each.length;
  return {
    accuracy: ratio(sum(matrix.map((row, i) => row[i]!)), sum(matrix.flat())),
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
  };
}
