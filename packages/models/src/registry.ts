/** The Auto classes: they read `model_type` in `config.json` and hand over to the family. A new family is one row here. */
import { findModel } from './checkpoint/find-model.ts';
import type { Architecture, ModelOutputs } from './architecture.ts';
import type { ConfigKeys, ModelConfig } from './config.ts';
import { ConfigError } from './errors.ts';
import { BartForConditionalGeneration, BartForSequenceClassification, BartModel } from './families/bart.ts';
import {
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForNextSentencePrediction,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
  BertModel,
} from './families/bert.ts';
import {
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  DistilBertModel,
} from './families/distilbert.ts';
import {
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  RobertaModel,
} from './families/roberta.ts';
import { GPT2ForMaskedLM, GPT2ForSequenceClassification, GPT2LMHeadModel, GPT2Model } from './families/gpt2.ts';
import { LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel } from './families/llama.ts';
import { MistralForCausalLM, MistralForSequenceClassification, MistralModel } from './families/mistral.ts';
import { Qwen2ForCausalLM, Qwen2ForSequenceClassification, Qwen2Model } from './families/qwen2.ts';
import { MarianModel, MarianMTModel } from './families/marian.ts';
import { T5ForConditionalGeneration, T5Model } from './families/t5.ts';
import { TransformerForConditionalGeneration, TransformerModel } from './families/transformer.ts';
import { splitOptions } from './model.ts';
import type { FromPretrainedModelOptions, PreTrainedModel } from './model.ts';
import type {
  BaseModelOutput,
  CausalLMOutput,
  ForPreTrainingOutput,
  MaskedLMOutput,
  MultipleChoiceModelOutput,
  NextSentencePredictorOutput,
  QuestionAnsweringModelOutput,
  Seq2SeqLMOutput,
  Seq2SeqModelOutput,
  Seq2SeqSequenceClassifierOutput,
  SequenceClassifierOutput,
  TokenClassifierOutput,
} from './outputs.ts';

/** The classes of every family, by `model_type` and by what the model is for. A family has some of them. */
const families = {
  bart: {
    base: BartModel,
    sequenceClassification: BartForSequenceClassification,
    seq2SeqLM: BartForConditionalGeneration,
  },
  bert: {
    base: BertModel,
    preTraining: BertForPreTraining,
    maskedLM: BertForMaskedLM,
    nextSentencePrediction: BertForNextSentencePrediction,
    sequenceClassification: BertForSequenceClassification,
    tokenClassification: BertForTokenClassification,
    questionAnswering: BertForQuestionAnswering,
    multipleChoice: BertForMultipleChoice,
  },
  roberta: {
    base: RobertaModel,
    maskedLM: RobertaForMaskedLM,
    sequenceClassification: RobertaForSequenceClassification,
    tokenClassification: RobertaForTokenClassification,
    questionAnswering: RobertaForQuestionAnswering,
    multipleChoice: RobertaForMultipleChoice,
  },
  distilbert: {
    base: DistilBertModel,
    maskedLM: DistilBertForMaskedLM,
    sequenceClassification: DistilBertForSequenceClassification,
    tokenClassification: DistilBertForTokenClassification,
    questionAnswering: DistilBertForQuestionAnswering,
    multipleChoice: DistilBertForMultipleChoice,
  },
  gpt2: {
    base: GPT2Model,
    sequenceClassification: GPT2ForSequenceClassification,
    causalLM: GPT2LMHeadModel,
    maskedLM: GPT2ForMaskedLM,
  },
  llama: { base: LlamaModel, sequenceClassification: LlamaForSequenceClassification, causalLM: LlamaForCausalLM },
  mistral: {
    base: MistralModel,
    sequenceClassification: MistralForSequenceClassification,
    causalLM: MistralForCausalLM,
  },
  qwen2: { base: Qwen2Model, sequenceClassification: Qwen2ForSequenceClassification, causalLM: Qwen2ForCausalLM },
  marian: { base: MarianModel, seq2SeqLM: MarianMTModel },
  t5: { base: T5Model, seq2SeqLM: T5ForConditionalGeneration },
  transformer: { base: TransformerModel, seq2SeqLM: TransformerForConditionalGeneration },
} satisfies Readonly<Record<string, Family>>;

