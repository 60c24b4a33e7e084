/** The training loop, on one screen. What happens around a step (when to log, evaluate, save and stop, what is shown) is callbacks. */
import { diskCache } from '@sinter/compiler/cache';
import { TrainingArguments } from './arguments.ts';
import type {
  CallbackContext,
  EventName,
  Logs,
  StepResult,
  TrainerCallback,
  TrainerControl,
  TrainerState,
} from './callbacks/callback.ts';
import { freshState, idle } from './callbacks/callback.ts';
import { defaultFlow } from './callbacks/default-flow.ts';
import { eventLogCallback } from './callbacks/event-log.ts';
import { printerCallback } from './callbacks/printer.ts';
import { progressCallback } from './callbacks/progress.ts';
import { readWeights, writeModel } from './checkpoint.ts';
import { epochBatches, inBatches } from './data/batches.ts';
import type { DataCollator } from './data/collate.ts';
import { dataCollatorWithPadding, examplesOf } from './data/collate.ts';
import type { Dataset } from './data/dataset.ts';
import { exampleLengths, loadBatch } from './data/loader.ts';
import { TrainerError, TrainingInterruptedError } from './errors.ts';
import type { Evaluation } from './evaluation.ts';
import { evaluationLoop } from './evaluation.ts';
import { interruption } from './interruption.ts';
import type { ProcessingClass, Sink, TrainableModel } from './model.ts';
import { defaultBackend, defaultSink } from './peers.ts';
import { Programs } from './programs.ts';
import { Run } from './run.ts';
import { runLength } from './run-length.ts';
import type { PredictionOutput, TrainerOptions, TrainOptions, TrainOutput } from './trainer-options.ts';
import { trainingStep } from './training-step.ts';

/**
 * Trains and evaluates a model: `Trainer` of transformers, in its words.
 *
 * `model.parameters` has the trained weights when `train()` ends, however it ends. Compiled programs are kept until
 * {@link Trainer.close}; they do not keep the process alive.
 */
export class Trainer {
  readonly model: TrainableModel;
  readonly args: TrainingArguments;
  /** How far training is. */
  state: TrainerState;
  /** What is to happen next. */
  control: TrainerControl = idle();

  readonly #options: TrainerOptions;
  readonly #processing: ProcessingClass | undefined;
  readonly #collate: DataCollator;
  readonly #callbacks: TrainerCallback[];
  #opened: Promise<Opened> | undefined;
  #run: Run | undefined;

