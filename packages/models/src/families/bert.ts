/**
 * BERT (Devlin et al. 2018), read from top to bottom: configuration, embeddings, encoder, pooler, heads. Names of
 * parameters, keys and outputs are those of Hugging Face's `modeling_bert`, so that its checkpoints load as they are.
 */
import { add, full, iota, ShapeError, tanh } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec, OutputOptions } from '../architecture.ts';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { withHead } from '../heads/head.ts';
import { maskedLM, wordLogits } from '../heads/masked-lm.ts';
import { multipleChoice } from '../heads/multiple-choice.ts';
import { nextSentence } from '../heads/next-sentence.ts';
import { preTraining } from '../heads/pre-training.ts';
import { questionAnswering } from '../heads/question-answering.ts';
import { sequenceClassification } from '../heads/sequence-classification.ts';
import { tokenClassification } from '../heads/token-classification.ts';
import { normal } from '../init.ts';
import type { Init } from '../init.ts';
import { activation } from '../layers/activation.ts';
import { paddingBias, selfAttention } from '../layers/attention.ts';
import { checkIds, embedding } from '../layers/embedding.ts';
import { feedForward } from '../layers/feed-forward.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { linear } from '../layers/linear.ts';
import { firstState } from '../layers/states.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type {
  BaseModelOutput,
  BaseModelOutputWithPooling,
  ForPreTrainingOutput,
  MaskedLMOutput,
  MultipleChoiceModelOutput,
  NextSentencePredictorOutput,
  QuestionAnsweringModelOutput,
  SequenceClassifierOutput,
  TokenClassifierOutput,
} from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';

// ---- configuration

/** The defaults: those of bert-base. */
export const bertDefaults = {
  model_type: 'bert',
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  pad_token_id: 0 as number | null,
  position_embedding_type: 'absolute',
  use_cache: true,
  /** Whether the table that embeds words also tells masked ones. */
  tie_word_embeddings: true,
  /** What is dropped before a classifier; `null`: as `hidden_dropout_prob`. */
  classifier_dropout: null as number | null,
};

/** The keys of a BERT's `config.json`. The defaults are those of bert-base. */
export type BertConfig = ModelConfig & Readonly<typeof bertDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function bertConfig(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): BertConfig {
  return checkBertConfig(fillConfig(bertDefaults, bertNullable, keys, overrides));
}
/** The keys that may be `null`. */
export const bertNullable = ['pad_token_id', 'classifier_dropout'] as const;

/** The configuration, if a BERT can be made of it. @throws ConfigError */
export function checkBertConfig<C extends BertConfig>(config: C): C {
  checkSizes(config, [
    'vocab_size',
    'hidden_size',
    'num_hidden_layers',
    'num_attention_heads',
    'intermediate_size',
    'max_position_embeddings',
    'type_vocab_size',
  ]);
  activation(config.hidden_act);
  const { hidden_size, num_attention_heads, position_embedding_type, model_type } = config;
  if (hidden_size % num_attention_heads !== 0)
    throw new ConfigError(`hidden_size ${hidden_size} is no multiple of num_attention_heads ${num_attention_heads}`);
  if (position_embedding_type !== 'absolute')
    throw new ConfigError(`position_embedding_type "${position_embedding_type}" is not supported; only "absolute" is`);
  if (config['is_decoder'] === true)
    throw new ConfigError(`is_decoder is set: a "${model_type}" that looks to the left only is not supported`);
  return config;
}

// ---- the model

type Ids = Tensor<Shape, 'i32'>;

/** What BERT takes. All but `input_ids` may be left out, with the meaning that Hugging Face gives that. */
export type BertInputs = {
  /** `[batch, seq]`, under `vocab_size`. */
  readonly input_ids: Ids;
  /** `[batch, seq]`: 0 where there is padding. Default: nowhere. */
  readonly attention_mask?: Ids | undefined;
  /** `[batch, seq]`: which of two texts. Default: the first. */
  readonly token_type_ids?: Ids | undefined;
  /** `[batch, seq]` or `[seq]`. Default: 0, 1, 2, … */
  readonly position_ids?: Ids | undefined;
};

/** The options of {@link bertStates}. */
export interface BertOptions extends OutputOptions {
  /** The position whose embedding is not trained. Default: none. */
  readonly padding_position?: number;
}

/** BERT without a head: `scope` is where `embeddings`, `encoder` and `pooler` lie. */
export const bertModel = layer(
  (scope, config: BertConfig, inputs: BertInputs, options: OutputOptions = {}): BaseModelOutputWithPooling => {
    return withPooler(scope, config, bertStates(scope, config, inputs, options));
  },
);

