/** One rule per argument (its default, what it may be), and the check of all. The table is total: a forgotten one does not compile. */
import { aliases, ignored, refused } from './argument-names.ts';
import type { TrainingArgumentsFields } from './arguments.ts';
import { TrainingArgumentsError } from './errors.ts';
import { near } from './near.ts';
import { optimizerNames } from './optimizers/table.ts';
import { schedulerTypes } from './schedules.ts';

interface Rule<T> {
  readonly initial: T;
  /** Completes "must be …". */
  readonly wants: string;
  readonly holds: (value: unknown) => boolean;
}

function number(initial: number, wants: string, holds: (x: number) => boolean): Rule<number> {
  return { initial, wants, holds: (x) => typeof x === 'number' && holds(x) };
}
const whole = (initial: number, least: number): Rule<number> =>
  number(initial, `a whole number ≥ ${least}`, (x) => Number.isSafeInteger(x) && x >= least);
const atLeast = (initial: number, least: number): Rule<number> =>
  number(initial, `a number ≥ ${least}`, (x) => x >= least && x < Infinity);
const share = (initial: number): Rule<number> => number(initial, 'a number from 0 to below 1', (x) => x >= 0 && x < 1);
const steps = (initial: number): Rule<number> =>
  number(
    initial,
    'a whole number ≥ 1, or a share of all steps between 0 and 1',
    (x) => (x > 0 && x < 1) || (Number.isSafeInteger(x) && x >= 1),
  );
const seed = (initial: number): Rule<number> =>
  number(initial, 'a whole number from 0 to 2³² − 1', (x) => Number.isInteger(x) && x >= 0 && x < 2 ** 32);
const flag = (initial: boolean): Rule<boolean> => ({
  initial,
  wants: 'true or false',
  holds: (x) => typeof x === 'boolean',
});
const text = (initial: string): Rule<string> => ({
  initial,
  wants: 'a text',
  holds: (x) => typeof x === 'string' && x !== '',
});
function oneOf<const T extends string>(initial: NoInfer<T>, values: readonly T[]): Rule<T> {
  return {
    initial,
    wants: `one of ${values.map((v) => `'${v}'`).join(', ')}`,
    holds: (x) => (values as readonly unknown[]).includes(x),
  };
}
function orNull<T>({ wants, holds }: Rule<T>): Rule<T | null> {
  return { initial: null, wants: `${wants}, or null`, holds: (x) => x === null || holds(x) };
}

const intervals = ['no', 'steps', 'epoch'] as const;

const rules: { readonly [K in keyof TrainingArgumentsFields]: Rule<TrainingArgumentsFields[K]> } = {
  output_dir: text('trainer_output'),
  per_device_train_batch_size: whole(8, 1),
  per_device_eval_batch_size: whole(8, 1),
  gradient_accumulation_steps: whole(1, 1),
  gradient_checkpointing: flag(false),
  num_train_epochs: number(3, 'a number > 0', (x) => x > 0 && x < Infinity),
  max_steps: number(-1, 'a whole number ≥ 1, or -1', (x) => Number.isSafeInteger(x) && (x >= 1 || x === -1)),
  learning_rate: atLeast(5e-5, 0),
  lr_scheduler_type: oneOf('linear', schedulerTypes),
  lr_scheduler_kwargs: {
    initial: null,
    wants: 'settings by name, numbers or texts, or null',
    holds: (x) =>
      x === null ||
      (typeof x === 'object' && Object.values(x).every((v) => typeof v === 'string' || Number.isFinite(v))),
  },
  warmup_steps: number(
    0,
    'a whole number ≥ 0, or a share of all steps below 1',
    (x) => x >= 0 && (x < 1 || Number.isSafeInteger(x)),
  ),
  warmup_ratio: number(0, 'a share of all steps from 0 to 1', (x) => x >= 0 && x <= 1),
  optim: oneOf('adamw_torch', optimizerNames),
  optim_args: orNull(text('')),
  weight_decay: atLeast(0, 0),
  adam_beta1: share(0.9),
  adam_beta2: share(0.999),
  adam_epsilon: atLeast(1e-8, 0),
  max_grad_norm: atLeast(1, 0),
  seed: seed(42),
  data_seed: orNull(seed(42)),
  logging_strategy: oneOf('steps', intervals),
  logging_steps: steps(500),
  logging_first_step: flag(false),
  logging_dir: orNull(text('')),
  report_to: {
    initial: 'all',
    wants: `'all', 'none', 'tensorboard' or ['tensorboard']`,
    holds: (x) =>
      Array.isArray(x) ? x.every((one) => one === 'tensorboard') : ['all', 'none', 'tensorboard'].includes(x as string),
  },
  disable_tqdm: orNull(flag(false)),
  eval_strategy: oneOf('no', intervals),
  eval_steps: orNull(steps(500)),
  eval_on_start: flag(false),
  prediction_loss_only: flag(false),
  save_strategy: oneOf('steps', [...intervals, 'best']),
  save_steps: steps(500),
  save_total_limit: orNull(whole(1, 1)),
  save_only_model: flag(false),
  load_best_model_at_end: flag(false),
  metric_for_best_model: orNull(text('loss')),
  greater_is_better: orNull(flag(true)),
  resume_from_checkpoint: {
    initial: null,
    wants: 'true, false, the path of a checkpoint, or null',
    holds: (x) => x === null || typeof x === 'boolean' || (typeof x === 'string' && x !== ''),
  },
  dataloader_drop_last: flag(false),
  train_sampling_strategy: oneOf('random', ['random', 'sequential', 'group_by_length']),
  group_by_length: flag(false),
  length_column_name: text('length'),
};

