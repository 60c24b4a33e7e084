/** The Auto classes: they read `model_type` in `config.json` and hand over to the family. A new family is one row here. */
import { join } from 'node:path';
import { resolveModel } from './checkpoint/hub.ts';
import { readConfig } from './config.ts';
import type { ConfigKeys, ModelConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { BertForSequenceClassification, BertModel } from './families/bert.ts';
import { GPT2ForSequenceClassification, GPT2LMHeadModel, GPT2Model } from './families/gpt2.ts';
import { splitOptions } from './model.ts';
import type { FromPretrainedModelOptions } from './model.ts';

/** What a model is for. A family has a class for some of these. */
type Task = 'base' | 'sequenceClassification' | 'causalLM';

/** The classes of every family, by `model_type`. */
const families = {
  bert: { base: BertModel, sequenceClassification: BertForSequenceClassification },
  gpt2: { base: GPT2Model, sequenceClassification: GPT2ForSequenceClassification, causalLM: GPT2LMHeadModel },
} as const;

/** Options of an Auto class: those of `from_pretrained`, and keys of any configuration. */
export type AutoOptions = FromPretrainedModelOptions & ConfigKeys;

/** A model without a head, of any family. */
export type AutoModel = BertModel | GPT2Model;
/** Loads the base model of whatever family a checkpoint is of. */
export const AutoModel = autoClass<AutoModel>('base', 'AutoModel');

/** A model that classifies sequences, of any family. */
export type AutoModelForSequenceClassification = BertForSequenceClassification | GPT2ForSequenceClassification;
/** Loads a classifier of whatever family a checkpoint is of. */
export const AutoModelForSequenceClassification = autoClass<AutoModelForSequenceClassification>(
  'sequenceClassification',
  'AutoModelForSequenceClassification',
);

/** A model that predicts the next token, of any family. */
export type AutoModelForCausalLM = GPT2LMHeadModel;
/** Loads a model that predicts the next token, of whatever family a checkpoint is of. */
export const AutoModelForCausalLM = autoClass<AutoModelForCausalLM>('causalLM', 'AutoModelForCausalLM');

/** A configuration of any family. */
export type AutoConfig = ModelConfig;
/** Reads configurations of any family. */
export const AutoConfig = {
  /**
   * The configuration of the model in a folder or with an id on the hub, filled with its family's defaults; further options replace keys.
   * @throws CheckpointError, ConfigError
   */
  async from_pretrained(folderOrId: string, options: AutoOptions = {}): Promise<ModelConfig> {
    const { where, overrides } = splitOptions(options);
    const { folder } = await resolveModel(folderOrId, { ...where, files: ['config.json'] });
    const keys = await readConfig(join(folder, 'config.json'));
    return familyOf(keys, folderOrId).base.architecture.config(keys, overrides);
  },
};

/** A class that takes the place of a family's. */
export interface AutoClass<M> {
  /** The model in a folder, or with an id on the hub. @throws CheckpointError, ConfigError */
  from_pretrained(folderOrId: string, options?: AutoOptions): Promise<M>;
  /** A new model; `model_type` in the configuration tells the family. @throws ConfigError */
  from_config(config: ConfigKeys, options?: { readonly seed?: number }): M;
}

function autoClass<M>(task: Task, name: string): AutoClass<M> {
  type Class = Pick<AutoClass<M>, 'from_pretrained' | 'from_config'>;
  const classOf = (config: ConfigKeys, where: string): Class => {
    const family: Partial<Record<Task, unknown>> = familyOf(config, where);
    if (family[task]) return family[task] as Class;
    const able = Object.entries<Partial<Record<Task, unknown>>>(families).flatMap(([type, has]) =>
      has[task] ? [type] : [],
    );
    throw new ConfigError(`a "${String(config['model_type'])}" is no ${name}; those that are: ${able.join(', ')}`);
  };
  return {
    async from_pretrained(folderOrId, options = {}) {
      const { where } = splitOptions(options);
      const { folder } = await resolveModel(folderOrId, { ...where, files: ['config.json'] });
      return classOf(await readConfig(join(folder, 'config.json')), folderOrId).from_pretrained(folderOrId, options);
    },
    from_config: (config, options) => classOf(config, 'from_config').from_config(config, options),
  };
}

function familyOf(config: ConfigKeys, where: string): (typeof families)[keyof typeof families] {
  const { model_type } = config;
  if (typeof model_type === 'string' && Object.hasOwn(families, model_type))
    return families[model_type as keyof typeof families];
  const found = model_type === undefined ? 'no model_type' : `the model_type ${JSON.stringify(model_type)}`;
  throw new ConfigError(
    `the configuration of '${where}' has ${found}; supported are ${Object.keys(families).join(', ')}`,
  );
}
