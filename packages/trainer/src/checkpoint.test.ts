/** Which folders count as checkpoints, which are kept, and what a run that is stopped leaves behind. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { iris, mlp } from '../test/mlp.ts';
import type { TrainingArgumentsInit } from './arguments.ts';
import { TrainingArguments } from './arguments.ts';
import type { TrainerCallback } from './callbacks/callback.ts';
import { checkpoints, lastCheckpoint, rotate } from './checkpoint.ts';
import { NonFiniteLossError, TrainingInterruptedError } from './errors.ts';
import type { TrainerOptions } from './trainer-options.ts';
import { Trainer } from './trainer.ts';

const root = await mkdtemp(join(tmpdir(), 'sinter-checkpoints-'));
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Empty checkpoints, for what only looks at names. */
async function folders(...names: string[]): Promise<string[]> {
  for (const name of names) {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, 'optimizer.safetensors'), '');
  }
  return names.map((name) => join(folder, name));
}

function trainer(args: TrainingArgumentsInit = {}, options: Partial<TrainerOptions> = {}): Trainer {
  return new Trainer({
    model: mlp(),
    train_dataset: iris,
    eval_dataset: iris,
    backend: cpu({ threads: 1 }),
    args: new TrainingArguments({
      output_dir: folder,
      per_device_train_batch_size: 30,
      max_steps: 10,
      save_steps: 3,
      learning_rate: 0.01,
      report_to: 'none',
      ...args,
    }),
    progress: {},
    ...options,
  });
}

test('a folder that was not finished is no checkpoint', async () => {
  const [whole] = await folders('checkpoint-9', 'tmp-checkpoint-12', 'tmp-old-checkpoint-9', 'checkpoint-12x');
  await mkdir(join(folder, 'checkpoint-20')); // only the model: nothing to resume from
  expect(await checkpoints(folder)).toEqual([whole, join(folder, 'checkpoint-20')]);
  expect(await lastCheckpoint(folder)).toBe(whole);
  expect(await lastCheckpoint(join(folder, 'nowhere'))).toBeUndefined();
});

test('the newest and the best are kept; steps are compared as numbers', async () => {
  const [nine, ten, hundred] = await folders('checkpoint-9', 'checkpoint-10', 'checkpoint-100');
  expect(await checkpoints(folder)).toEqual([nine, ten, hundred]);
  await rotate(folder, null, [hundred!]);
  expect((await checkpoints(folder)).length).toBe(3);
  await rotate(folder, 2, [hundred!, nine!]);
  expect(await checkpoints(folder)).toEqual([nine, hundred]);
  await rotate(folder, 1, [hundred!, nine!]);
  expect(await checkpoints(folder)).toEqual([nine, hundred]);
  await rotate(folder, 1, [hundred!, null]);
  expect(await checkpoints(folder)).toEqual([hundred]);
});

test('save_strategy best writes after better evaluations only, and the best is taken at the end', async () => {
  const scores = [0.5, 0.7, 0.6, NaN, 0.8];
  let asked = 0;
  await using t = trainer(
    {
      save_strategy: 'best',
      eval_strategy: 'steps',
      eval_steps: 2,
      metric_for_best_model: 'score',
      load_best_model_at_end: true,
    },
    { compute_metrics: () => ({ score: scores[asked++]! }) },
  );
  await t.train();
  expect(await checkpoints(folder)).toEqual([2, 4, 10].map((step) => join(folder, `checkpoint-${step}`)));
  expect(t.state).toMatchObject({
    best_metric: 0.8,
    best_global_step: 10,
    best_model_checkpoint: join(folder, 'checkpoint-10'),
  });
});

test('load_best_model_at_end takes the weights of the best one, on the device too', async () => {
  const scores = [0.9, 0.1];
  let asked = 0;
  const kept: number[][] = [];
  const onSave: TrainerCallback = {
    on_save: (_args, _state, _control, { model }) => void kept.push([...model.parameters.get('head.bias')!.data]),
  };
  await using t = trainer(
    {
      eval_strategy: 'steps',
      eval_steps: 5,
      save_steps: 5,
      metric_for_best_model: 'score',
      load_best_model_at_end: true,
    },
    { compute_metrics: () => ({ score: scores[asked++]! }), callbacks: [onSave] },
  );
  await t.train();
  expect(kept.length).toBe(2);
  expect(kept[1]).not.toEqual(kept[0]);
  expect([...t.model.parameters.get('head.bias')!.data]).toEqual(kept[0]);
  const after = await t.predict(iris);
  await using fresh = trainer({}, { model: t.model });
  expect(await fresh.predict(iris)).toMatchObject({ predictions: after.predictions });
});

test('a metric that the evaluation lacks is named', async () => {
  await using t = trainer({ eval_strategy: 'steps', eval_steps: 2, metric_for_best_model: 'f1' });
  await expect(t.train()).rejects.toThrow(/metric_for_best_model is 'f1'; the evaluation has eval_loss, /);
});

test('a run that is stopped can be resumed, even where checkpoints have only the model', async () => {
  const args: TrainingArgumentsInit = { save_only_model: true };
  await using whole = trainer(args);
  await whole.train();
  expect(await lastCheckpoint(folder)).toBeUndefined();
  expect(await readdir(join(folder, 'checkpoint-3'))).not.toContain('optimizer.safetensors');

  const abort = new AbortController();
  const stopAt: TrainerCallback = {
    on_step_end: (_args, { global_step }) => void (global_step === 6 && abort.abort()),
  };
  await using stopped = trainer(args, { callbacks: [stopAt] });
  const error = await stopped.train({ signal: abort.signal }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(TrainingInterruptedError);
  const { checkpoint } = error as TrainingInterruptedError;
  await using resumed = trainer(args);
  await resumed.train({ resume_from_checkpoint: checkpoint });
  expect([...resumed.model.parameters]).toEqual([...whole.model.parameters]);
});

test('a step that fails names the last checkpoint of its own run, and leaves it as it was', async () => {
  await folders('checkpoint-500'); // of some earlier run
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const far = iris.map((one, i) => (i < 120 ? one : { ...one, features: [3e38, 3e38, 3e38, 3e38] }));
  const run = (args: TrainingArgumentsInit): Trainer =>
    trainer({ train_sampling_strategy: 'sequential', ...args }, { model: mlp({ linear: true }), train_dataset: far });
  await using none = run({ save_strategy: 'no' });
  const first = await none.train().catch((e: unknown) => e);
  expect(first).toMatchObject({ name: 'NonFiniteLossError', step: 5, checkpoint: undefined });
  expect((first as Error).message).toContain('There is no checkpoint yet');
  expect(warn.mock.calls[0]![0]).toContain(`${folder} has checkpoints of an earlier run`);

  await using some = run({ gradient_accumulation_steps: 2, per_device_train_batch_size: 15 });
  const second = await some.train().catch((e: unknown) => e);
  expect(second).toBeInstanceOf(NonFiniteLossError);
  expect(second).toMatchObject({ step: 5, checkpoint: join(folder, 'checkpoint-3') });
  expect(await checkpoints(folder)).toEqual([3, 500].map((step) => join(folder, `checkpoint-${step}`)));
  for (const { data } of some.model.parameters.values()) expect([...data].every(Number.isFinite)).toBe(true);
  warn.mockRestore();
});
