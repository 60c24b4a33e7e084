/** One run of training: how far it is, and how it begins, is saved and is found again. */
import { join } from 'node:path';
import type { Anomaly } from './anomaly.ts';
import type { TrainingArguments } from './arguments.ts';
import { isBetter, isGreaterBetter, metricName } from './best.ts';
import type { Logs, StepResult, TrainerState } from './callbacks/callback.ts';
import { freshState } from './callbacks/callback.ts';
import type { LoopState } from './checkpoint.ts';
import { lastCheckpoint, readCheckpoint, resumableCheckpoints, rotate, writeCheckpoint } from './checkpoint.ts';
import { NonFiniteLossError, ResumeError, TrainerError } from './errors.ts';
import type { ProcessingClass, TrainableModel } from './model.ts';
import { evaluated, noPlateau } from './plateau.ts';
import type { Programs } from './programs.ts';
import type { RunLength } from './run-length.ts';
import { plateauFactor } from './schedules.ts';

/** What a run is about. */
export interface RunOptions {
  readonly model: TrainableModel;
  readonly args: TrainingArguments;
  readonly programs: Programs;
  readonly length: RunLength;
  /** Examples of the dataset. */
  readonly examples: number;
  readonly processing: ProcessingClass | undefined;
}

/** How far a run is. */
export class Run {
  readonly state: TrainerState;
  readonly #loop: LoopState;
  readonly #options: RunOptions;
  readonly #began: { readonly time: number; readonly step: number };
  #examples = 0;
  /** The newest checkpoint of this run that can be resumed from. */
  #checkpoint: string | undefined;
  /** The checkpoint that is being written. */
  #saving: Promise<void> | undefined;
  /** Why it could not be. */
  #failure: unknown;

  private constructor(options: RunOptions, state: TrainerState, loop: LoopState) {
    const { max_steps, epochs: num_train_epochs, logging_steps, eval_steps, save_steps } = options.length;
    this.state = { ...state, max_steps, num_train_epochs, logging_steps, eval_steps, save_steps };
    this.#loop = loop;
    this.#options = options;
    this.#began = { time: performance.now(), step: state.global_step };
  }

  /** A run as it is before the first step (`from` false), or as the last (`true`) or a given checkpoint has it. @throws ResumeError */
  static async begin(options: RunOptions, from: boolean | string): Promise<Run> {
    const { model, args, programs, examples } = options;
    if (from === false) {
      const [old] = await resumableCheckpoints(args.output_dir);
      if (old !== undefined)
        process.emitWarning(
          `${args.output_dir} has checkpoints of an earlier run: resume_from_checkpoint: true may take them for this one's`,
          { type: 'TrainerWarning', detail: `the last is ${old}` },
        );
      await programs.writeOptimizer({ rng: Uint32Array.of(args.seed, 0), [plateauFactor]: Float32Array.of(1) });
      await programs.push();
      return new Run(options, freshState(args), { examples, loss_sum: 0, loss_since_log: 0, logged_step: 0 });
    }
    const warn = (damaged: string, damage: string): void =>
      process.emitWarning(`${damaged} is damaged and passed over: ${damage}`, 'TrainerWarning');
    const folder = from === true ? await lastCheckpoint(args.output_dir, warn) : from;
    if (folder === undefined)
      throw new ResumeError(
        args.output_dir,
        `there is no checkpoint to resume from in ${args.output_dir}; call train() without resume_from_checkpoint`,
      );
    const { state, loop, optimizer } = await readCheckpoint(folder, model, {
      args,
      examples,
      optimizer: programs.optimizerNames(),
    });
    await programs.writeOptimizer(optimizer);
    await programs.push();
    const run = new Run(options, state, loop);
    run.#checkpoint = folder;
    return run;
  }