  constructor(options: TrainerOptions) {
    const { model, args = new TrainingArguments(), callbacks = [] } = options;
    this.model = model;
    this.args = args;
    this.state = freshState(args);
    this.#options = options;
    this.#processing = options.processing_class ?? options.tokenizer;
    this.#collate =
      options.data_collator ??
      dataCollatorWithPadding({
        inputs: model.inputs,
        dims: model.dims,
        pad_token_id: padToken(model, this.#processing),
      });
    const progress = options.progress ?? (args.disable_tqdm ? printerCallback() : progressCallback());
    this.#callbacks = [...callbacks, progress];
  }

  /**
   * Trains, from the beginning or from a checkpoint.
   * @throws TrainingInterruptedError after Ctrl-C or an abort, with the checkpoint that was written
   * @throws NonFiniteLossError if the loss or the gradient is NaN or infinite
   * @throws DataError, ResumeError, TrainingArgumentsError
   */
  async train(options: TrainOptions = {}): Promise<TrainOutput> {
    options.signal?.throwIfAborted();
    const { model, args } = this;
    const dataset = this.#options.train_dataset ?? missing('train', 'train_dataset');
    const length = runLength(args, dataset.length);
    const { programs } = await this.#open();
    const { batch: like } = await loadBatch(dataset, [0], this.#collate);
    const step = await trainingStep(model, programs, args, length, like, this.#options.optimizer);
    const from = options.resume_from_checkpoint ?? args.resume_from_checkpoint ?? false;
    const run = await Run.begin(
      { model, args, programs, length, examples: dataset.length, processing: this.#processing },
      from,
    );
    this.#run = run;
    const order = await this.#order(dataset);
    const { state } = run;
    const control = (this.control = { ...idle(), should_training_stop: state.global_step >= length.max_steps });
    this.state = state;

    const interrupt = interruption(options.signal);
    try {
      await this.#emit('on_train_begin');
      if (args.eval_on_start && state.global_step === 0) await this.evaluate();
      let steps: number[][][] = [];
      while (!control.should_training_stop) {
        if (steps.length === 0 || run.position === 0) {
          steps = order(run.epoch);
          await this.#emit('on_epoch_begin');
        }
        const batches = await Promise.all(
          steps[run.position]!.map((indices) => loadBatch(dataset, indices, this.#collate)),
        );
        await this.#emit('on_step_begin');
        const result = await step.take(batches, () => this.#emit('on_substep_end'));
        const examples = batches.reduce((sum, { batch }) => sum + examplesOf(batch), 0);
        await run.count(result, examples, () => step.diagnose(batches));
        await this.#emit('on_step_end', { result });
        if (run.position === 0 || control.should_training_stop) await this.#emit('on_epoch_end');
        const stop = interrupt.requested;
        await this.#react(run, result, stop);
        if (stop) throw new TrainingInterruptedError(state.global_step, state.max_steps, (await run.saved())!);
      }
      await run.saved();
      await programs.pull();
      if (args.load_best_model_at_end && state.best_model_checkpoint !== null) {
        await readWeights(state.best_model_checkpoint, model);
        await programs.push();
      }
      const { training_loss, metrics } = run.summary();
      await this.log(metrics);
      return { global_step: state.global_step, training_loss, metrics: { ...metrics, epoch: state.epoch } };
    } catch (error) {
      // What went wrong first is what is told.
      await run.saved().catch(() => undefined);
      await programs.pull().catch(() => undefined);
      throw error;
    } finally {
      interrupt.end();
      await this.#emit('on_train_end');
    }
  }

  /** Does what the callbacks asked for. A run that stops leaves a checkpoint to go on from. */
  async #react(run: Run, { grad_norm, learning_rate }: StepResult, stop: boolean): Promise<void> {
    const { control } = this;
    if (control.should_log) await this.log({ loss: run.takeLoss(), grad_norm, learning_rate });
    if (control.should_evaluate) {
      const metrics = await this.evaluate();
      if (run.judge(metrics) && this.args.save_strategy === 'best') control.should_save = true;
      await run.watch(metrics);
    }
    if (control.should_save || stop)
      await run.save(stop || !this.args.save_only_model, (checkpoint) => this.#emit('on_save', { checkpoint }));
    Object.assign(control, { ...idle(), should_training_stop: control.should_training_stop });
  }

  /**
   * Measures the model on a dataset (default `eval_dataset`): `eval_loss`, what `compute_metrics` gives, and how fast it
   * went. The result is logged.
   */
  async evaluate(dataset?: Dataset, options: { readonly metric_key_prefix?: string } = {}): Promise<Logs> {
    const data = dataset ?? this.#options.eval_dataset ?? missing('evaluate', 'eval_dataset');
    const keep = this.#options.compute_metrics !== undefined && !this.args.prediction_loss_only;
    const { metrics } = await this.#evaluate(data, options.metric_key_prefix ?? 'eval', keep);
    await this.log(metrics);
    await this.#emit('on_evaluate', { metrics });
    return metrics;
  }

  /** The logits of a dataset, its labels if it has any, and measures with the prefix `test`. Nothing is logged. */
  async predict(dataset: Dataset, options: { readonly metric_key_prefix?: string } = {}): Promise<PredictionOutput> {
    const { predictions, label_ids, metrics } = await this.#evaluate(
      dataset,
      options.metric_key_prefix ?? 'test',
      true,
    );
    await this.#emit('on_predict', { metrics });
    return { predictions: predictions ?? { data: new Float32Array(), shape: [0] }, label_ids, metrics };
  }

  /** Writes the model, the tokenizer and `training_args.json` into a folder (default `output_dir`). */
  async save_model(folder: string = this.args.output_dir): Promise<void> {
    // A checkpoint that is being written reads the same weights.
    await this.#run?.saved();
    await (await this.#opened)?.programs.pull();
    await writeModel(folder, this.model, this.args, this.#processing);
  }

  /** Logs numbers: they go into `state.log_history` and to all callbacks. */
  async log(logs: Logs): Promise<void> {
    const all: Logs = { ...logs, epoch: this.state.epoch };
    this.state.log_history.push({ ...all, step: this.state.global_step });
    await this.#emit('on_log', { logs: all });
  }

  /** Adds a callback; it is called after those that are there. */
  add_callback(callback: TrainerCallback): void {
    this.#callbacks.push(callback);
  }

  /** Frees the compiled programs and closes the log. A later call opens them again. */
  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    await opened?.programs.close();
    await opened?.ownSink?.close();
  }

  /** `await using` closes the trainer. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Backend and log are looked for when they are first needed. */
  #open(): Promise<Opened> {
    const open = async (): Promise<Opened> => {
      const { backend = await defaultBackend(), cache = diskCache(), sink } = this.#options;
      const ownSink = sink ? undefined : await defaultSink(this.args);
      const to = sink ?? ownSink;
      return {
        programs: new Programs(backend, this.model, cache || undefined),
        ownSink,
        log: to ? eventLogCallback(to) : {},
      };
    };
    return (this.#opened ??= open());
  }

  /** The batches of an epoch, by optimizer step, as positions in the dataset. */
  async #order(dataset: Dataset): Promise<(epoch: number) => number[][][]> {
    const { args } = this;
    const grouped = args.group_by_length || args.train_sampling_strategy === 'group_by_length';
    const lengths = grouped ? await exampleLengths(dataset, args.length_column_name) : undefined;
    return (epoch) => inBatches(epochBatches(args, epoch, dataset.length, lengths), args.gradient_accumulation_steps);
  }

  async #evaluate(dataset: Dataset, prefix: string, keep: boolean): Promise<Evaluation> {
    const { programs } = await this.#open();
    return evaluationLoop(this.model, programs, dataset, {
      batch_size: this.args.per_device_eval_batch_size,
      collate: this.#collate,
      compute_metrics: this.#options.compute_metrics,
      keep,
      prefix,
      onBatch: (done, of) => this.#emit('on_prediction_step', { batch: { done, of } }),
    });
  }

  async #emit(event: EventName, context: Omit<CallbackContext, 'model'> = {}): Promise<void> {
    const log = (await this.#opened)?.log ?? {};
    for (const callback of [defaultFlow, log, ...this.#callbacks]) {
      await callback[event]?.(this.args, this.state, this.control, { model: this.model, ...context });
    }
  }
}

interface Opened {
  readonly programs: Programs;
  /** The log that this trainer has opened, and has to close. */
  readonly ownSink: Sink | undefined;
  readonly log: TrainerCallback;
}

function missing(method: string, option: string): never {
  throw new TrainerError(`${method}() needs a dataset: new Trainer({ ${option}, … })`);
}

function padToken(model: TrainableModel, processing: ProcessingClass | undefined): number | null | undefined {
  const { pad_token_id } = model.config as { readonly pad_token_id?: unknown };
  return processing?.pad_token_id ?? (typeof pad_token_id === 'number' ? pad_token_id : undefined);
}
