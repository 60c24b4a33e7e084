/** The whole trainer on a small model and real data, on the CPU backend. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { iris, mlp } from '../test/mlp.ts';
import type { TrainingArgumentsInit } from './arguments.ts';
import { TrainingArguments } from './arguments.ts';
import type { StepResult, TrainerCallback } from './callbacks/callback.ts';
import { earlyStoppingCallback } from './callbacks/early-stopping.ts';
import { DataError, NonFiniteLossError, ResumeError, TrainingInterruptedError } from './errors.ts';
import { classificationMetrics, confusionMatrix } from './metrics.ts';
import type { Sink, TrainableModel } from './model.ts';
import { readTensors } from './safetensors.ts';
import type { TrainerOptions } from './trainer-options.ts';
import { Trainer } from './trainer.ts';

const backend = cpu({ threads: 1 });
let folder: string;
let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sinter-trainer-'));
});
beforeEach(() => {
  // What is logged is looked at in the state; on the screen it would be noise.
  vi.spyOn(console, 'log').mockReturnValue();
  folder = join(root, String(count++));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A trainer on iris that keeps its log to itself. */
function trainer(args: TrainingArgumentsInit = {}, options: Partial<TrainerOptions> = {}): Trainer {
  return new Trainer({
    model: mlp(),
    train_dataset: iris,
    eval_dataset: iris,
    backend,
    args: new TrainingArguments({
      output_dir: folder,
      per_device_train_batch_size: 16,
      num_train_epochs: 2,
      learning_rate: 0.01,
      save_strategy: 'no',
      report_to: 'none',
      ...args,
    }),
    ...options,
  });
}

const weights = (model: TrainableModel): Record<string, number[]> =>
  Object.fromEntries([...model.parameters].map(([name, { data }]) => [name, [...data]]));

/** Collects what steps gave. */
function recorder(): { readonly results: StepResult[]; readonly callback: TrainerCallback } {
  const results: StepResult[] = [];
  return { results, callback: { on_step_end: (_args, _state, _control, { result }) => void results.push(result!) } };
}

