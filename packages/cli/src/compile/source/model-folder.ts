/** A model of Hugging Face, in a folder or on the hub, as a source: one graph per entry point, weights by the checkpoint's names. */
import { basename, resolve } from 'node:path';
import type { Graph } from '@sinter/ir';
import { dataFrom } from '@sinter/ir';
import { AutoConfig, AutoTokenizer, resolveModel } from '@sinter/models';
import type { DownloadProgress, ModelConfig, ModelOutputs, PreTrainedModel } from '@sinter/models';
import { evaluateStep } from '@sinter/trainer';
import type { TrainableModel } from '@sinter/trainer';
import { UsageError } from '../../errors.ts';
import type { EntryName, TaskName, WeightType } from './names.ts';
import type { Source, StateValue } from './source.ts';
import type { Task } from './tasks.ts';
import { taskOf, tasks } from './tasks.ts';
import type { StepArguments } from './train-step.ts';
import { trainStepEntry } from './train-step.ts';

/** What is wanted of a model. */
export interface ModelSourceOptions {
  /** Default: what `config.json` says that the model is for. */
  readonly task: TaskName | undefined;
  /** Default: `forward`. */
  readonly entries: readonly EntryName[];
  readonly weights: WeightType;
  readonly step: StepArguments;
  /** Replaces the number of labels; the classifier then begins anew. */
  readonly num_labels: number | undefined;
  readonly revision: string | undefined;
  /** Told what is newly initialised, and other things to know. */
  readonly onNotice: (text: string) => void;
  /** Told how far downloads are. */
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** Opens a model. @throws CheckpointError, ConfigError, TokenizerError; UsageError for what the task does not have */
export async function modelSource(folderOrId: string, options: ModelSourceOptions): Promise<Source> {
  const { entries, weights, num_labels, onNotice, onProgress } = options;
  const where = { onProgress, ...(options.revision !== undefined && { revision: options.revision }) };
  const { source, commit } = await resolveModel(folderOrId, { ...where, files: ['config.json'] });
  const name = basename(resolve(folderOrId));
  const taskName = options.task ?? taskOf(await AutoConfig.from_pretrained(folderOrId, where));
  const task: Task = tasks[taskName];
  for (const entry of entries)
    if (entry !== 'forward' && !task.trains)
      throw new UsageError(
        `--entry: the task ${taskName} has no loss, so there is no '${entry}'; use --task text-classification`,
      );

  const model = await task.load(folderOrId, {
    ...where,
    on_notice: onNotice,
    ...(num_labels !== undefined && { num_labels }),
  });
  const graphs = entries.map((entry) => [entry, entryGraph(entry, model, task, options.step)] as const);
  const read = new Set(graphs.flatMap(([, g]) => Object.keys(g.state)));
  const values = [...model.tensors()].flatMap(([name, weight]): [string, StateValue][] =>
    read.has(name) ? [[name, stored(weight, weights)]] : [],
  );
  return {
    name,
    entries: Object.fromEntries(graphs),
    weights: new Map(values),
    limits: model.dims,
    inputs: model.inputs,
    files: { 'config.json': jsonBytes(configOf(model)), ...(await tokenizerFiles(folderOrId, where)) },
    // Where a folder lies is nobody's business.
    about: {
      model: source === 'folder' ? name : folderOrId,
      ...(commit !== undefined && { commit }),
      task: taskName,
      weights,
      ...(entries.includes('train_step') && { train_step: pick(options.step) }),
    },
  };
}

/** The arguments of a step, less all others. */
function pick(step: StepArguments): StepArguments {
  const { weight_decay, max_grad_norm, adam_beta1, adam_beta2, adam_epsilon } = step;
  return { weight_decay, max_grad_norm, adam_beta1, adam_beta2, adam_epsilon };
}

function entryGraph(
  entry: EntryName,
  model: PreTrainedModel<ModelConfig, ModelOutputs>,
  task: Task,
  step: StepArguments,
): Graph {
  switch (entry) {
    case 'forward':
      return model.graph({ outputs: task.outputs });
    case 'evaluate':
      return evaluateStep(trainable(model), Object.keys(model.inputs));
    case 'train_step':
      return trainStepEntry(trainable(model), step);
    default:
      return entry satisfies never;
  }
}

/** A weight in the dtype that it is stored in; it is widened again when it is loaded. What the model keeps in fewer bits stays so. */
function stored(weight: StateValue, dtype: WeightType): StateValue {
  if (weight.dtype !== 'f32' || dtype === 'f32') return weight;
  return { dtype, shape: weight.shape, data: dataFrom(dtype, weight.data) };
}

/** Tasks that train have a loss and logits: their row says so. */
function trainable(model: PreTrainedModel<ModelConfig, ModelOutputs>): TrainableModel {
  return model as unknown as TrainableModel;
}

/** `config.json` as the compiled model has it: with every default filled in, and the class that it is. */
function configOf({ config, architecture }: PreTrainedModel<ModelConfig, ModelOutputs>): object {
  return { ...config, architectures: [architecture.name] };
}

/** The tokenizer as two files, whatever it was made from; nothing if the model has none. */
async function tokenizerFiles(
  folderOrId: string,
  where: { readonly revision?: string },
): Promise<Record<string, Uint8Array>> {
  const optional_files = ['tokenizer.json', 'vocab.txt'];
  const { files } = await resolveModel(folderOrId, { ...where, files: [], optional_files });
  if (Object.keys(files).length === 0) return {};
  const { json, config } = await AutoTokenizer.from_pretrained(folderOrId, where);
  return { 'tokenizer.json': jsonBytes(json), 'tokenizer_config.json': jsonBytes(config) };
}

function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