  /** Which epoch the next step is of. */
  get epoch(): number {
    return Math.floor(this.state.global_step / this.#options.length.stepsPerEpoch);
  }

  /** Which step of its epoch the next one is. */
  get position(): number {
    return this.state.global_step % this.#options.length.stepsPerEpoch;
  }

  /**
   * Counts a step; `diagnose` is asked why if its loss or gradient is not finite.
   * @throws NonFiniteLossError if it failed: then it was not applied; TrainerError if a checkpoint could not be written
   */
  async count(result: StepResult, examples: number, diagnose: () => Promise<Anomaly | undefined>): Promise<void> {
    const { state } = this;
    if (this.#failure !== undefined) throw this.#failure as Error;
    if (!Number.isFinite(result.loss) || !Number.isFinite(result.grad_norm)) {
      const checkpoint = await this.saved();
      // A search that fails must not hide what it was about.
      const anomaly = await diagnose().catch(() => undefined);
      throw new NonFiniteLossError({ ...result, step: state.global_step + 1, checkpoint, anomaly });
    }
    state.global_step++;
    state.epoch = state.global_step / this.#options.length.stepsPerEpoch;
    state.num_input_tokens_seen += result.tokens;
    this.#loop.loss_sum += result.loss;
    this.#loop.loss_since_log += result.loss;
    this.#examples += examples;
  }

  /** The mean loss since this was asked last. */
  takeLoss(): number {
    const loss = this.#loop.loss_since_log / (this.state.global_step - this.#loop.logged_step);
    Object.assign(this.#loop, { loss_since_log: 0, logged_step: this.state.global_step });
    return loss;
  }

  /** Remembers the evaluation of this step if it is the best one; says whether it is. */
  judge(metrics: Logs): boolean {
    const { args } = this.#options;
    const value = metrics[metricName(args)];
    if (value === undefined && args.metric_for_best_model !== null)
      throw new TrainerError(
        `metric_for_best_model is '${args.metric_for_best_model}'; the evaluation has ${Object.keys(metrics).join(', ')}`,
      );
    if (value === undefined || !isBetter(args, value, this.state.best_metric)) return false;
    this.state.best_metric = value;
    this.state.best_global_step = this.state.global_step;
    return true;
  }

  /** Lowers the learning rate if evaluations have stopped getting better and the schedule goes by them. */
  async watch(metrics: Logs): Promise<void> {
    const { args, programs } = this.#options;
    const value = metrics[metricName(args)];
    if (args.lr_scheduler_type !== 'reduce_lr_on_plateau' || value === undefined) return;
    const before = this.#loop.plateau ?? noPlateau;
    const mode = isGreaterBetter(args) ? 'max' : 'min';
    const after = (this.#loop.plateau = evaluated(before, value, args.lr_scheduler_kwargs ?? {}, mode));
    if (after.factor !== before.factor) await programs.write(plateauFactor, Float32Array.of(after.factor));
  }

  /**
   * Begins a checkpoint, with what resuming needs or without: what it holds is copied, and written beside the steps that follow. `onSaved` is
   * told its folder. One is written at a time.
   * @throws TrainerError if the one before could not be written
   */
  async save(resumable: boolean, onSaved: (folder: string) => Promise<void>): Promise<void> {
    await this.saved();
    const { model, args, programs, processing } = this.#options;
    const folder = join(args.output_dir, `checkpoint-${this.state.global_step}`);
    if (this.state.best_global_step === this.state.global_step) this.state.best_model_checkpoint = folder;
    await programs.pull();
    const optimizer = resumable ? await programs.readOptimizer() : undefined;
    const [state, loop] = [structuredClone(this.state), structuredClone(this.#loop)];
    const write = async (): Promise<void> => {
      await writeCheckpoint(folder, model, { state, loop, args, optimizer }, processing, this.#checkpoint);
      if (resumable) this.#checkpoint = folder;
      await rotate(args.output_dir, args.save_total_limit, [folder, state.best_model_checkpoint]);
      await onSaved(folder);
    };
    this.#saving = write();
    // Told where the run waits for it, or at its next step.
    this.#saving.catch((error: unknown) => (this.#failure = error));
  }

  /** The checkpoint that is under way is on the disk; gives the newest that can be resumed from. @throws TrainerError if it could not be written */
  async saved(): Promise<string | undefined> {
    await this.#saving;
    return this.#checkpoint;
  }

  /** The mean loss of all steps, and how fast those of this process were. */
  summary(): { readonly training_loss: number; readonly metrics: Logs } {
    const { global_step } = this.state;
    const seconds = (performance.now() - this.#began.time) / 1000;
    const training_loss = global_step === 0 ? 0 : this.#loop.loss_sum / global_step;
    return {
      training_loss,
      metrics: {
        train_runtime: seconds,
        train_samples_per_second: this.#examples / seconds,
        train_steps_per_second: (global_step - this.#began.step) / seconds,
        train_loss: training_loss,
      },
    };
  }
}