/** BERT without a head and without a pooler, as heads use it that look at tokens. */
export const bertStates = layer(
  (scope, config: BertConfig, inputs: BertInputs, options: BertOptions = {}): BaseModelOutput => {
    const { input_ids, attention_mask, token_type_ids } = inputs;
    checkIds({ input_ids, attention_mask, token_type_ids });
    const bias = attention_mask && paddingBias(attention_mask);
    const hidden_states = [embeddings(scope.at('embeddings'), config, inputs, options.padding_position)];
    const attentions: Tensor[] = [];
    for (let i = 0; i < config.num_hidden_layers; i++) {
      const place = scope.at('encoder', 'layer', i);
      const { hidden, probs } = scope.checkpoint((x: Tensor) => encoderLayer(place, config, x, bias))(
        hidden_states.at(-1)!,
      );
      hidden_states.push(hidden);
      attentions.push(probs);
    }
    return {
      last_hidden_state: hidden_states.at(-1)!,
      ...(options.output_hidden_states && { hidden_states }),
      ...(options.output_attentions && { attentions }),
    };
  },
);

const embeddings = layer((scope, config: BertConfig, inputs: BertInputs, padding_position?: number): Tensor => {
  const { hidden_size, vocab_size, type_vocab_size, max_position_embeddings, pad_token_id } = config;
  const {
    input_ids,
    token_type_ids = full(input_ids.shape, 0, 'i32'),
    position_ids = iota([input_ids.shape[1]!], 0),
  } = inputs;
  const length = input_ids.shape[1]!;
  if (typeof length === 'number' && length > max_position_embeddings)
    throw new ShapeError(
      `${length} tokens are more than the ${max_position_embeddings} positions of this model (max_position_embeddings); cut the texts (truncation: true)`,
    );
  const rows = (name: string, ids: Ids, count: number, padding: number | null = null): Tensor => {
    const init = normal(config.initializer_range, { zeroRow: padding ?? undefined });
    return embedding(scope.at(`${name}_embeddings`), ids, count, hidden_size, init, padding);
  };
  const words = rows('word', input_ids, vocab_size, pad_token_id);
  const positions = rows('position', position_ids, max_position_embeddings, padding_position);
  const sum = add(add(words, positions) as Tensor, rows('token_type', token_type_ids, type_vocab_size)) as Tensor;
  return scope.dropout(layerNorm(scope.at('LayerNorm'), sum, config.layer_norm_eps), config.hidden_dropout_prob);
});

const encoderLayer = layer(
  (
    scope,
    config: BertConfig,
    x: Tensor,
    bias: Tensor | undefined,
  ): { readonly hidden: Tensor; readonly probs: Tensor } => {
    const init = weights(config);
    const { context, probs } = selfAttention(scope.at('attention', 'self'), x, {
      heads: config.num_attention_heads,
      bias,
      dropout: config.attention_probs_dropout_prob,
      init,
    });
    const output = scope.at('attention', 'output');
    const attended = addAndNorm(output, config, x, linear(output.at('dense'), context, config.hidden_size, { init }));
    const fed = feedForward(scope, attended, {
      names: ['intermediate.dense', 'output.dense'],
      size: config.intermediate_size,
      activation: activation(config.hidden_act),
      init,
    });
    return { hidden: addAndNorm(scope.at('output'), config, attended, fed), probs };
  },
);

/** BERT normalises after the sum, not before the layer. */
function addAndNorm(scope: Scope, config: BertConfig, x: Tensor, change: Tensor): Tensor {
  const sum = add(scope.dropout(change, config.hidden_dropout_prob), x) as Tensor;
  return layerNorm(scope.at('LayerNorm'), sum, config.layer_norm_eps);
}

/** With the state of the whole text: the first token's through one more layer. */
export function withPooler(scope: Scope, config: BertConfig, states: BaseModelOutput): BaseModelOutputWithPooling {
  const { last_hidden_state, ...layers } = states;
  const init = weights(config);
  const first = linear(scope.at('pooler', 'dense'), firstState(last_hidden_state), config.hidden_size, { init });
  return { last_hidden_state, pooler_output: tanh(first), ...layers };
}

/** How weights begin. */
export function weights(config: BertConfig): Init {
  return normal(config.initializer_range);
}

// ---- heads

/** How well each word fits each token; `cls` is a place beside `bert`. */
function words(scope: Scope, config: BertConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  const { vocab_size, hidden_size, tie_word_embeddings, hidden_act, layer_norm_eps: eps } = config;
  const init = weights(config);
  const table = scope.at('bert', 'embeddings', 'word_embeddings');
  return wordLogits(scope.at('cls', 'predictions'), last_hidden_state, {
    names: { dense: 'transform.dense', norm: 'transform.LayerNorm', decoder: 'decoder', bias: '' },
    words: tie_word_embeddings ? table.param('weight', [vocab_size, hidden_size], init) : vocab_size,
    activation: activation(hidden_act),
    eps,
    init,
  });
}

