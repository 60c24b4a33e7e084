/** Goes through a dataset without training: the mean loss, the logits and the labels, and what they are worth. */
import type { TensorData } from '@sinter/ir';
import { examplesOf } from './data/collate.ts';
import type { Batch, DataCollator } from './data/collate.ts';
import { concatBatches } from './data/concat.ts';
import { inBatches } from './data/batches.ts';
import type { Dataset } from './data/dataset.ts';
import { inputsFor, loadBatch } from './data/loader.ts';
import type { Logs } from './callbacks/callback.ts';
import type { ComputeMetrics } from './metrics.ts';
import { inputNames, labelNames } from './model.ts';
import type { TrainableModel } from './model.ts';
import type { Programs } from './programs.ts';
import { evaluateStep } from './step.ts';

/** What {@link evaluationLoop} needs. */
export interface EvaluationOptions {
  readonly batch_size: number;
  readonly collate: DataCollator;
  /** Measures the predictions. */
  readonly compute_metrics?: ComputeMetrics | undefined;
  /** Whether logits and labels are kept. */
  readonly keep: boolean;
  /** Begins the name of every metric: `eval`. */
  readonly prefix: string;
  readonly onBatch: (done: number, of: number) => void | Promise<void>;
}

/** What an evaluation gives. */
export interface Evaluation {
  /** The logits of all examples; none of a model that gives several, such as one that marks answers. */
  readonly predictions: TensorData | undefined;
  /** The labels of all examples, the first kind where there are several. */
  readonly label_ids: TensorData | undefined;
  /** The mean loss where there are labels, what was measured, and how fast it went. */
  readonly metrics: Logs;
}

/** Runs the evaluation step on every batch, in the order of the dataset. */
export async function evaluationLoop(
  model: TrainableModel,
  programs: Programs,
  dataset: Dataset,
  options: EvaluationOptions,
): Promise<Evaluation> {
  const order = inBatches(
    Array.from({ length: dataset.length }, (_, i) => i),
    options.batch_size,
  );
  const names = labelNames(model.inputs);
  const [logits, labels]: [TensorData[], TensorData[]] = [[], []];
  let losses: number | undefined = 0;
  let examples = 0;
  const began = performance.now();
  for (const [done, indices] of order.entries()) {
    const loaded = await loadBatch(dataset, indices, options.collate);
    const isLabelled = names.length > 0 && names.every((name) => name in loaded.batch);
    const program = await evaluationProgram(model, programs, loaded.batch, isLabelled ? names : []);
    const outputs = await program.run(inputsFor(program, loaded));
    const count = examplesOf(loaded.batch);
    const loss = outputs['loss']?.data[0];
    losses = losses === undefined || loss === undefined ? undefined : losses + loss * count;
    examples += count;
    if (options.keep) {
      if (outputs['logits']) logits.push(outputs['logits']);
      if (isLabelled) labels.push(loaded.batch[names[0]!]!);
    }
    await options.onBatch(done + 1, order.length);
  }
  const predictions = logits.length > 0 ? concatBatches(logits, 'f32') : undefined;
  const labelled = labels.length > 0 && labels.length === logits.length;
  const label_ids = labelled ? concatBatches(labels, model.inputs[names[0]!]!.dtype) : undefined;
  const seconds = (performance.now() - began) / 1000;
  const measured = predictions && label_ids ? await options.compute_metrics?.({ predictions, label_ids }) : undefined;
  const metrics = {
    ...(losses !== undefined && examples > 0 && { loss: losses / examples }),
    ...measured,
    runtime: seconds,
    samples_per_second: examples / seconds,
    steps_per_second: order.length / seconds,
  };
  return { predictions, label_ids, metrics: prefixed(metrics, options.prefix) };
}

function prefixed(metrics: Logs, prefix: string): Logs {
  return Object.fromEntries(
    Object.entries(metrics).map(([key, value]) => [key.startsWith(`${prefix}_`) ? key : `${prefix}_${key}`, value]),
  );
}

/** The evaluation of batches like this one, by these labels. */
function evaluationProgram(
  model: TrainableModel,
  programs: Programs,
  batch: Batch,
  given: readonly string[],
): ReturnType<Programs['load']> {
  const labels = labelNames(model.inputs);
  const inputs = inputNames(model.inputs, batch).filter((name) => !labels.includes(name) || given.includes(name));
  return programs.load(`evaluate ${inputs.join()}`, () => evaluateStep(model, inputs));
}
