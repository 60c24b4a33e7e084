/** The events of a training, with the names that `TrainerCallback` of transformers has, and the state that they see. */
import type { TrainingArguments } from '../arguments.ts';
import type { TrainableModel } from '../model.ts';

/** Numbers by name, such as `{ eval_loss: 0.3 }`. */
export type Logs = Readonly<Record<string, number>>;

/** One entry of `log_history`: what was logged, and at which step. */
export type LogEntry = Readonly<Record<string, number>> & { readonly step: number };

/** How far a training is: what `trainer_state.json` holds, key for key. */
export interface TrainerState {
  best_global_step: number | null;
  best_metric: number | null;
  best_model_checkpoint: string | null;
  /** Epochs done, with the part of the current one. */
  epoch: number;
  eval_steps: number;
  /** Optimizer steps done. */
  global_step: number;
  is_hyper_param_search: boolean;
  is_local_process_zero: boolean;
  is_world_process_zero: boolean;
  log_history: LogEntry[];
  logging_steps: number;
  max_steps: number;
  /** Tokens fed so far, padding not counted; examples where there is no text. */
  num_input_tokens_seen: number;
  num_train_epochs: number;
  save_steps: number;
  stateful_callbacks: Record<string, unknown>;
  total_flos: number;
  train_batch_size: number;
  trial_name: string | null;
  trial_params: unknown;
}

/** What is to happen next; callbacks set these. */
export interface TrainerControl {
  should_training_stop: boolean;
  should_save: boolean;
  should_evaluate: boolean;
  should_log: boolean;
}

/** What an optimizer step gave. */
export interface StepResult {
  readonly loss: number;
  /** The norm of the gradient before clipping. */
  readonly grad_norm: number;
  readonly learning_rate: number;
  /** Tokens of the step, padding not counted; examples where there is no text. */
  readonly tokens: number;
}

/** What an event is about, besides the state. */
export interface CallbackContext {
  readonly model: TrainableModel;
  /** `on_log`: what is logged. */
  readonly logs?: Logs;
  /** `on_evaluate`, `on_predict`: what was measured. */
  readonly metrics?: Logs;
  /** `on_step_end`: what the step gave. */
  readonly result?: StepResult;
  /** `on_save`: the checkpoint. */
  readonly checkpoint?: string;
  /** `on_prediction_step`: which batch of how many is done. */
  readonly batch?: { readonly done: number; readonly of: number };
}

/** A function that is called at an event. */
export type CallbackEvent = (
  args: TrainingArguments,
  state: TrainerState,
  control: TrainerControl,
  context: CallbackContext,
) => void | Promise<void>;

/** The names of all events. */
export type EventName =
  | 'on_train_begin'
  | 'on_train_end'
  | 'on_epoch_begin'
  | 'on_epoch_end'
  | 'on_step_begin'
  | 'on_substep_end'
  | 'on_step_end'
  | 'on_evaluate'
  | 'on_predict'
  | 'on_save'
  | 'on_log'
  | 'on_prediction_step';

/** A control that asks for nothing. */
export function idle(): TrainerControl {
  return { should_training_stop: false, should_save: false, should_evaluate: false, should_log: false };
}

/** The state before the first step. */
export function freshState(args: TrainingArguments): TrainerState {
  return {
    best_global_step: null,
    best_metric: null,
    best_model_checkpoint: null,
    epoch: 0,
    eval_steps: 0,
    global_step: 0,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: [],
    logging_steps: 0,
    max_steps: 0,
    num_input_tokens_seen: 0,
    num_train_epochs: 0,
    save_steps: 0,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: args.per_device_train_batch_size,
    trial_name: null,
    trial_params: null,
  };
}

/** Functions by event. They may change `control` and the metrics of `state`; whatever they return is awaited. */
export type TrainerCallback = { readonly [E in EventName]?: CallbackEvent };