describe('training', () => {
  test('learns to tell irises apart, and says how well', async () => {
    await using t = trainer(
      { num_train_epochs: 40, weight_decay: 0.01, warmup_ratio: 0.1 },
      { compute_metrics: classificationMetrics },
    );
    const before = await t.evaluate();
    const output = await t.train();
    const after = await t.evaluate();
    expect(output.global_step).toBe(400);
    expect(output.metrics['epoch']).toBe(40);
    expect(before['eval_accuracy']).toBeLessThan(0.7);
    expect(after['eval_accuracy']).toBeGreaterThan(0.95);
    expect(after['eval_loss']).toBeLessThan(before['eval_loss']! / 3);
    expect(Object.keys(after)).toEqual([
      'eval_loss',
      'eval_accuracy',
      'eval_precision',
      'eval_recall',
      'eval_f1',
      'eval_runtime',
      'eval_samples_per_second',
      'eval_steps_per_second',
    ]);
    const { predictions, label_ids } = await t.predict(iris);
    expect(predictions.shape).toEqual([150, 3]);
    const matrix = confusionMatrix({ predictions, label_ids: label_ids! });
    expect(matrix.map((row) => row.reduce((a, b) => a + b))).toEqual([50, 50, 50]);
  });

  test('gives logits for examples without labels', async () => {
    await using t = trainer();
    const { predictions, label_ids, metrics } = await t.predict(iris.map(({ features }) => ({ features })));
    expect(predictions.shape).toEqual([150, 3]);
    expect(label_ids).toBeUndefined();
    expect(metrics['test_loss']).toBeUndefined();
  });

  test('twice the same: the same weights; another seed: others', async () => {
    const run = async (seed: number): Promise<Record<string, number[]>> => {
      await using t = trainer({ seed });
      await t.train();
      return weights(t.model);
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  test('train() a second time begins anew from the weights that are there', async () => {
    await using t = trainer();
    await t.train();
    const once = weights(t.model);
    await t.train();
    expect(t.state.global_step).toBe(20);
    expect(weights(t.model)).not.toEqual(once);
  });

  test('a weight that the loss does not depend on stays, decay or not', async () => {
    await using t = trainer({ weight_decay: 0.5 });
    const before = weights(t.model)['unused.weight'];
    await t.train();
    expect(weights(t.model)['unused.weight']).toEqual(before);
  });

  test('an optimizer can leave parameters out', async () => {
    const { adamw } = await import('./optimizers/adamw.ts');
    await using t = trainer({}, { optimizer: (name) => (name.startsWith('hidden') ? undefined : adamw()) });
    const before = weights(t.model);
    await t.train();
    const after = weights(t.model);
    expect(after['hidden.weight']).toEqual(before['hidden.weight']);
    expect(after['head.weight']).not.toEqual(before['head.weight']);
  });

  test('accumulating over two batches of 15 is a batch of 30', async () => {
    const run = async (args: TrainingArgumentsInit): Promise<[StepResult[], Record<string, number[]>]> => {
      const { results, callback } = recorder();
      await using t = trainer(args, { model: mlp({ p: 0 }), callbacks: [callback] });
      await t.train();
      return [results, weights(t.model)];
    };
    const [whole, wholeWeights] = await run({ per_device_train_batch_size: 30 });
    const [parts, partWeights] = await run({ per_device_train_batch_size: 15, gradient_accumulation_steps: 2 });
    expect(parts.length).toBe(whole.length);
    parts.forEach((step, i) => {
      expect(step.loss).toBeCloseTo(whole[i]!.loss, 5);
      expect(step.grad_norm).toBeCloseTo(whole[i]!.grad_norm, 4);
      expect(step.learning_rate).toBe(whole[i]!.learning_rate);
      expect(step.tokens).toBe(whole[i]!.tokens);
    });
    for (const [name, values] of Object.entries(wholeWeights))
      partWeights[name]!.forEach((x, i) => expect(x).toBeCloseTo(values[i]!, 3));
  });

  test('max_steps goes before epochs and may go round the data more than once', async () => {
    await using t = trainer({ max_steps: 25 });
    await t.train();
    expect(t.state.global_step).toBe(25);
    expect(t.state.epoch).toBe(2.5);
    expect(t.state.num_train_epochs).toBe(3);
  });
});

describe('logging', () => {
  test('log_history and the sink have what transformers would log', async () => {
    const scalars: [string, number][] = [];
    const texts: string[] = [];
    const sink: Sink = {
      scalar: (tag, _value, step) => void scalars.push([tag, step]),
      text: (tag) => void texts.push(tag),
      flush: async () => {},
      close: async () => {},
    };
    await using t = trainer({ logging_steps: 5, logging_first_step: true, eval_strategy: 'epoch' }, { sink });
    await t.train();
    expect(t.state.log_history.map((entry) => [entry.step, Object.keys(entry)[0]])).toEqual([
      [1, 'loss'],
      [5, 'loss'],
      [10, 'loss'],
      [10, 'eval_loss'],
      [15, 'loss'],
      [20, 'loss'],
      [20, 'eval_loss'],
      [20, 'train_runtime'],
    ]);
    expect(Object.keys(t.state.log_history[1]!)).toEqual(['loss', 'grad_norm', 'learning_rate', 'epoch', 'step']);
    expect(texts).toEqual(['args', 'model_config']);
    expect(scalars).toContainEqual(['train/loss', 5]);
    expect(scalars).toContainEqual(['train/learning_rate', 20]);
    expect(scalars).toContainEqual(['eval/loss', 10]);
    expect(scalars).toContainEqual(['train/train_loss', 20]);
  });

  test('the loss that is logged is the mean since the last log', async () => {
    const { results, callback } = recorder();
    await using t = trainer({ logging_steps: 5 }, { callbacks: [callback] });
    await t.train();
    const mean = results.slice(5, 10).reduce((sum, r) => sum + r.loss, 0) / 5;
    expect(t.state.log_history[1]!['loss']).toBeCloseTo(mean, 12);
  });

  test('without a backend and a sink the installed packages are taken', async () => {
    const { readPoints } = await import('@sinter/logger');
    const args = new TrainingArguments({
      output_dir: folder,
      logging_dir: join(folder, 'logs'),
      max_steps: 2,
      logging_steps: 1,
      save_strategy: 'no',
    });
    const t = new Trainer({ model: mlp(), args, train_dataset: iris });
    await t.train();
    await t.close();
    const tags: string[] = [];
    for await (const point of readPoints(join(folder, 'logs'))) tags.push(point.tag);
    expect(tags.slice(0, 3)).toEqual(['args', 'model_config', 'train/loss']);
  });
});

describe('checkpoints', () => {
  test('have the files and keys of transformers, and the newest and best are kept', async () => {
    await using t = trainer({
      save_strategy: 'steps',
      save_steps: 5,
      eval_strategy: 'steps',
      eval_steps: 5,
      save_total_limit: 2,
      max_steps: 18,
      load_best_model_at_end: true,
    });
    await t.train();
    const found = (await readdir(folder)).sort();
    expect(found).toContain('checkpoint-18');
    expect(found.length).toBe(2);
    const best = t.state.best_model_checkpoint!;
    expect(found.map((name) => join(folder, name))).toContain(best);
    expect((await readdir(best)).sort()).toEqual([
      'checkpoint_files.json',
      'config.json',
      'loop_state.json',
      'model.safetensors',
      'optimizer.safetensors',
      'trainer_state.json',
      'training_args.json',
    ]);
    const text = await readFile(join(best, 'trainer_state.json'), 'utf8');
    const keys = Object.keys(JSON.parse(text) as object);
    expect(keys).toEqual([...keys].sort());
    expect(text).toMatch(/^\{\n {2}"best_metric"[\s\S]*\}\n$/);
    const stored = await readTensors(join(best, 'model.safetensors'));
    expect([...stored['head.weight']!.data]).toEqual(weights(t.model)['head.weight']);
  });

  test.each<[string, TrainingArgumentsInit]>([
    ['in the middle of an epoch', {}],
    ['with accumulation', { gradient_accumulation_steps: 3, per_device_train_batch_size: 8 }],
    ['with groups of like length', { group_by_length: true }],
  ])('a run that was stopped and resumed ends as one that was not: %s', async (_what, extra) => {
    const args: TrainingArgumentsInit = {
      ...extra,
      num_train_epochs: 3,
      warmup_steps: 4,
      weight_decay: 0.1,
      logging_steps: 4,
    };
    await using whole = trainer(args);
    const output = await whole.train();

    const abort = new AbortController();
    const at = {
      on_step_end: (_a: unknown, state: { global_step: number }) => void (state.global_step === 7 && abort.abort()),
    };
    await using stopped = trainer(args, { callbacks: [at] });
    const error = await stopped.train({ signal: abort.signal }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TrainingInterruptedError);
    expect((error as TrainingInterruptedError).checkpoint).toBe(join(folder, 'checkpoint-7'));
    expect((error as Error).message).toContain('train({ resume_from_checkpoint: ');

    // Another process would have another model, with other weights.
    await using resumed = trainer(args, { model: mlp() });
    for (const { data } of resumed.model.parameters.values()) data.fill(0);
    const rest = await resumed.train({ resume_from_checkpoint: true });
    expect(weights(resumed.model)).toEqual(weights(whole.model));
    expect(rest.training_loss).toBe(output.training_loss);
    const losses = (t: Trainer): unknown[] => t.state.log_history.flatMap((entry) => ('loss' in entry ? [entry] : []));
    expect(losses(resumed)).toEqual(losses(whole));
    expect(resumed.state.num_input_tokens_seen).toBe(whole.state.num_input_tokens_seen);
  });

  test('a damaged, a missing and a foreign one are told apart', async () => {
    const args: TrainingArgumentsInit = { save_strategy: 'steps', save_steps: 5, max_steps: 10 };
    await using none = trainer(args);
    await expect(none.train({ resume_from_checkpoint: true })).rejects.toThrow(/there is no checkpoint to resume from/);
    await none.train();
    await using other = trainer({ ...args, per_device_train_batch_size: 8 });
    await expect(other.train({ resume_from_checkpoint: true })).rejects.toThrow(
      /per_device_train_batch_size was 16 and is 8/,
    );
    await using fewer = trainer(args, { train_dataset: iris.slice(0, 100) });
    await expect(fewer.train({ resume_from_checkpoint: true })).rejects.toThrow(/examples was 150 and is 100/);
    await using bigger = trainer(args, { model: mlp({ hidden: 9 }) });
    await expect(bigger.train({ resume_from_checkpoint: true })).rejects.toThrow(ResumeError);
    // One byte in the middle of the weights, whose length and header stay right.
    const path = join(folder, 'checkpoint-10', 'model.safetensors');
    const bytes = await readFile(path);
    bytes[bytes.length - 9]! ^= 1;
    await writeFile(path, bytes);
    await using damaged = trainer(args);
    const before = weights(damaged.model);
    await expect(damaged.train({ resume_from_checkpoint: join(folder, 'checkpoint-10') })).rejects.toThrow(
      /checkpoint-10 is damaged: model\.safetensors is not what was written/,
    );
    await truncate(path, 100);
    await expect(damaged.train({ resume_from_checkpoint: join(folder, 'checkpoint-10') })).rejects.toThrow(
      /model\.safetensors has 100 bytes, and had \d+/,
    );
    expect(weights(damaged.model)).toEqual(before);
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
    await damaged.train({ resume_from_checkpoint: true });
    expect(warn.mock.calls[0]![0]).toMatch(/checkpoint-10 is damaged and passed over/);
    warn.mockRestore();
    expect(damaged.state.global_step).toBe(10);
  });

  test('save_model writes the model with its weights of now', async () => {
    await using t = trainer();
    await t.train();
    await t.save_model(join(folder, 'saved'));
    const stored = await readTensors(join(folder, 'saved', 'model.safetensors'));
    expect([...stored['hidden.bias']!.data]).toEqual(weights(t.model)['hidden.bias']);
    expect(existsSync(join(folder, 'saved', 'training_args.json'))).toBe(true);
  });
});

describe('what goes wrong is said', () => {
  test('a loss that is not finite stops training before it is applied', async () => {
    const args: TrainingArgumentsInit = { save_strategy: 'steps', save_steps: 2, max_steps: 10 };
    const far = iris.map((example, i) => (i === 149 ? { ...example, features: [3e38, 3e38, 3e38, 3e38] } : example));
    // One layer has no tanh that would bring large numbers back.
    const model = mlp({ linear: true });
    await using t = trainer({ ...args, train_sampling_strategy: 'sequential' }, { train_dataset: far, model });
    const error = await t.train().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(NonFiniteLossError);
    const { step, checkpoint, learning_rate, message } = error as NonFiniteLossError;
    expect(step).toBe(10);
    expect(learning_rate).toBeCloseTo(0.001, 6);
    expect(checkpoint).toBe(join(folder, 'checkpoint-8'));
    expect(message).toContain('checkpoint-8');
    expect(t.state.global_step).toBe(9);
    // The weights are those before the step: finite, and what a run of nine steps would have.
    for (const values of Object.values(weights(model))) expect(values.every(Number.isFinite)).toBe(true);
  });

  test('a label out of range names the example', async () => {
    const wrong = iris.map((example, i) => (i === 42 ? { ...example, label: 3 } : example));
    await using t = trainer({}, { train_dataset: wrong });
    const error = await t.train().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ index: 42, field: 'labels' });
    expect((error as Error).message).toBe(
      "example 42: 'labels' has the value 3; it must be from 0 to 2, or -100 where it does not count",
    );
  });

  test('a dataset without labels cannot be trained on', async () => {
    await using t = trainer({}, { train_dataset: iris.map(({ features }) => ({ features })) });
    await expect(t.train()).rejects.toThrow(/has no field 'labels'/);
  });

  test('a missing dataset and a weight without values', async () => {
    await using t = trainer({}, { train_dataset: undefined });
    await expect(t.train()).rejects.toThrow(/train_dataset/);
    const model = mlp();
    model.parameters.delete('head.bias');
    await using lacking = trainer({}, { model });
    await expect(lacking.evaluate()).rejects.toThrow(/'head\.bias'/);
  });
});

describe('stopping', () => {
  test('early stopping waits as long as it is told to', async () => {
    await using t = trainer(
      { num_train_epochs: 50, eval_strategy: 'epoch', learning_rate: 0 },
      { callbacks: [earlyStoppingCallback({ early_stopping_patience: 3 })] },
    );
    await t.train();
    expect(t.state.epoch).toBe(4);
  });

  test('an aborted signal does not begin', async () => {
    await using t = trainer();
    await expect(t.train({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect(process.listenerCount('SIGINT')).toBe(0);
  });
});
