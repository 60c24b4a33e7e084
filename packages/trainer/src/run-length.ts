/** How long a run is: steps and epochs from the arguments and the size of the dataset, as `Trainer` of transformers counts them. */
import type { TrainingArguments } from './arguments.ts';
import { TrainingArgumentsError } from './errors.ts';

/** The length of a run, and every interval in steps. */
export interface RunLength {
  /** Batches of an epoch; the last may be smaller. */
  readonly batches: number;
  /** Optimizer steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Optimizer steps of the run. */
  readonly max_steps: number;
  /** Epochs that are begun. */
  readonly epochs: number;
  readonly warmup: number;
  readonly logging_steps: number;
  readonly eval_steps: number;
  readonly save_steps: number;
}

/** @throws TrainingArgumentsError if there is not one whole batch */
export function runLength(args: TrainingArguments, examples: number): RunLength {
  const size = args.per_device_train_batch_size;
  const batches = args.dataloader_drop_last ? Math.floor(examples / size) : Math.ceil(examples / size);
  if (batches === 0)
    throw new TrainingArgumentsError(
      'per_device_train_batch_size',
      `the training dataset has ${examples} examples, which is not one batch of ${size}` +
        (examples > 0 ? '; make per_device_train_batch_size smaller, or leave dataloader_drop_last out' : ''),
    );
  const stepsPerEpoch = Math.ceil(batches / args.gradient_accumulation_steps);
  const max_steps = args.max_steps > 0 ? args.max_steps : Math.ceil(args.num_train_epochs * stepsPerEpoch);
  const steps = (x: number): number => (x < 1 ? Math.ceil(x * max_steps) : x);
  return {
    batches,
    stepsPerEpoch,
    max_steps,
    epochs: Math.ceil(max_steps / stepsPerEpoch),
    warmup: steps(args.warmup_steps > 0 ? args.warmup_steps : Math.ceil(args.warmup_ratio * max_steps)),
    logging_steps: steps(args.logging_steps),
    eval_steps: steps(args.eval_steps ?? args.logging_steps),
    save_steps: steps(args.save_steps),
  };
}
