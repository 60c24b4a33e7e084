/** What is said of a NaN: where it began, not where it was seen. */
import { cpu } from '@sinter/backend-cpu';
import { add, crossEntropy, dropout, linear, log, mul, sqrt, square, state, sub, tanh } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import { expect, test } from 'vitest';
import { iris } from '../test/mlp.ts';
import type { TrainingArgumentsInit } from './arguments.ts';
import { TrainingArguments } from './arguments.ts';
import { NonFiniteLossError } from './errors.ts';
import type { ParameterData, TrainableModel } from './model.ts';
import { Trainer } from './trainer.ts';

/** Some layers, of which the third, or its gradient, breaks as `fault` says. */
function faulty(fault: (x: Tensor) => Tensor, layers = 6): TrainableModel {
  const names = Array.from({ length: layers }, (_, i) => `layer.${i}.weight`);
  const eye = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0.1));
  return {
    config: {},
    parameters: new Map<string, ParameterData>([
      ...names.map((name) => [name, { data: eye, shape: [4, 4], dtype: 'f32' }] as [string, ParameterData]),
      ['head.weight', { data: new Float32Array(12).fill(0.1), shape: [3, 4], dtype: 'f32' }],
    ]),
    inputs: {
      features: { shape: ['batch', 4], dtype: 'f32' },
      labels: { shape: ['batch'], dtype: 'i32', below: 3, ignored: -100 },
    },
    build({ features, labels }, { key } = {}) {
      let x: Tensor = features!;
      names.forEach((name, i) => {
        x = tanh(linear(x, state(name, [4, 4])));
        if (key) x = dropout(x, 0.1, key, i);
        if (i === 3) x = fault(x);
      });
      const logits = linear(x, state('head.weight', [3, 4])) as Tensor;
      return labels ? { logits, loss: crossEntropy(logits, labels as Tensor<Shape, 'i32'>) } : { logits };
    },
  };
}

async function failure(model: TrainableModel, args: TrainingArgumentsInit = {}): Promise<NonFiniteLossError> {
  await using trainer = new Trainer({
    model,
    train_dataset: iris,
    backend: cpu({ threads: 1 }),
    progress: {},
    args: new TrainingArguments({ max_steps: 2, save_strategy: 'no', report_to: 'none', ...args }),
  });
  return trainer.train().then(
    () => expect.fail('it trained'),
    (error: unknown) => {
      if (error instanceof NonFiniteLossError) return error;
      throw error;
    },
  );
}

test('in the forward pass: the first op, and the parameter nearest to it', async () => {
  const error = await failure(faulty((x) => log(sub(x, 5) as Tensor)));
  expect(error.anomaly).toMatchObject({ value: 'log f32[batch, 4]', parameter: 'layer.3.weight', pass: 'forward' });
  expect(error.message).toContain("near the parameter 'layer.3.weight'; it is made of sub f32[batch, 4]");
});

test('in the backward pass, where the loss is finite', async () => {
  // The square is too small for single precision: its root is 0, and the slope of that infinite.
  const error = await failure(faulty((x) => add(x, sqrt(square(mul(x, 1e-30))))));
  expect(error.loss).toBeGreaterThan(0);
  expect(error.anomaly).toMatchObject({ pass: 'backward', value: 'div f32[batch, 4]' });
  expect(error.anomaly!.parameter).toMatch(/^layer\.[345]\.weight$/);
});

test('over accumulated batches', async () => {
  const error = await failure(
    faulty((x) => log(sub(x, 5) as Tensor)),
    { gradient_accumulation_steps: 3 },
  );
  expect(error.anomaly).toMatchObject({ value: 'log f32[batch, 4]', pass: 'forward' });
});
