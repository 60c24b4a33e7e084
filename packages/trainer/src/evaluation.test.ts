/** Evaluation and prediction: the order of the dataset, the last small batch, and a mean over examples. */
import { cpu } from '@sinter/backend-cpu';
import { expect, test } from 'vitest';
import { iris, mlp } from '../test/mlp.ts';
import { TrainingArguments } from './arguments.ts';
import type { EvalPrediction } from './metrics.ts';
import type { TrainerOptions } from './trainer-options.ts';
import { Trainer } from './trainer.ts';

function trainer(per_device_eval_batch_size: number, options: Partial<TrainerOptions> = {}): Trainer {
  const args = new TrainingArguments({ per_device_eval_batch_size, report_to: 'none' });
  return new Trainer({ model: mlp(), args, backend: cpu({ threads: 1 }), progress: {}, ...options });
}

/** The model in plain numbers. */
function logitsByHand(features: readonly number[]): number[] {
  const weight = (name: string): Float32Array => mlp().parameters.get(name)!.data;
  const layer = (x: readonly number[], name: string): number[] =>
    Array.from(weight(`${name}.bias`), (bias, i) =>
      x.reduce((sum, xj, j) => sum + xj * weight(`${name}.weight`)[i * x.length + j]!, bias),
    );
  return layer(layer(features, 'hidden').map(Math.tanh), 'head');
}

test('predictions are in the order of the dataset, whatever the size of batches', async () => {
  const some = iris.filter((_, i) => i % 7 === 0); // 22 examples: 8, 8 and 6
  await using t = trainer(8);
  const { predictions, label_ids, metrics } = await t.predict(some);
  expect(predictions.shape).toEqual([22, 3]);
  expect(label_ids).toEqual({ shape: [22], data: Int32Array.from(some, ({ label }) => label) });
  const want = some.map(({ features }) => logitsByHand(features));
  want.flat().forEach((x, i) => expect(predictions.data[i]).toBeCloseTo(x, 5));

  const losses = want.map((logits, i) => {
    const sum = logits.reduce((total, x) => total + Math.exp(x), 0);
    return Math.log(sum) - logits[some[i]!.label]!;
  });
  expect(metrics['test_loss']).toBeCloseTo(losses.reduce((a, b) => a + b) / 22, 5);
  expect(Object.keys(metrics)).toEqual([
    'test_loss',
    'test_runtime',
    'test_samples_per_second',
    'test_steps_per_second',
  ]);

  await using one = trainer(1);
  const single = await one.predict(some);
  expect(single.predictions).toEqual(predictions);
  expect(single.metrics['test_loss']).toBeCloseTo(metrics['test_loss']!, 6);
});

test('metrics see all predictions and labels at once, and have the prefix of the evaluation', async () => {
  const seen: EvalPrediction[] = [];
  const compute_metrics = (prediction: EvalPrediction): Record<string, number> => {
    seen.push(prediction);
    return { size: prediction.label_ids.data.length, eval_named: 1 };
  };
  await using t = trainer(64, { compute_metrics, eval_dataset: iris });
  const metrics = await t.evaluate();
  expect(metrics).toMatchObject({ eval_size: 150, eval_named: 1 });
  expect(seen.length).toBe(1);
  expect(seen[0]!.predictions.shape).toEqual([150, 3]);
  expect(Object.keys(await t.evaluate(iris.slice(0, 3), { metric_key_prefix: 'part' }))).toContain('part_size');
  expect(t.state.log_history.length).toBe(2);
});

test('only the loss is kept where only that is wanted', async () => {
  const args = new TrainingArguments({ prediction_loss_only: true, report_to: 'none' });
  await using t = trainer(8, { args, compute_metrics: () => ({ never: 1 }), eval_dataset: iris });
  const metrics = await t.evaluate();
  expect(metrics).not.toHaveProperty('eval_never');
  expect(metrics['eval_loss']).toBeGreaterThan(0);
});
