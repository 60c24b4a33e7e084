/** The errors of this package: each says what was asked, what was found, and what to do. */

import type { Anomaly } from './anomaly.ts';

/** What all errors of this package are: `error instanceof TrainerError`. */
export class TrainerError extends Error {
  override readonly name: string = 'TrainerError';
}

/** A training argument is unknown, has a wrong value, or contradicts another. */
export class TrainingArgumentsError extends TrainerError {
  override readonly name = 'TrainingArgumentsError';
  /** The argument. */
  readonly argument: string;

  constructor(argument: string, message: string) {
    super(message);
    this.argument = argument;
  }
}

/** An example of a dataset cannot be fed to the model. */
export class DataError extends TrainerError {
  override readonly name = 'DataError';
  /** Position in the dataset. */
  readonly index: number;
  /** The field of the example. */
  readonly field: string;

  constructor(index: number, field: string, message: string) {
    super(message);
    this.index = index;
    this.field = field;
  }
}

/** A checkpoint is missing, damaged, or of another run. */
export class ResumeError extends TrainerError {
  override readonly name = 'ResumeError';
  /** The folder that was looked at. */
  readonly folder: string;

  constructor(folder: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.folder = folder;
  }
}

/** What a step gave when its loss or its gradient was NaN or infinite. */
export interface NonFinite {
  /** The step that failed, counted from 1. */
  readonly step: number;
  readonly loss: number;
  readonly grad_norm: number;
  readonly learning_rate: number;
  /** The last checkpoint, if there is one. */
  readonly checkpoint: string | undefined;
  /** The first value of the step that was not finite, where it was found again. */
  readonly anomaly: Anomaly | undefined;
}

/** The loss or the gradient became NaN or infinite. The weights are still those from before the step. */
export class NonFiniteLossError extends TrainerError implements NonFinite {
  override readonly name = 'NonFiniteLossError';
  readonly step: number;
  readonly loss: number;
  readonly grad_norm: number;
  readonly learning_rate: number;
  readonly checkpoint: string | undefined;
  readonly anomaly: Anomaly | undefined;

  constructor(found: NonFinite) {
    const { step, loss, grad_norm, learning_rate, checkpoint, anomaly } = found;
    super(
      `step ${step}: the loss is ${loss} and the norm of the gradient ${grad_norm}, at learning rate ${learning_rate}. ` +
        (anomaly ? `${cause(anomaly)} ` : '') +
        'The step was not applied: the weights are those before it, and no checkpoint was written. ' +
        'Lower learning_rate, warm up longer (warmup_steps), clip harder (max_grad_norm), or look for bad examples in the batch. ' +
        (checkpoint === undefined
          ? 'There is no checkpoint yet (save_strategy, save_steps).'
          : `The last good checkpoint is ${checkpoint}; go on from it with train({ resume_from_checkpoint: ${JSON.stringify(checkpoint)} }).`),
    );
    this.step = step;
    this.loss = loss;
    this.grad_norm = grad_norm;
    this.learning_rate = learning_rate;
    this.checkpoint = checkpoint;
    this.anomaly = anomaly;
  }
}

function cause({ value, operands, parameter, pass }: Anomaly): string {
  return (
    `The first value that is not finite is ${value}, in the ${pass} pass` +
    (parameter === undefined ? '' : `, near the parameter '${parameter}'`) +
    `; it is made of ${operands.join(' and ')}.`
  );
}

/** Training was stopped by Ctrl-C or an `AbortSignal`. Everything is in the checkpoint. */
export class TrainingInterruptedError extends TrainerError {
  override readonly name = 'TrainingInterruptedError';
  /** Steps that are done. */
  readonly step: number;
  /** The checkpoint that was written. */
  readonly checkpoint: string;

  constructor(step: number, max_steps: number, checkpoint: string) {
    super(
      `stopped after step ${step} of ${max_steps}; everything is in ${checkpoint}. ` +
        `Go on with trainer.train({ resume_from_checkpoint: ${JSON.stringify(checkpoint)} }).`,
    );
    this.step = step;
    this.checkpoint = checkpoint;
  }
}
