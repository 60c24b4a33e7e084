/**
 * GPT-2 (Radford et al. 2019), read from top to bottom: configuration, embeddings, blocks, heads. Names of parameters, keys and outputs are
 * those of Hugging Face's `modeling_gpt2`, so that its checkpoints load as they are.
 */
import {
  add,
  attention,
  contract,
  dimValue,
  equal,
  iota,
  min,
  mod,
  reshape,
  ShapeError,
  slice,
  sub,
  where,
} from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { DecodeInputs, Decoded, InputSpec, OutputOptions } from '../architecture.ts';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { normal } from '../init.ts';
import { activation } from '../layers/activation.ts';
import { paddingBias } from '../layers/attention.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { causalBias, nextTokenLabels, nextTokenLoss } from '../layers/causal.ts';
import { classificationLoss, classLabels } from '../layers/classification.ts';
import { conv1d } from '../layers/conv1d.ts';
import { checkIds, embedding } from '../layers/embedding.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { linear } from '../layers/linear.ts';
import { statesAt } from '../layers/states.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type { BaseModelOutput, CausalLMOutput, SequenceClassifierOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';

// ---- configuration

const gpt2Defaults = {
  model_type: 'gpt2',
  vocab_size: 50257,
  n_positions: 1024,
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
  /** The width inside of the feed-forward part; `null`: four times `n_embd`. */
  n_inner: null as number | null,
  activation_function: 'gelu_new',
  resid_pdrop: 0.1,
  embd_pdrop: 0.1,
  attn_pdrop: 0.1,
  layer_norm_epsilon: 1e-5,
  initializer_range: 0.02,
  scale_attn_weights: true,
  scale_attn_by_inverse_layer_idx: false,
  tie_word_embeddings: true,
  use_cache: true,
  bos_token_id: 50256 as number | null,
  eos_token_id: 50256 as number | null,
  /** What classifiers take for padding; `null`: nothing is. */
  pad_token_id: null as number | null,
};

/** The keys of a GPT-2's `config.json`. The defaults are those of the smallest one. */
export type GPT2Config = ModelConfig & Readonly<typeof gpt2Defaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function gpt2Config(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): GPT2Config {
  const nullable = ['n_inner', 'bos_token_id', 'eos_token_id', 'pad_token_id'] as const;
  const config = fillConfig(gpt2Defaults, nullable, keys, overrides);
  checkSizes(config, ['vocab_size', 'n_positions', 'n_embd', 'n_layer', 'n_head']);
  activation(config.activation_function);
  const { n_embd, n_head } = config;
  if (n_embd % n_head !== 0) throw new ConfigError(`n_embd ${n_embd} is no multiple of n_head ${n_head}`);
  if (config['add_cross_attention'] === true)
    throw new ConfigError('add_cross_attention is set: a GPT-2 that attends to an encoder is not supported');
  return config;
}

// ---- the model

type Ids = Tensor<Shape, 'i32'>;

/** What GPT-2 takes. All but `input_ids` may be left out, with the meaning that Hugging Face gives that. */
export type GPT2Inputs = {
  /** `[batch, seq]`, under `vocab_size`. */
  readonly input_ids: Ids;
  /** `[batch, seq]`: 0 where there is padding. Default: nowhere. */
  readonly attention_mask?: Ids | undefined;
  /** `[batch, seq]` or `[seq]`. Default: 0, 1, 2, … */
  readonly position_ids?: Ids | undefined;
};

/** The options of {@link gpt2Model}. */
export interface GPT2Options extends OutputOptions {
  /** The tokens that were read before; the `attention_mask` is then `[batch, total]`. Default: none. */
  readonly cache?: KeyValueCache | undefined;
}

/** GPT-2 without a head: `scope` is where `wte`, `wpe`, `h` and `ln_f` lie. */
export const gpt2Model = layer(
  (scope, config: GPT2Config, inputs: GPT2Inputs, options: GPT2Options = {}): BaseModelOutput => {
    const { input_ids, attention_mask } = inputs;
    const { cache } = options;
    checkIds({ input_ids, ...(!cache && { attention_mask }) });
    const causal = causalBias(input_ids.shape[1]!, cache);
    const bias = attention_mask ? (add(causal, paddingBias(attention_mask)) as Tensor) : causal;
    const hidden_states = [embeddings(scope, config, inputs)];
    const attentions: Tensor[] = [];
    for (let i = 0; i < config.n_layer; i++) {
      const place = scope.at('h', i);
      const { hidden, probs } = scope.checkpoint((x: Tensor) => block(place, config, x, { bias, index: i, cache }))(
        hidden_states.at(-1)!,
      );
      hidden_states.push(hidden);
      attentions.push(probs);
    }
    const last_hidden_state = layerNorm(scope.at('ln_f'), hidden_states.pop()!, config.layer_norm_epsilon);
    return {
      last_hidden_state,
      ...(options.output_hidden_states && { hidden_states: [...hidden_states, last_hidden_state] }),
      ...(options.output_attentions && { attentions }),
    };
  },
);

