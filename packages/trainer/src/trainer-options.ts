/** What goes into a trainer, and what comes out of it. */
import type { Backend, Cache } from '@sinter/compiler';
import type { TensorData } from '@sinter/ir';
import type { TrainingArguments } from './arguments.ts';
import type { Logs, TrainerCallback } from './callbacks/callback.ts';
import type { DataCollator } from './data/collate.ts';
import type { Dataset } from './data/dataset.ts';
import type { ComputeMetrics } from './metrics.ts';
import type { ProcessingClass, Sink, TrainableModel } from './model.ts';
import type { OptimizerFor } from './optimizers/optimizer.ts';

/** What a `Trainer` is made from. */
export interface TrainerOptions {
  readonly model: TrainableModel;
  /** Default: `new TrainingArguments()`. */
  readonly args?: TrainingArguments | undefined;
  readonly train_dataset?: Dataset | undefined;
  readonly eval_dataset?: Dataset | undefined;
  /** Makes batches. Default: `dataCollatorWithPadding` for the model and the tokenizer. */
  readonly data_collator?: DataCollator | undefined;
  /** Measures the predictions of an evaluation: `classificationMetrics`, for example. */
  readonly compute_metrics?: ComputeMetrics | undefined;
  /** Called at every event, before what shows the progress. */
  readonly callbacks?: readonly TrainerCallback[] | undefined;
  /** Shows the progress; `{}` shows nothing. Default: `progressCallback()`, or `printerCallback()` by `disable_tqdm`. */
  readonly progress?: TrainerCallback | undefined;
  /** Runs the compiled steps. Default: `cpu()` of `@sinter/backend-cpu`, if that is installed. */
  readonly backend?: Backend | undefined;
  /** Where compiled steps are kept; `false`: nowhere. Default: `diskCache()` of `@sinter/compiler/cache`, in the user's cache folder. */
  readonly cache?: Cache | false | undefined;
  /** Takes the log; it is flushed and left open. Default: what `report_to` asks for. */
  readonly sink?: Sink | undefined;
  /** The tokenizer: it is saved with the model, and says what to pad with. */
  readonly processing_class?: ProcessingClass | undefined;
  /** The same. */
  readonly tokenizer?: ProcessingClass | undefined;
  /** Which optimizer a parameter has. Default: AdamW by the arguments. */
  readonly optimizer?: OptimizerFor | undefined;
}

/** What `Trainer.train` takes. */
export interface TrainOptions {
  /** Go on from the last checkpoint of `output_dir` (`true`) or from this one. Default: that of the arguments. */
  readonly resume_from_checkpoint?: boolean | string | null | undefined;
  /** Aborting it stops training after the current step, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

/** What a training gave. */
export interface TrainOutput {
  readonly global_step: number;
  /** The mean loss of all steps. */
  readonly training_loss: number;
  /** `train_runtime` (seconds), `train_samples_per_second`, `train_steps_per_second`, `train_loss`, `epoch`. */
  readonly metrics: Logs;
}

/** What `Trainer.predict` gives. */
export interface PredictionOutput {
  /** The logits of all examples, in their order. */
  readonly predictions: TensorData;
  readonly label_ids: TensorData | undefined;
  readonly metrics: Logs;
}