/** How well the second text follows the first, and how badly. */
function follows(scope: Scope, config: BertConfig, { pooler_output }: BaseModelOutputWithPooling): Tensor {
  return linear(scope.at('cls', 'seq_relationship'), pooler_output, 2, { init: weights(config) });
}

/** A class, or as many numbers as there are labels, of each state. */
export function classes(scope: Scope, config: BertConfig, x: Tensor, count = config.num_labels): Tensor {
  const dropped = scope.dropout(x, config.classifier_dropout ?? config.hidden_dropout_prob);
  return linear(scope.at('classifier'), dropped, count, { init: weights(config) });
}

/** How likely an answer begins, and ends, with each token. */
export function answers(scope: Scope, config: BertConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  return linear(scope.at('qa_outputs'), last_hidden_state, 2, { init: weights(config) });
}

// ---- the classes by which users know them

function bertInputs(config: BertConfig): Record<'input_ids' | 'attention_mask' | 'token_type_ids', InputSpec> {
  const ids = { shape: ['batch', 'seq'], dtype: 'i32' } as const;
  return {
    input_ids: { ...ids, below: config.vocab_size },
    attention_mask: { ...ids, missing: 1 },
    token_type_ids: { ...ids, below: config.type_vocab_size, missing: 0 },
  };
}

const bert = {
  name: 'BertModel',
  model_type: 'bert',
  base_model_prefix: 'bert',
  config: bertConfig,
  inputs: bertInputs,
  dims: (config: BertConfig) => ({ seq: config.max_position_embeddings }),
  // A buffer that older checkpoints carry, and what is tied.
  not_parameters: /(^|\.)embeddings\.position_ids$|^cls\.predictions\.decoder\./,
};
const pooled = { ...bert, build: bertModel };
const unpooled = { ...bert, build: bertStates };

/** BERT without a head. */
export const BertModel = modelClass(pooled);
/** A BERT without a head. */
export type BertModel = PreTrainedModel<BertConfig, BaseModelOutputWithPooling>;

/** BERT with both heads of its pretraining: masked tokens, and whether the second text follows the first. */
export const BertForPreTraining = modelClass(withHead(pooled, 'BertForPreTraining', preTraining(words, follows)));
/** A BERT in pretraining. */
export type BertForPreTraining = PreTrainedModel<BertConfig, ForPreTrainingOutput>;

/** BERT that tells which tokens stand where others are masked. */
export const BertForMaskedLM = modelClass(withHead(unpooled, 'BertForMaskedLM', maskedLM(words)));
/** A BERT that tells masked tokens. */
export type BertForMaskedLM = PreTrainedModel<BertConfig, MaskedLMOutput>;

/** BERT that tells whether the second text follows the first. */
export const BertForNextSentencePrediction = modelClass(
  withHead(pooled, 'BertForNextSentencePrediction', nextSentence(follows)),
);
/** A BERT that tells whether texts follow each other. */
export type BertForNextSentencePrediction = PreTrainedModel<BertConfig, NextSentencePredictorOutput>;

/** BERT that tells which class a text, or a pair of texts, belongs to. */
export const BertForSequenceClassification = modelClass(
  withHead(
    pooled,
    'BertForSequenceClassification',
    sequenceClassification((scope, config, { pooler_output }) => classes(scope, config, pooler_output)),
  ),
);
/** A BERT that classifies. */
export type BertForSequenceClassification = PreTrainedModel<BertConfig, SequenceClassifierOutput>;

/** BERT that tells which class each token belongs to. */
export const BertForTokenClassification = modelClass(
  withHead(
    unpooled,
    'BertForTokenClassification',
    tokenClassification((scope, config, { last_hidden_state }) => classes(scope, config, last_hidden_state)),
  ),
);
/** A BERT that classifies tokens. */
export type BertForTokenClassification = PreTrainedModel<BertConfig, TokenClassifierOutput>;

/** BERT that marks where in a text the answer to a question stands. */
export const BertForQuestionAnswering = modelClass(
  withHead(unpooled, 'BertForQuestionAnswering', questionAnswering(answers)),
);
/** A BERT that marks answers. */
export type BertForQuestionAnswering = PreTrainedModel<BertConfig, QuestionAnsweringModelOutput>;

/** BERT that tells which of several texts fits. */
export const BertForMultipleChoice = modelClass(
  withHead(
    pooled,
    'BertForMultipleChoice',
    multipleChoice((scope, config, { pooler_output }) => classes(scope, config, pooler_output, 1)),
  ),
);
/** A BERT that chooses between texts. */
export type BertForMultipleChoice = PreTrainedModel<BertConfig, MultipleChoiceModelOutput>;