const embeddings = layer((scope, config: GPT2Config, inputs: GPT2Inputs): Tensor => {
  const { n_positions, n_embd } = config;
  const { input_ids, position_ids = iota([input_ids.shape[1]!], 0) } = inputs;
  const length = input_ids.shape[1]!;
  if (typeof length === 'number' && length > n_positions)
    throw new ShapeError(
      `${length} tokens are more than the ${n_positions} positions of this model (n_positions); cut the texts (truncation: true)`,
    );
  const sum = add(
    words(scope, config).of(input_ids),
    embedding(scope.at('wpe'), position_ids, n_positions, n_embd, normal(config.initializer_range)),
  ) as Tensor;
  return scope.dropout(sum, config.embd_pdrop);
});

interface BlockOptions {
  /** Added to the scores. */ readonly bias: Tensor;
  /** The number of the block. */ readonly index: number;
  /** The tokens that were read before. */ readonly cache: KeyValueCache | undefined;
}

const block = layer(
  (
    scope,
    config: GPT2Config,
    x: Tensor,
    options: BlockOptions,
  ): { readonly hidden: Tensor; readonly probs: Tensor } => {
    const { layer_norm_epsilon: eps, resid_pdrop } = config;
    const { context, probs } = selfAttention(scope.at('attn'), config, layerNorm(scope.at('ln_1'), x, eps), options);
    const attended = add(x, scope.dropout(context, resid_pdrop)) as Tensor;
    const fed = feedForward(scope.at('mlp'), config, layerNorm(scope.at('ln_2'), attended, eps));
    return { hidden: add(attended, scope.dropout(fed, resid_pdrop)) as Tensor, probs };
  },
);

const selfAttention = layer(
  (
    scope,
    config: GPT2Config,
    x: Tensor,
    { bias, index, cache }: BlockOptions,
  ): { readonly context: Tensor; readonly probs: Tensor } => {
    const { n_embd, n_head, attn_pdrop, initializer_range } = config;
    const [batch, seq] = x.shape as [Shape[number], Shape[number]];
    const size = n_embd / n_head;
    const all = conv1d(scope.at('c_attn'), x, 3 * n_embd, normal(initializer_range));
    const part = (i: number): Tensor => {
      const own = slice(all, { starts: [0, 0, i * n_embd], ends: [undefined, undefined, (i + 1) * n_embd] });
      return reshape(own, [batch, seq, n_head, size]);
    };
    const scale =
      (config.scale_attn_weights ? size ** -0.5 : 1) / (config.scale_attn_by_inverse_layer_idx ? index + 1 : 1);
    const withOlder = (name: string, now: Tensor): Tensor => cache?.extend(scope, name, now) ?? now;
    const { context, probs } = attention(part(0), withOlder('key', part(1)), withOlder('value', part(2)), {
      bias,
      scale,
      dropout: (p) => scope.dropout(p, attn_pdrop),
    });
    return { context: conv1d(scope.at('c_proj'), reshape(context, x.shape), n_embd, residual(config)), probs };
  },
);

const feedForward = layer((scope, config: GPT2Config, x: Tensor): Tensor => {
  const { n_embd, n_inner, activation_function, initializer_range } = config;
  const wide = conv1d(scope.at('c_fc'), x, n_inner ?? 4 * n_embd, normal(initializer_range));
  return conv1d(scope.at('c_proj'), activation(activation_function)(wide), n_embd, residual(config));
});

/** What is added to the residual stream begins smaller, the more blocks there are (section 2.3 of the paper). */
function residual({ initializer_range, n_layer }: GPT2Config): ReturnType<typeof normal> {
  return normal(initializer_range / Math.sqrt(2 * n_layer));
}

/** The table of words: it embeds ids, and, where it is tied, tells how well each word fits a state. */
function words(
  scope: Scope,
  { vocab_size, n_embd, initializer_range }: GPT2Config,
): { readonly of: (ids: Ids) => Tensor; readonly fit: (x: Tensor) => Tensor } {
  const place = scope.at('wte');
  return {
    of: (ids) => embedding(place, ids, vocab_size, n_embd, normal(initializer_range)),
    fit: (x) => contract('bsh,vh->bsv', x, place.param('weight', [vocab_size, n_embd], normal(initializer_range))),
  };
}

// ---- the next token

/** What {@link gpt2LMHeadModel} takes: GPT-2's inputs, and labels if a loss is wanted: the ids themselves, −100 where one does not count. */
export type GPT2LMHeadInputs = GPT2Inputs & {
  /** `i32 [batch, seq]`. */
  readonly labels?: Ids | undefined;
};

/** GPT-2 that predicts the next token: `scope` is where `transformer` lies, and `lm_head` where that is not tied. */
export const gpt2LMHeadModel = layer(
  (scope, config: GPT2Config, inputs: GPT2LMHeadInputs, options: OutputOptions = {}): CausalLMOutput => {
    const { labels, ...rest } = inputs;
    const { last_hidden_state, ...more } = gpt2Model(scope.at('transformer'), config, rest, options);
    const logits = nextTokenLogits(scope, config, last_hidden_state);
    return { ...(labels && { loss: nextTokenLoss(logits, labels) }), logits, ...more };
  },
);

