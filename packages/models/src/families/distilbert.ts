/**
 * DistilBERT (Sanh et al. 2019), read from top to bottom: configuration, embeddings, encoder, heads. It is BERT with half of the layers, one kind of text and
 * no pooler. Names of parameters, keys and outputs are those of Hugging Face's `modeling_distilbert`, so that its checkpoints load as they are.
 */
import { add, constant, relu, ShapeError, slice } from '@sinter/ir';
import type { Dim, Shape, Tensor } from '@sinter/ir';
import type { InputSpec, OutputOptions } from '../architecture.ts';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { withHead } from '../heads/head.ts';
import { maskedLM, wordLogits } from '../heads/masked-lm.ts';
import { multipleChoice } from '../heads/multiple-choice.ts';
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
  MaskedLMOutput,
  MultipleChoiceModelOutput,
  QuestionAnsweringModelOutput,
  SequenceClassifierOutput,
  TokenClassifierOutput,
} from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';

// ---- configuration

const distilBertDefaults = {
  model_type: 'distilbert',
  vocab_size: 30522,
  dim: 768,
  n_layers: 6,
  n_heads: 12,
  hidden_dim: 3072,
  activation: 'gelu',
  dropout: 0.1,
  attention_dropout: 0.1,
  /** What is dropped before the marks of an answer. */
  qa_dropout: 0.1,
  /** What is dropped before a class of a text. */
  seq_classif_dropout: 0.2,
  max_position_embeddings: 512,
  /** Whether positions are sines and cosines, which are not trained, instead of a table that is. */
  sinusoidal_pos_embds: false,
  initializer_range: 0.02,
  pad_token_id: 0 as number | null,
  /** Whether the table that embeds words also tells masked ones. */
  tie_word_embeddings: true,
};

/** The keys of a DistilBERT's `config.json`. The defaults are those of distilbert-base. */
export type DistilBertConfig = ModelConfig & Readonly<typeof distilBertDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function distilBertConfig(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): DistilBertConfig {
  const config = fillConfig(distilBertDefaults, ['pad_token_id'], keys, overrides);
  checkSizes(config, ['vocab_size', 'dim', 'n_layers', 'n_heads', 'hidden_dim', 'max_position_embeddings']);
  activation(config.activation);
  const { dim, n_heads } = config;
  if (dim % n_heads !== 0) throw new ConfigError(`dim ${dim} is no multiple of n_heads ${n_heads}`);
  return config;
}

// ---- the model

type Ids = Tensor<Shape, 'i32'>;

/** What DistilBERT takes. */
export type DistilBertInputs = {
  /** `[batch, seq]`, under `vocab_size`. */
  readonly input_ids: Ids;
  /** `[batch, seq]`: 0 where there is padding. Default: nowhere. */
  readonly attention_mask?: Ids | undefined;
};

/** All normalisations have this, whatever the configuration. */
const eps = 1e-12;