/** The names of the supported arguments. */
export const argumentNames = Object.keys(rules) as (keyof TrainingArgumentsFields)[];

/**
 * The fields that follow from what was given, and warnings for what is ignored.
 * @throws TrainingArgumentsError
 */
export function argumentProblems(given: Readonly<Record<string, unknown>>): {
  readonly fields: TrainingArgumentsFields;
  readonly warnings: readonly string[];
} {
  const fields: Record<string, unknown> = Object.fromEntries(
    Object.entries(rules).map(([name, { initial }]) => [name, initial]),
  );
  const warnings: string[] = [];
  for (const [written, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const name = Object.hasOwn(aliases, written) ? aliases[written as keyof typeof aliases] : written;
    if (Object.hasOwn(rules, name)) fields[name] = checked(name as keyof typeof rules, value);
    else if (Object.hasOwn(refused, name)) refuse(name as keyof typeof refused, value);
    else if (Object.hasOwn(ignored, name))
      warnings.push(`${name} has no effect: ${ignored[name as keyof typeof ignored]}`);
    else throw unknown(name);
  }
  const complete = fields as unknown as TrainingArgumentsFields;
  checkTogether(complete);
  return { fields: complete, warnings };
}

function checked(name: keyof typeof rules, value: unknown): unknown {
  const { wants, holds } = rules[name];
  if (!holds(value)) throw new TrainingArgumentsError(name, `${name} must be ${wants}; got ${show(value)}`);
  return value;
}

function refuse(name: keyof typeof refused, value: unknown): void {
  const [initial, why] = refused[name];
  if (show(value) !== show(initial))
    throw new TrainingArgumentsError(
      name,
      `${name}: ${show(value)} is not supported (${why}); leave it out, or at ${show(initial)}`,
    );
}

function unknown(name: string): TrainingArgumentsError {
  const close = near(name, [...argumentNames, ...Object.keys(refused), ...Object.keys(ignored)]);
  const hint =
    close.length > 0 ? `Did you mean ${close.join(' or ')}?` : `The arguments are ${argumentNames.join(', ')}.`;
  return new TrainingArgumentsError(name, `there is no training argument '${name}'. ${hint}`);
}

/** What holds between arguments. */
function checkTogether(a: TrainingArgumentsFields): void {
  if (a.save_strategy === 'best' && a.eval_strategy === 'no')
    throw new TrainingArgumentsError(
      'save_strategy',
      `save_strategy: 'best' compares evaluations, and eval_strategy is 'no'; set it to 'steps' or 'epoch'`,
    );
  if (a.lr_scheduler_type === 'reduce_lr_on_plateau' && a.eval_strategy === 'no')
    throw new TrainingArgumentsError(
      'lr_scheduler_type',
      `lr_scheduler_type: 'reduce_lr_on_plateau' goes by evaluations, and eval_strategy is 'no'; set it to 'steps' or 'epoch'`,
    );
  if (!a.load_best_model_at_end || a.save_strategy === 'best') return;
  if (a.save_strategy !== a.eval_strategy || a.eval_strategy === 'no')
    throw new TrainingArgumentsError(
      'load_best_model_at_end',
      `load_best_model_at_end wants a checkpoint for every evaluation: save_strategy is '${a.save_strategy}', eval_strategy '${a.eval_strategy}'; set both to 'steps' or both to 'epoch'`,
    );
  const every = a.eval_steps ?? a.logging_steps;
  const multiple = a.save_steps / every;
  if (a.save_strategy === 'steps' && Math.abs(multiple - Math.round(multiple)) > 1e-9)
    throw new TrainingArgumentsError(
      'load_best_model_at_end',
      `load_best_model_at_end wants save_steps to be a multiple of the steps between evaluations: ${a.save_steps} is not one of ${every}`,
    );
}

function show(value: unknown): string {
  return typeof value === 'function' ? 'a function' : (JSON.stringify(value) ?? String(value));
}
