/** What predictions are worth, beside counts by hand. */
import type { TensorData } from '@sinter/ir';
import { expect, test } from 'vitest';
import { classificationMetrics, confusionMatrix, predictedClasses } from './metrics.ts';

test('metrics of two and of three classes', () => {
  const labels = (...data: number[]): TensorData => ({ data: Int32Array.from(data), shape: [data.length] });
  const logits = (classes: number, ...best: number[]): TensorData => ({
    data: Float32Array.from(best.flatMap((b) => Array.from({ length: classes }, (_, c) => (c === b ? 1 : 0)))),
    shape: [best.length, classes],
  });
  const two = { predictions: logits(2, 1, 1, 0, 0, 1), label_ids: labels(1, 0, 0, 1, -100) };
  expect([...predictedClasses(two.predictions)]).toEqual([1, 1, 0, 0, 1]);
  expect(confusionMatrix(two)).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(classificationMetrics(two)).toEqual({ accuracy: 0.5, precision: 0.5, recall: 0.5, f1: 0.5 });
  const three = { predictions: logits(3, 0, 1, 1), label_ids: labels(0, 1, 2) };
  const { accuracy, precision, recall, f1 } = classificationMetrics(three);
  expect([accuracy, precision, recall, f1].map((x) => Number(x.toFixed(4)))).toEqual([0.6667, 0.5, 0.6667, 0.5556]);
  expect(classificationMetrics({ predictions: logits(2, 0), label_ids: labels(0) })).toEqual({
    accuracy: 1,
    precision: 0,
    recall: 0,
    f1: 0,
  });
});
