/** The Auto classes: they read `model_type` in `config.json` and hand over to the family. A new family is one row here. */
import { join } from 'node:path';
import { resolveModel } from './checkpoint/hub.ts';
import { readConfig } from './config.ts';
import type { ConfigKeys, ModelConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { BertForSequenceClassification, BertModel } from './families/bert.ts';
import type { BertConfig, BertForSequenceClassificationOutputs, BertOutputs } from './families/bert.ts';
import { splitOptions } from './model.ts';
import type { FromPretrainedModelOptions, PreTrainedModel } from './model.ts';

/** The classes of every family, by `model_type`. */
const families = {
  bert: { base: BertModel, sequenceClassification: BertForSequenceClassification },
} as const;

/** Options of an Auto class: those of `from_pretrained`, and keys of any configuration. */
export type AutoOptions = FromPretrainedModelOptions & ConfigKeys;

/** A model without a head, of any family. */
export type AutoModel = PreTrainedModel<BertConfig, BertOutputs>;
/** Loads the base model of whatever family a checkpoint is of. */
export const AutoModel = autoClass('base');

/** A model that classifies sequences, of any family. */
export type AutoModelForSequenceClassification = PreTrainedModel<BertConfig, BertForSequenceClassificationOutputs>;
/** Loads a classifier of whatever family a checkpoint is of. */
export const AutoModelForSequenceClassification = autoClass('sequenceClassification');

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
export type AutoClass<K extends 'base' | 'sequenceClassification'> = {
  /** The model in a folder, or with an id on the hub. @throws CheckpointError, ConfigError */
  from_pretrained(
    folderOrId: string,
    options?: AutoOptions,
  ): ReturnType<(typeof families)['bert'][K]['from_pretrained']>;
  /** A new model; `model_type` in the configuration tells the family. @throws ConfigError */
  from_config(
    config: ConfigKeys,
    options?: { readonly seed?: number },
  ): ReturnType<(typeof families)['bert'][K]['from_config']>;
};

function autoClass<K extends 'base' | 'sequenceClassification'>(part: K): AutoClass<K> {
  return {
    async from_pretrained(folderOrId: string, options: AutoOptions = {}) {
      const { where } = splitOptions(options);
      const { folder } = await resolveModel(folderOrId, { ...where, files: ['config.json'] });
      const family = familyOf(await readConfig(join(folder, 'config.json')), folderOrId);
      return family[part].from_pretrained(folderOrId, options);
    },
    from_config: (config: ConfigKeys, options?: { readonly seed?: number }) =>
      familyOf(config, 'from_config')[part].from_config(config, options),
  } as AutoClass<K>;
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
