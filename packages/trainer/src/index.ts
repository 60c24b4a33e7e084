/**
 * Fine-tunes models with the words of Hugging Face's `Trainer`. The whole step is one compiled graph.
 *
 * @packageDocumentation
 */
export { Trainer } from './trainer.ts';
export type { PredictionOutput, TrainerOptions, TrainOptions, TrainOutput } from './trainer-options.ts';
export { TrainingArguments } from './arguments.ts';
export type { IntervalStrategy, TrainingArgumentsFields, TrainingArgumentsInit } from './arguments.ts';
export type { AliasName, IgnoredName, RefusedName } from './argument-names.ts';
export type { InputSpec, ParameterData, ProcessingClass, Sink, TrainableModel } from './model.ts';

export type { Dataset, DatasetWithAt, DatasetWithGet, Feature, MaybeLater } from './data/dataset.ts';
export { dataCollatorWithPadding } from './data/collate.ts';
export type { Batch, CollatorOptions, DataCollator } from './data/collate.ts';
export { dataCollatorForLanguageModeling } from './data/masking.ts';
export type { LanguageModelingOptions, MaskingTokenizer } from './data/masking.ts';

export { classificationMetrics, confusionMatrix, predictedClasses } from './metrics.ts';
export type { ClassificationMetrics, ComputeMetrics, EvalPrediction } from './metrics.ts';

export { bleu } from './metrics/bleu.ts';
export type { BleuOptions, BleuTokens } from './metrics/bleu.ts';
export { chrf } from './metrics/chrf.ts';
export type { ChrfOptions } from './metrics/chrf.ts';

export type {
  CallbackContext,
  CallbackEvent,
  EventName,
  LogEntry,
  Logs,
  StepResult,
  TrainerCallback,
  TrainerControl,
  TrainerState,
} from './callbacks/callback.ts';
export { earlyStoppingCallback } from './callbacks/early-stopping.ts';
export type { EarlyStoppingOptions } from './callbacks/early-stopping.ts';
export { eventLogCallback } from './callbacks/event-log.ts';
export { printerCallback } from './callbacks/printer.ts';
export { progressCallback } from './callbacks/progress.ts';
export type { ProgressOptions } from './callbacks/progress.ts';

export { accumulateStep, applyStep, evaluateStep, trainStep } from './step.ts';
export type { StepOptions, Trained } from './step.ts';
export { adafactor } from './optimizers/adafactor.ts';
export type { AdafactorOptions } from './optimizers/adafactor.ts';
export { adagrad, rmsprop } from './optimizers/adagrad.ts';
export type { RootOptions } from './optimizers/adagrad.ts';
export { adamw } from './optimizers/adamw.ts';
export type { AdamWOptions } from './optimizers/adamw.ts';
export { adamw8bit } from './optimizers/adamw-8bit.ts';
export { lion } from './optimizers/lion.ts';
export type { LionOptions } from './optimizers/lion.ts';
export { sgd } from './optimizers/sgd.ts';
export type { SgdOptions } from './optimizers/sgd.ts';
export type { OptimizerName } from './optimizers/table.ts';
export { clip, globalNorm } from './optimizers/clip.ts';
export { decays } from './optimizers/decay.ts';
export type { Optimizer, OptimizerFor, StepScalars } from './optimizers/optimizer.ts';
export type { Anomaly } from './anomaly.ts';
export { schedule, schedulerTypes } from './schedules.ts';
export type { RampType, Schedule, ScheduleOptions, SchedulerType, ScheduleSettings } from './schedules.ts';
export type { PlateauSettings } from './plateau.ts';

export {
  DataError,
  NonFiniteLossError,
  ResumeError,
  TrainerError,
  TrainingArgumentsError,
  TrainingInterruptedError,
} from './errors.ts';
export type { NonFinite } from './errors.ts';