/** DistilBERT without a head: `scope` is where `embeddings` and `transformer` lie. */
export const distilBertModel = layer(
  (scope, config: DistilBertConfig, inputs: DistilBertInputs, options: OutputOptions = {}): BaseModelOutput => {
    const { input_ids, attention_mask } = inputs;
    checkIds({ input_ids, attention_mask });
    const bias = attention_mask && paddingBias(attention_mask);
    const hidden_states = [embeddings(scope.at('embeddings'), config, input_ids)];
    const attentions: Tensor[] = [];
    for (let i = 0; i < config.n_layers; i++) {
      const place = scope.at('transformer', 'layer', i);
      const { hidden, probs } = scope.checkpoint((x: Tensor) => block(place, config, x, bias))(hidden_states.at(-1)!);
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

const embeddings = layer((scope, config: DistilBertConfig, ids: Ids): Tensor => {
  const { vocab_size, dim, max_position_embeddings, pad_token_id, initializer_range } = config;
  const length = ids.shape[1]!;
  if (typeof length === 'number' && length > max_position_embeddings)
    throw new ShapeError(
      `${length} tokens are more than the ${max_position_embeddings} positions of this model (max_position_embeddings); cut the texts (truncation: true)`,
    );
  const init = normal(initializer_range, { zeroRow: pad_token_id ?? undefined });
  const words = embedding(scope.at('word_embeddings'), ids, vocab_size, dim, init, pad_token_id);
  const sum = add(words, positions(scope.at('position_embeddings'), config, length)) as Tensor;
  return scope.dropout(layerNorm(scope.at('LayerNorm'), sum, eps), config.dropout);
});

/** The embeddings `[seq, dim]` of the first positions. */
function positions(scope: Scope, config: DistilBertConfig, seq: Dim): Tensor {
  const { max_position_embeddings, dim, sinusoidal_pos_embds, initializer_range } = config;
  const shape = [max_position_embeddings, dim] as const;
  // Checkpoints hold sinusoids among the parameters; since they are known, the parameter is not read, and so never trained.
  const values = sinusoidal_pos_embds ? sinusoids(...shape) : undefined;
  const param = scope.param('weight', shape, values ? { kind: 'given', values } : normal(initializer_range));
  return slice(values ? constant(values, shape) : param, { starts: [0, 0], ends: [seq, dim] }) as Tensor;
}

/** Sines and cosines in turn (Vaswani et al. 2017, section 3.5), computed in 64 bits, row-major. */
function sinusoids(count: number, size: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count * size }, (_, at) => {
    const [position, i] = [Math.floor(at / size), at % size];
    const angle = position / 10000 ** ((2 * Math.floor(i / 2)) / size);
    return i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}

const block = layer(
  (
    scope,
    config: DistilBertConfig,
    x: Tensor,
    bias: Tensor | undefined,
  ): { readonly hidden: Tensor; readonly probs: Tensor } => {
    const init = weights(config);
    const { context, probs } = selfAttention(scope.at('attention'), x, {
      heads: config.n_heads,
      bias,
      dropout: config.attention_dropout,
      init,
      names: ['q_lin', 'k_lin', 'v_lin'],
    });
    const mixed = linear(scope.at('attention', 'out_lin'), context, config.dim, { init });
    const attended = layerNorm(scope.at('sa_layer_norm'), add(mixed, x) as Tensor, eps);
    const fed = feedForward(scope.at('ffn'), attended, {
      names: ['lin1', 'lin2'],
      size: config.hidden_dim,
      activation: activation(config.activation),
      init,
    });
    const sum = add(scope.dropout(fed, config.dropout), attended) as Tensor;
    return { hidden: layerNorm(scope.at('output_layer_norm'), sum, eps), probs };
  },
);

function weights(config: DistilBertConfig): Init {
  return normal(config.initializer_range);
}

// ---- heads

/** How well each word fits each token. */
function words(scope: Scope, config: DistilBertConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  const { vocab_size, dim, tie_word_embeddings } = config;
  const init = weights(config);
  const table = scope.at('distilbert', 'embeddings', 'word_embeddings');
  return wordLogits(scope, last_hidden_state, {
    names: {
      dense: 'vocab_transform',
      norm: 'vocab_layer_norm',
      decoder: 'vocab_projector',
      bias: 'vocab_projector',
    },
    words: tie_word_embeddings ? table.param('weight', [vocab_size, dim], init) : vocab_size,
    activation: activation(config.activation),
    eps,
    init,
  });
}

/** A class of each text, or as many numbers as `count`: two layers on the state of its first token. */
function textClasses(scope: Scope, config: DistilBertConfig, states: BaseModelOutput, count: number): Tensor {
  const init = weights(config);
  const first = firstState(states.last_hidden_state);
  const dense = relu(linear(scope.at('pre_classifier'), first, config.dim, { init }));
  return linear(scope.at('classifier'), scope.dropout(dense, config.seq_classif_dropout), count, { init });
}

/** A class of each token. */
function tokenClasses(scope: Scope, config: DistilBertConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  const dropped = scope.dropout(last_hidden_state, config.dropout);
  return linear(scope.at('classifier'), dropped, config.num_labels, { init: weights(config) });
}

/** How likely an answer begins, and ends, with each token. */
function answers(scope: Scope, config: DistilBertConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  const dropped = scope.dropout(last_hidden_state, config.qa_dropout);
  return linear(scope.at('qa_outputs'), dropped, 2, { init: weights(config) });
}

// ---- the classes by which users know them

const distilBert = {
  name: 'DistilBertModel',
  model_type: 'distilbert',
  base_model_prefix: 'distilbert',
  config: distilBertConfig,
  inputs(config: DistilBertConfig): Record<'input_ids' | 'attention_mask', InputSpec> {
    const ids = { shape: ['batch', 'seq'], dtype: 'i32' } as const;
    return { input_ids: { ...ids, below: config.vocab_size }, attention_mask: { ...ids, missing: 1 } };
  },
  dims: (config: DistilBertConfig) => ({ seq: config.max_position_embeddings }),
  // A buffer that older checkpoints carry, and what is tied.
  not_parameters: /(^|\.)embeddings\.position_ids$|^vocab_projector\.weight$/,
  build: distilBertModel,
};

/** DistilBERT without a head. */
export const DistilBertModel = modelClass(distilBert);
/** A DistilBERT without a head. */
export type DistilBertModel = PreTrainedModel<DistilBertConfig, BaseModelOutput>;

/** DistilBERT that tells which tokens stand where others are masked. */
export const DistilBertForMaskedLM = modelClass(withHead(distilBert, 'DistilBertForMaskedLM', maskedLM(words)));
/** A DistilBERT that tells masked tokens. */
export type DistilBertForMaskedLM = PreTrainedModel<DistilBertConfig, MaskedLMOutput>;

/** DistilBERT that tells which class a text, or a pair of texts, belongs to. */
export const DistilBertForSequenceClassification = modelClass(
  withHead(
    distilBert,
    'DistilBertForSequenceClassification',
    sequenceClassification((scope, config, states) => textClasses(scope, config, states, config.num_labels)),
  ),
);
/** A DistilBERT that classifies. */
export type DistilBertForSequenceClassification = PreTrainedModel<DistilBertConfig, SequenceClassifierOutput>;

/** DistilBERT that tells which class each token belongs to. */
export const DistilBertForTokenClassification = modelClass(
  withHead(distilBert, 'DistilBertForTokenClassification', tokenClassification(tokenClasses)),
);
/** A DistilBERT that classifies tokens. */
export type DistilBertForTokenClassification = PreTrainedModel<DistilBertConfig, TokenClassifierOutput>;

/** DistilBERT that marks where in a text the answer to a question stands. */
export const DistilBertForQuestionAnswering = modelClass(
  withHead(distilBert, 'DistilBertForQuestionAnswering', questionAnswering(answers)),
);
/** A DistilBERT that marks answers. */
export type DistilBertForQuestionAnswering = PreTrainedModel<DistilBertConfig, QuestionAnsweringModelOutput>;

/** DistilBERT that tells which of several texts fits. */
export const DistilBertForMultipleChoice = modelClass(
  withHead(
    distilBert,
    'DistilBertForMultipleChoice',
    multipleChoice((scope, config, states) => textClasses(scope, config, states, 1)),
  ),
);
/** A DistilBERT that chooses between texts. */
export type DistilBertForMultipleChoice = PreTrainedModel<DistilBertConfig, MultipleChoiceModelOutput>;
