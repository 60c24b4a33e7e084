/** The model and the tokenizer of a pipeline: loaded from a folder or the hub, or given; and whether the model can do the task. */
import type { ModelOutputs } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { splitOptions } from '../model.ts';
import type { FromPretrainedModelOptions, PreTrainedModel } from '../model.ts';
import type { AutoClass } from '../registry.ts';
import { AutoTokenizer } from '../tokenizer/auto.ts';
import type { PreTrainedTokenizer } from '../tokenizer/tokenizer.ts';
import { PipelineError } from './errors.ts';

/** A model of any family. */
export type AnyModel = PreTrainedModel<ModelConfig, ModelOutputs>;

/** A folder, the id of a model on the hub, or a model and a tokenizer that are loaded already. */
export type PipelineSource = string | { readonly model: AnyModel; readonly tokenizer: PreTrainedTokenizer };

/** How a model is found and loaded: options of `from_pretrained`. */
export type PipelineLoadOptions = Omit<
  FromPretrainedModelOptions,
  'seed' | 'strict' | 'ignore_mismatched_sizes' | 'on_notice'
>;

/** Loads models of all families that have some head. */
export type Loader = Pick<AutoClass<AnyModel>, 'classes' | 'from_pretrained'>;

/** What a task needs of its model. */
export interface Need {
  /** Its name, for errors. */
  readonly task: string;
  /** Loads the model that has it. */
  readonly auto: Loader;
  /** Whether a model has what is looked at. */
  has(model: AnyModel): boolean;
}

/** A model with its tokenizer. */
export interface Loaded {
  readonly model: AnyModel;
  readonly tokenizer: PreTrainedTokenizer;
}

/**
 * The model and the tokenizer of a source.
 *
 * @throws PipelineError for a model that cannot do the task: of another class, or without the weights of the head that it needs
 */
export async function load(need: Need, source: PipelineSource, options: PipelineLoadOptions): Promise<Loaded> {
  if (typeof source !== 'string') {
    if (need.has(source.model)) return source;
    const { architecture, config } = source.model;
    throw new PipelineError(unfit(need, `the model is a ${architecture.name}`, config));
  }
  const { where } = splitOptions(options);
  const [model, tokenizer] = await Promise.all([
    need.auto.from_pretrained(source, { ...options, on_notice: () => undefined }),
    AutoTokenizer.from_pretrained(source, where),
  ]);
  // A base model gives its states with or without what lies above them.
  const { missing } = model.loading;
  if (missing.length > 0 && !('last_hidden_state' in model.graph().outputs)) {
    const [name = 'model of no named class'] = model.config.architectures ?? [];
    const some = missing.slice(0, 3).join(', ') + (missing.length > 3 ? `, … (${missing.length} in all)` : '');
    throw new PipelineError(unfit(need, `'${source}' is a ${name}, without the weights ${some}`, model.config));
  }
  return { model, tokenizer };
}

function unfit({ task, auto }: Need, found: string, { model_type }: ModelConfig): string {
  const fitting = auto.classes[model_type];
  const wanted = fitting === undefined ? `one of ${Object.values(auto.classes).join(', ')}` : `a ${fitting}`;
  return `${task}: ${found}; the task needs ${wanted}`;
}