/** What each kind of model gives. */
interface Tasks {
  base: BaseModelOutput | Seq2SeqModelOutput;
  preTraining: ForPreTrainingOutput;
  maskedLM: MaskedLMOutput;
  nextSentencePrediction: NextSentencePredictorOutput;
  sequenceClassification: SequenceClassifierOutput | Seq2SeqSequenceClassifierOutput;
  tokenClassification: TokenClassifierOutput;
  questionAnswering: QuestionAnsweringModelOutput;
  multipleChoice: MultipleChoiceModelOutput;
  causalLM: CausalLMOutput;
  seq2SeqLM: Seq2SeqLMOutput;
}
type Task = keyof Tasks;

/** A class of any configuration; what it is called with is checked when it is. */
interface AnyClass<O extends ModelOutputs> {
  readonly architecture: Pick<Architecture<never, O>, 'name' | 'model_type' | 'decode'> & {
    config(keys: ConfigKeys, overrides?: ConfigKeys): ModelConfig;
  };
  from_pretrained(folderOrId: string, options?: object): Promise<PreTrainedModel<ModelConfig, O>>;
  from_config(config?: object, options?: { readonly seed?: number }): PreTrainedModel<ModelConfig, O>;
}
type Family = { readonly [T in Task]?: AnyClass<Tasks[T]> } & { readonly base: AnyClass<Tasks['base']> };

/** Options of an Auto class: those of `from_pretrained`, and keys of any configuration. */
export type AutoOptions = FromPretrainedModelOptions & ConfigKeys;

/** A model without a head, of any family. */
export type AutoModel = PreTrainedModel<ModelConfig, Tasks['base']>;
/** Loads the base model of whatever family a checkpoint is of. */
export const AutoModel = autoClass('base', 'AutoModel');

/** A model that is pretrained on masked tokens and following texts, of any family. */
export type AutoModelForPreTraining = PreTrainedModel<ModelConfig, ForPreTrainingOutput>;
/** Loads a model with the heads of its pretraining, of whatever family a checkpoint is of. */
export const AutoModelForPreTraining = autoClass('preTraining', 'AutoModelForPreTraining');

/** A model that tells masked tokens, of any family. */
export type AutoModelForMaskedLM = PreTrainedModel<ModelConfig, MaskedLMOutput>;
/** Loads a model that tells masked tokens, of whatever family a checkpoint is of. */
export const AutoModelForMaskedLM = autoClass('maskedLM', 'AutoModelForMaskedLM');

/** A model that tells whether texts follow each other, of any family. */
export type AutoModelForNextSentencePrediction = PreTrainedModel<ModelConfig, NextSentencePredictorOutput>;
/** Loads a model that tells whether texts follow each other, of whatever family a checkpoint is of. */
export const AutoModelForNextSentencePrediction = autoClass(
  'nextSentencePrediction',
  'AutoModelForNextSentencePrediction',
);

/** A model that classifies texts, of any family. */
export type AutoModelForSequenceClassification = PreTrainedModel<ModelConfig, Tasks['sequenceClassification']>;
/** Loads a classifier of texts, of whatever family a checkpoint is of. */
export const AutoModelForSequenceClassification = autoClass(
  'sequenceClassification',
  'AutoModelForSequenceClassification',
);

/** A model that classifies tokens, of any family. */
export type AutoModelForTokenClassification = PreTrainedModel<ModelConfig, TokenClassifierOutput>;
/** Loads a classifier of tokens, of whatever family a checkpoint is of. */
export const AutoModelForTokenClassification = autoClass('tokenClassification', 'AutoModelForTokenClassification');

/** A model that marks answers in texts, of any family. */
export type AutoModelForQuestionAnswering = PreTrainedModel<ModelConfig, QuestionAnsweringModelOutput>;
/** Loads a model that marks answers in texts, of whatever family a checkpoint is of. */
export const AutoModelForQuestionAnswering = autoClass('questionAnswering', 'AutoModelForQuestionAnswering');

