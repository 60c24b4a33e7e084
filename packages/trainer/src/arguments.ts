/**
 * `TrainingArguments` with the names and defaults of transformers' class: which there are. How they are checked stands in
 * `argument-rules.ts`, what becomes of the names that are not supported in `argument-names.ts`.
 */
import type { IgnoredName, RefusedName, AliasName } from './argument-names.ts';
import { argumentProblems } from './argument-rules.ts';
import type { OptimizerName } from './optimizers/table.ts';
import type { SchedulerType, ScheduleSettings } from './schedules.ts';

/** When something happens: never, every so many steps, or at the end of every epoch. */
export type IntervalStrategy = 'no' | 'steps' | 'epoch';

/** Every supported argument. */
export interface TrainingArgumentsFields {
  /** Where checkpoints go. Default `trainer_output`. */
  output_dir: string;

  /** Examples in a batch of training. Default 8. */
  per_device_train_batch_size: number;
  /** Examples in a batch of evaluation. Default 8. */
  per_device_eval_batch_size: number;
  /** Batches whose gradients are averaged into one step. Default 1. */
  gradient_accumulation_steps: number;
  /** Less memory for more time: the layers of the model are computed again in the backward pass. Same results. Default `false`. */
  gradient_checkpointing: boolean;
  /** How many times the dataset is gone through; may be a fraction. Default 3. */
  num_train_epochs: number;
  /** How many steps are taken; overrides `num_train_epochs` when > 0. Default −1. */
  max_steps: number;

  /** The learning rate after warm-up. Default 5e-5. */
  learning_rate: number;
  /** The curve of the learning rate. Default `linear`. */
  lr_scheduler_type: SchedulerType;
  /** Further settings of the curve: `{ num_cycles }` for `cosine`, `{ min_lr_rate }` for `cosine_with_min_lr`, … Default `null`. */
  lr_scheduler_kwargs: ScheduleSettings | null;
  /** Steps in which the learning rate rises from 0; below 1, a share of all steps. Default 0. */
  warmup_steps: number;
  /** The same as a share of all steps; `warmup_steps` goes first. Default 0. */
  warmup_ratio: number;

  /** The optimizer. Default `adamw_torch` (`adamw_torch_fused` is the same here). */
  optim: OptimizerName;
  /** Settings of the optimizer that have no argument of their own: `momentum=0.9, nesterov=true` for `sgd`. Default `null`. */
  optim_args: string | null;
  /** Weight decay of all parameters but biases and normalisations. Default 0. */
  weight_decay: number;
  /** Decay of AdamW's mean of gradients. Default 0.9. */
  adam_beta1: number;
  /** Decay of AdamW's mean of squared gradients. Default 0.999. */
  adam_beta2: number;
  /** Added to AdamW's denominator. Default 1e-8. */
  adam_epsilon: number;
  /** Gradients are scaled down to this norm; 0 leaves them. Default 1. */
  max_grad_norm: number;

  /** Seed of dropout. Default 42. */
  seed: number;
  /** Seed of the order of the data; `null` takes `seed`. Default `null`. */
  data_seed: number | null;

  /** When the loss is logged. Default `steps`. */
  logging_strategy: IntervalStrategy;
  /** Steps between logs; below 1, a share of all steps. Default 500. */
  logging_steps: number;
  /** Whether the first step is logged too. Default `false`. */
  logging_first_step: boolean;
  /** Folder of the event log; `null` is `<output_dir>/runs/<date>_<host>`. Default `null`. */
  logging_dir: string | null;
  /** Where is logged to: `tensorboard` wants `@sinter/logger`, `all` takes it where it is installed. Default `all`. */
  report_to: 'all' | 'none' | 'tensorboard' | readonly 'tensorboard'[];
  /** No progress bar, the logs are printed. Default `null`, which is `false`. */
  disable_tqdm: boolean | null;

  /** When the evaluation dataset is gone through. Default `no`. */
  eval_strategy: IntervalStrategy;
  /** Steps between evaluations; below 1, a share of all steps; `null` is `logging_steps`. Default `null`. */
  eval_steps: number | null;
  /** Evaluate before the first step. Default `false`. */
  eval_on_start: boolean;
  /** Keep only the loss of an evaluation: no predictions, no `compute_metrics`. Default `false`. */
  prediction_loss_only: boolean;

  /** When checkpoints are written; `best` after an evaluation that was better than all before. Default `steps`. */
  save_strategy: IntervalStrategy | 'best';
  /** Steps between checkpoints; below 1, a share of all steps. Default 500. */
  save_steps: number;
  /** How many checkpoints are kept, the newest and the best; `null` keeps all. Default `null`. */
  save_total_limit: number | null;
  /** Checkpoints without what resuming needs. Default `false`. */
  save_only_model: boolean;
  /** At the end the weights of the best checkpoint are taken. Default `false`. */
  load_best_model_at_end: boolean;
  /** What "best" is measured by: `loss`, or a key of `compute_metrics`. `null` is `loss` where a best is asked for. */
  metric_for_best_model: string | null;
  /** Whether larger is better; `null` is yes but for a metric that ends in `loss`. Default `null`. */
  greater_is_better: boolean | null;
  /** Go on from the last checkpoint of `output_dir` (`true`) or from this one. Default `null`. */
  resume_from_checkpoint: boolean | string | null;

  /** Leave out the last batch of an epoch if it is not full. Default `false`. */
  dataloader_drop_last: boolean;
  /** The order of the data; `group_by_length` puts examples of like length together. Default `random`. */
  train_sampling_strategy: 'random' | 'sequential' | 'group_by_length';
  /** The same as `train_sampling_strategy: 'group_by_length'`. Default `false`. */
  group_by_length: boolean;
  /** The field with an example's length, if there is one. Default `length`. */
  length_column_name: string;
}

/** What {@link TrainingArguments} is made from; what is left out has its default. */
export type TrainingArgumentsInit = {
  readonly [K in keyof TrainingArgumentsFields]?: TrainingArgumentsFields[K] | undefined;
} & {
  readonly [K in IgnoredName | RefusedName | AliasName]?: unknown;
};

/** The arguments, checked and complete. */
export interface TrainingArguments extends Readonly<TrainingArgumentsFields> {}

/**
 * The settings of a training, with the names and defaults of transformers' class of the same name.
 *
 * Arguments that mean nothing here (CUDA, clusters) are accepted and ignored with a warning; those that would change the
 * result and are not there are refused.
 */
export class TrainingArguments {
  /**
   * @param given - arguments by name
   * @throws TrainingArgumentsError for an unknown name, a wrong value, or two that contradict each other
   */
  constructor(given: TrainingArgumentsInit = {}) {
    const { fields, warnings } = argumentProblems(given as Readonly<Record<string, unknown>>);
    Object.assign(this, fields);
    Object.freeze(this);
    for (const warning of warnings) process.emitWarning(warning, 'TrainingArgumentsWarning');
  }
}
