/** The training step as the loop calls it: batches in, numbers out. One program does it, or two where gradients are accumulated. */
import type { Program } from '@sinter/compiler';
import type { Anomaly } from './anomaly.ts';
import { findAnomaly } from './anomaly.ts';
import type { TrainingArguments } from './arguments.ts';
import type { StepResult } from './callbacks/callback.ts';
import { tokensOf } from './data/collate.ts';
import type { Batch } from './data/collate.ts';
import type { LoadedBatch } from './data/loader.ts';
import { inputsFor } from './data/loader.ts';
import { inputNames } from './model.ts';
import type { TrainableModel } from './model.ts';
import type { OptimizerFor } from './optimizers/optimizer.ts';
import { optimizerFor } from './optimizers/table.ts';
import type { Programs } from './programs.ts';
import type { RunLength } from './run-length.ts';
import { schedule } from './schedules.ts';
import type { StepOptions } from './step.ts';
import { accumulateStep, applyStep, backward, trainStep } from './step.ts';

/** The step of a run. */
export interface TrainingStep {
  /** Takes one optimizer step over the batches; `onSubstep` is called between them. */
  take(batches: readonly LoadedBatch[], onSubstep?: () => Promise<void>): Promise<StepResult>;
  /** Where the NaN or infinity of the step came from that was just taken, and was not applied. */
  diagnose(batches: readonly LoadedBatch[]): Promise<Anomaly | undefined>;
}

/** What a step does, by the arguments. */
export function stepOptions(
  args: TrainingArguments,
  length: Pick<RunLength, 'warmup' | 'max_steps'>,
  optimizer?: OptimizerFor,
): StepOptions {
  return {
    optimizer: optimizer ?? optimizerFor(args),
    learning_rate: args.learning_rate,
    schedule: schedule(args.lr_scheduler_type, {
      warmup: length.warmup,
      total: length.max_steps,
      learning_rate: args.learning_rate,
      ...args.lr_scheduler_kwargs,
    }),
    max_grad_norm: args.max_grad_norm,
    gradient_checkpointing: args.gradient_checkpointing,
  };
}

/** Compiles the step for batches like `example`. Programs of another length are other programs: the schedule is part of them. */
export async function trainingStep(
  model: TrainableModel,
  programs: Programs,
  args: TrainingArguments,
  length: RunLength,
  example: Batch,
  optimizer?: OptimizerFor,
): Promise<TrainingStep> {
  const options = { ...stepOptions(args, length, optimizer), inputs: inputNames(model.inputs, example) };
  const name = (what: string): string => `${what}, ${length.warmup} of ${length.max_steps} steps of warm-up`;
  const diagnose: TrainingStep['diagnose'] = async (batches) => {
    const { loss, trained, rng } = backward(model, options);
    // The step has drawn its random numbers; these are drawn once more.
    if ('rng' in rng) await programs.rewind('rng', batches.length);
    const gradients = trained.map((t) => t.gradient);
    for (const batch of batches) {
      const found = await findAnomaly(loss, gradients, (graph) =>
        programs.once(graph, (program) => program.run(inputsFor(program, batch))),
      );
      if (found) return found;
    }
    return undefined;
  };
  if (args.gradient_accumulation_steps === 1) {
    const program = await programs.load(name('train'), () => trainStep(model, options));
    return {
      take: async (batches) => resultOf(await program.run(inputsFor(program, batches[0]!)), batches),
      diagnose,
    };
  }
  const { graph, trained } = accumulateStep(model, options);
  const accumulate = await programs.load('accumulate', () => graph);
  const apply = await programs.load(name('apply'), () => applyStep(trained, options));
  return {
    async take(batches, onSubstep) {
      for (const [i, one] of batches.entries()) {
        if (i > 0) await onSubstep?.();
        await accumulate.run(inputsFor(accumulate, one));
      }
      return resultOf(await apply.run(), batches);
    },
    diagnose,
  };
}

function resultOf(outputs: Awaited<ReturnType<Program['run']>>, batches: readonly LoadedBatch[]): StepResult {
  const scalar = (name: string): number => outputs[name]!.data[0]!;
  return {
    loss: scalar('loss'),
    grad_norm: scalar('grad_norm'),
    learning_rate: scalar('learning_rate'),
    tokens: batches.reduce((sum, { batch }) => sum + tokensOf(batch), 0),
  };
}