/** A model that chooses between texts, of any family. */
export type AutoModelForMultipleChoice = PreTrainedModel<ModelConfig, MultipleChoiceModelOutput>;
/** Loads a model that chooses between texts, of whatever family a checkpoint is of. */
export const AutoModelForMultipleChoice = autoClass('multipleChoice', 'AutoModelForMultipleChoice');

/** A model that predicts the next token, of any family. */
export type AutoModelForCausalLM = PreTrainedModel<ModelConfig, CausalLMOutput>;
/** Loads a model that predicts the next token, of whatever family a checkpoint is of. */
export const AutoModelForCausalLM = autoClass('causalLM', 'AutoModelForCausalLM');

/** A model that reads a text and writes one, of any family. */
export type AutoModelForSeq2SeqLM = PreTrainedModel<ModelConfig, Seq2SeqLMOutput>;
/** Loads a model that reads a text and writes one, of whatever family a checkpoint is of. */
export const AutoModelForSeq2SeqLM = autoClass('seq2SeqLM', 'AutoModelForSeq2SeqLM');

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
    const { keys } = await findModel(folderOrId, where, { weights: false });
    return familyOf(keys, folderOrId).base.architecture.config(keys, overrides);
  },
};

/** A class that takes the place of a family's. */
export interface AutoClass<M> {
  /** The class of each family that has one, by `model_type`. */
  readonly classes: Readonly<Record<string, string>>;
  /** The model in a folder, or with an id on the hub. @throws CheckpointError, ConfigError */
  from_pretrained(folderOrId: string, options?: AutoOptions): Promise<M>;
  /** A new model; `model_type` in the configuration tells the family. @throws ConfigError */
  from_config(config: ConfigKeys, options?: { readonly seed?: number }): M;
}

function autoClass<T extends Task>(task: T, name: string): AutoClass<PreTrainedModel<ModelConfig, Tasks[T]>> {
  const classOf = (config: ConfigKeys, where: string): AnyClass<Tasks[T]> => {
    const found = familyOf(config, where)[task] as AnyClass<Tasks[T]> | undefined;
    if (found) return found;
    const able = Object.keys(classes).join(', ');
    throw new ConfigError(`a "${String(config['model_type'])}" is no ${name}; those that are: ${able}`);
  };
  const classes = Object.fromEntries(
    Object.entries<Family>(families).flatMap(([type, family]) => {
      const found = family[task];
      return found ? [[type, found.architecture.name] as const] : [];
    }),
  );
  return {
    classes,
    async from_pretrained(folderOrId, options = {}) {
      const { where } = splitOptions(options);
      const { keys } = await findModel(folderOrId, where, { weights: false });
      return classOf(keys, folderOrId).from_pretrained(folderOrId, options);
    },
    from_config: (config, options) => classOf(config, 'from_config').from_config(config, options),
  };
}

function familyOf(config: ConfigKeys, where: string): Family {
  const { model_type } = config;
  if (typeof model_type === 'string' && Object.hasOwn(families, model_type))
    return families[model_type as keyof typeof families];
  const found = model_type === undefined ? 'no model_type' : `the model_type ${JSON.stringify(model_type)}`;
  throw new ConfigError(
    `the configuration of '${where}' has ${found}; supported are ${Object.keys(families).join(', ')}`,
  );
}

/** The classes of a family that write texts; of all families if there is none of that name. */
export function writingClasses(model_type: string): string[] {
  const all = Object.values<Family>(families).flatMap((family) => Object.values<AnyClass<ModelOutputs>>(family));
  const names = (of: readonly AnyClass<ModelOutputs>[]): string[] =>
    of.flatMap(({ architecture }) => (architecture.decode ? [architecture.name] : []));
  const own = names(all.filter(({ architecture }) => architecture.model_type === model_type));
  return own.length > 0 ? own : names(all);
}