/** More tokens after those in the cache: `scope` is that of {@link gpt2LMHeadModel}. */
export function gpt2Decode(scope: Scope, config: GPT2Config, inputs: DecodeInputs, cache: KeyValueCache): Decoded {
  const { last_hidden_state } = gpt2Model(scope.at('transformer'), config, inputs, { cache });
  return { states: last_hidden_state, logits: (states) => nextTokenLogits(scope, config, states) };
}

function nextTokenLogits(scope: Scope, config: GPT2Config, states: Tensor): Tensor {
  if (config.tie_word_embeddings) return words(scope.at('transformer'), config).fit(states);
  const init = normal(config.initializer_range);
  return linear(scope.at('lm_head'), states, config.vocab_size, { bias: false, init });
}

// ---- sequence classification

/** What {@link gpt2ForSequenceClassification} takes: GPT-2's inputs, and labels as BERT's classifier takes them. */
export type GPT2ForSequenceClassificationInputs = GPT2Inputs & {
  /** `i32 [batch]`, or reals; see `classLabels`. */
  readonly labels?: Tensor | undefined;
};

/** GPT-2 with a linear classifier on the last token that is no padding: `scope` is where `transformer` and `score` lie. */
export const gpt2ForSequenceClassification = layer(
  (
    scope,
    config: GPT2Config,
    inputs: GPT2ForSequenceClassificationInputs,
    options: OutputOptions = {},
  ): SequenceClassifierOutput => {
    const { labels, ...rest } = inputs;
    const { last_hidden_state, ...more } = gpt2Model(scope.at('transformer'), config, rest, options);
    const last = lastTokens(last_hidden_state, rest.input_ids, config.pad_token_id);
    const logits = linear(scope.at('score'), last, config.num_labels, {
      bias: false,
      init: normal(config.initializer_range),
    });
    return { ...(labels && { loss: classificationLoss(config, logits, labels) }), logits, ...more };
  },
);

/** The state `[batch, size]` of each text's last token before its first padding. */
function lastTokens(states: Tensor, ids: Ids, pad_token_id: number | null): Tensor {
  const length = dimValue(states.shape[1]!, 'i32');
  const end = pad_token_id === null ? length : firstOf(ids, pad_token_id);
  // A text that begins with padding counts to its end, as in Python.
  const last = mod(add(sub(end as Ids, 1), length) as Ids, length);
  return statesAt(states, last as Ids);
}

/** Where an id stands first in each row, or the length of the row. */
function firstOf(ids: Ids, id: number): Ids {
  const length = dimValue(ids.shape[1]!, 'i32') as Ids;
  return min(where(equal(ids, id), iota(ids.shape, 1), length) as Ids, { axes: 1 }) as Ids;
}

// ---- the classes by which users know them

function gpt2Inputs(config: GPT2Config): Record<'input_ids' | 'attention_mask', InputSpec> {
  const ids = { shape: ['batch', 'seq'], dtype: 'i32' } as const;
  return { input_ids: { ...ids, below: config.vocab_size }, attention_mask: { ...ids, missing: 1 } };
}

const gpt2 = {
  model_type: 'gpt2',
  base_model_prefix: 'transformer',
  config: gpt2Config,
  dims: (config: GPT2Config) => ({ seq: config.n_positions }),
  // Buffers that older checkpoints carry, and the head where it is tied.
  not_parameters: /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$|^lm_head\.weight$/,
};

/** GPT-2 without a head. */
export const GPT2Model = modelClass({
  ...gpt2,
  name: 'GPT2Model',
  inputs: gpt2Inputs,
  build: gpt2Model,
});
/** A GPT-2 without a head. */
export type GPT2Model = PreTrainedModel<GPT2Config, BaseModelOutput>;

/** GPT-2 that predicts the next token. */
export const GPT2LMHeadModel = modelClass({
  ...gpt2,
  name: 'GPT2LMHeadModel',
  inputs: (config) => ({ ...gpt2Inputs(config), labels: nextTokenLabels(config.vocab_size) }),
  build: gpt2LMHeadModel,
  decode: gpt2Decode,
});
/** A GPT-2 that predicts the next token. */
export type GPT2LMHeadModel = PreTrainedModel<GPT2Config, CausalLMOutput>;

/** GPT-2 that tells which class a text belongs to. */
export const GPT2ForSequenceClassification = modelClass({
  ...gpt2,
  name: 'GPT2ForSequenceClassification',
  inputs: (config) => ({ ...gpt2Inputs(config), labels: classLabels(config) }),
  build: gpt2ForSequenceClassification,
});
/** A GPT-2 that classifies. */
export type GPT2ForSequenceClassification = PreTrainedModel<GPT2Config, SequenceClassifierOutput>;
