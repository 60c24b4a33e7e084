/** Names, defaults and checks of the arguments, held against the fields of Python's own class. */
import { spawnSync } from 'node:child_process';
import { findPython } from '../../../tools/python.ts';
import { describe, expect, expectTypeOf, test, vi } from 'vitest';
import { aliases, ignored, refused } from './argument-names.ts';
import { argumentNames } from './argument-rules.ts';
import type { TrainingArgumentsInit } from './arguments.ts';
import { TrainingArguments } from './arguments.ts';
import { TrainingArgumentsError } from './errors.ts';
import { runLength } from './run-length.ts';

const wrong = (given: Record<string, unknown>): TrainingArgumentsError => {
  try {
    new TrainingArguments(given as TrainingArgumentsInit);
  } catch (error) {
    if (error instanceof TrainingArgumentsError) return error;
    throw error;
  }
  throw new Error('nothing was found wrong');
};

test('what is left out has its default; what is given stays', () => {
  const args = new TrainingArguments({
    output_dir: './results',
    num_train_epochs: 3,
    warmup_steps: 500,
    weight_decay: 0.01,
    logging_dir: './logs',
    seed: undefined,
  });
  expect(args).toMatchObject({
    output_dir: './results',
    learning_rate: 5e-5,
    warmup_steps: 500,
    weight_decay: 0.01,
    seed: 42,
    per_device_train_batch_size: 8,
    max_grad_norm: 1,
    lr_scheduler_type: 'linear',
    logging_steps: 500,
    save_steps: 500,
  });
  expect(Object.keys(args).sort()).toEqual([...argumentNames].sort());
  expectTypeOf(args.learning_rate).toEqualTypeOf<number>();
  // @ts-expect-error: there is no such argument
  expect(() => new TrainingArguments({ learning_rat: 1 })).toThrow();
});

describe('errors name the argument', () => {
  test.each<[Record<string, unknown>, string, RegExp]>([
    [{ lerning_rate: 1 }, 'lerning_rate', /no training argument 'lerning_rate'\. Did you mean learning_rate/],
    [{ num_epochs: 3 }, 'num_epochs', /num_train_epochs/],
    [{ xyzzy: 3 }, 'xyzzy', /The arguments are output_dir, /],
    [{ per_device_train_batch_size: 0 }, 'per_device_train_batch_size', /a whole number ≥ 1; got 0/],
    [{ learning_rate: '1e-5' }, 'learning_rate', /a number ≥ 0; got "1e-5"/],
    [{ learning_rate: NaN }, 'learning_rate', /a number ≥ 0/],
    [
      { lr_scheduler_type: 'polynomal' },
      'lr_scheduler_type',
      /one of 'linear', 'cosine', 'cosine_with_restarts', 'polynomial', /,
    ],
    [{ lr_scheduler_type: 'reduce_lr_on_plateau' }, 'lr_scheduler_type', /goes by evaluations/],
    [{ eval_strategy: 'never' }, 'eval_strategy', /one of 'no', 'steps', 'epoch'/],
    [{ logging_steps: 1.5 }, 'logging_steps', /a share of all steps/],
    [{ fp16: true }, 'fp16', /fp16: true is not supported \(weights and arithmetic are f32\)/],
    [{ label_smoothing_factor: 0.1 }, 'label_smoothing_factor', /leave it out, or at 0/],
    [{ load_best_model_at_end: true }, 'load_best_model_at_end', /save_strategy is 'steps', eval_strategy 'no'/],
    [
      { load_best_model_at_end: true, eval_strategy: 'steps', eval_steps: 3, save_steps: 10 },
      'load_best_model_at_end',
      /10 is not one of 3/,
    ],
    [{ save_strategy: 'best' }, 'save_strategy', /compares evaluations/],
  ])('%j', (given, argument, message) => {
    const error = wrong(given);
    expect(error.argument).toBe(argument);
    expect(error.message).toMatch(message);
  });
});

test('other spellings are translated, what has no meaning here is ignored with a warning', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const args = new TrainingArguments({ evaluation_strategy: 'epoch', tf32: true, fp16: false });
  expect(args.eval_strategy).toBe('epoch');
  expect(warn.mock.calls.map(([text]) => text)).toEqual(['tf32 has no effect: weights and arithmetic are f32']);
  warn.mockRestore();
});

describe('how long a run is', () => {
  const length = (given: TrainingArgumentsInit, examples: number) => runLength(new TrainingArguments(given), examples);
  test('epochs, accumulation, dropped batches, shares', () => {
    expect(length({ per_device_train_batch_size: 16 }, 100)).toMatchObject({
      stepsPerEpoch: 7,
      max_steps: 21,
      epochs: 3,
    });
    expect(length({ per_device_train_batch_size: 16, dataloader_drop_last: true }, 100)).toMatchObject({
      stepsPerEpoch: 6,
    });
    expect(length({ per_device_train_batch_size: 16, gradient_accumulation_steps: 2 }, 100)).toMatchObject({
      batches: 7,
      stepsPerEpoch: 4,
    });
    expect(length({ num_train_epochs: 0.5 }, 100)).toMatchObject({ max_steps: 7, epochs: 1 });
    expect(length({ max_steps: 100, warmup_ratio: 0.1, logging_steps: 0.05, eval_steps: 0.2 }, 100)).toMatchObject({
      warmup: 10,
      logging_steps: 5,
      eval_steps: 20,
      save_steps: 500,
    });
    expect(length({ max_steps: 100, warmup_steps: 0.25 }, 100).warmup).toBe(25);
  });
  test('not one batch is an error', () => {
    expect(() => length({ dataloader_drop_last: true }, 5)).toThrow(/5 examples, which is not one batch of 8/);
    expect(() => length({}, 0)).toThrow(TrainingArgumentsError);
  });
});

const python = findPython(['transformers', 'torch']);
test.skipIf(!python)("every argument of Python's class is supported, ignored or refused, with Python's default", () => {
  const script = `
import dataclasses, json, transformers
fields = dataclasses.fields(transformers.TrainingArguments)
none = lambda f: None if f.default is dataclasses.MISSING else f.default
print(json.dumps({f.name: none(f) for f in fields}, default=str))`;
  const { stdout } = spawnSync(python!, ['-c', script], { encoding: 'utf8' });
  const fields = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
  const known = new Set([...argumentNames, ...Object.keys(ignored), ...Object.keys(refused), ...Object.keys(aliases)]);
  const unknown = Object.keys(fields).filter((name) => !known.has(name) && !name.startsWith('_'));
  expect(unknown).toEqual([]);
  const args = new TrainingArguments() as unknown as Record<string, unknown>;
  // As strings, because Python's enumerations print as `IntervalStrategy.STEPS`; these differ on purpose.
  const ours = new Set([
    'output_dir',
    'report_to',
    'disable_tqdm',
    'optim',
    'logging_dir',
    'lr_scheduler_kwargs',
    'eval_strategy',
  ]);
  for (const name of argumentNames) {
    if (!(name in fields) || ours.has(name)) continue;
    expect([name, String(args[name]).toLowerCase()]).toEqual([name, String(fields[name]).toLowerCase()]);
  }
});
