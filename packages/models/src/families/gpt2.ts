/**
 * GPT-2 (Radford et al. 2019), read from top to bottom: configuration, embeddings, blocks, heads. Names of parameters, keys and outputs are
 * those of Hugging Face's `modeling_gpt2`, so that its checkpoints load as they are.
 */
import { add, attention, iota, reshape, ShapeError, slice } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec, OutputOptions } from '../architecture.ts';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { causalLM, tokenLogits } from '../heads/causal-lm.ts';
import { withHead } from '../heads/head.ts';
import { lastTokenClassification } from '../heads/last-token-classification.ts';
import { maskedLM } from '../heads/masked-lm.ts';
import { normal } from '../init.ts';
import { activation } from '../layers/activation.ts';
import { paddingBias } from '../layers/attention.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { causalBias } from '../layers/causal.ts';
import { conv1d } from '../layers/conv1d.ts';
import { checkIds, embedding } from '../layers/embedding.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type { BaseModelOutput, CausalLMOutput, MaskedLMOutput, SequenceClassifierOutput } from '../outputs.ts';
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
  /** Whether tokens look to the left only. Hugging Face's GPT-2 always does; see {@link GPT2ForMaskedLM}. */
  is_causal: true,
  use_cache: true,
  bos_token_id: 50256 as number | null,
  eos_token_id: 50256 as number | readonly number[] | null,
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
    const causal = config.is_causal ? causalBias(input_ids.shape[1]!, cache) : undefined;
    const padding = attention_mask && paddingBias(attention_mask);
    const bias = causal && padding ? (add(causal, padding) as Tensor) : (causal ?? padding);
    const hidden_states = [embeddings(scope, config, inputs).embedded];
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

const embeddings = layer((scope, config: GPT2Config, inputs: GPT2Inputs): { readonly embedded: Tensor } => {
  const { n_positions, n_embd } = config;
  const { input_ids, position_ids = iota([input_ids.shape[1]!], 0) } = inputs;
  const init = normal(config.initializer_range);
  const length = input_ids.shape[1]!;
  if (typeof length === 'number' && length > n_positions)
    throw new ShapeError(
      `${length} tokens are more than the ${n_positions} positions of this model (n_positions); cut the texts (truncation: true)`,
    );
  const sum = add(
    embedding(scope.at('wte'), input_ids, config.vocab_size, n_embd, init),
    embedding(scope.at('wpe'), position_ids, n_positions, n_embd, init),
  ) as Tensor;
  return { embedded: scope.dropout(sum, config.embd_pdrop) };
});

interface BlockOptions {
  /** Added to the scores. */ readonly bias: Tensor | undefined;
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
    const { attended: read, probs } = selfAttention(
      scope.at('attn'),
      config,
      layerNorm(scope.at('ln_1'), x, eps),
      options,
    );
    const attended = add(x, scope.dropout(read, resid_pdrop)) as Tensor;
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
  ): { readonly attended: Tensor; readonly context: Tensor; readonly probs: Tensor } => {
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
    const { context: heads, probs } = attention(part(0), withOlder('key', part(1)), withOlder('value', part(2)), {
      ...(bias && { bias }),
      scale,
      dropout: (p) => scope.dropout(p, attn_pdrop),
    });
    const context = reshape(heads, x.shape);
    return { attended: conv1d(scope.at('c_proj'), context, n_embd, residual(config)), context, probs };
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

// ---- the classes by which users know them

const base = {
  name: 'GPT2Model',
  model_type: 'gpt2',
  base_model_prefix: 'transformer',
  config: gpt2Config,
  inputs(config: GPT2Config): Readonly<Record<'input_ids' | 'attention_mask', InputSpec>> {
    const ids = { shape: ['batch', 'seq'], dtype: 'i32' } as const;
    return { input_ids: { ...ids, below: config.vocab_size }, attention_mask: { ...ids, missing: 1 } };
  },
  dims: (config: GPT2Config) => ({ seq: config.n_positions }),
  // Buffers that older checkpoints carry, and the head where it is tied.
  not_parameters: /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$|^lm_head\.weight$/,
  build: gpt2Model,
};

function logits(scope: Scope, config: GPT2Config, states: Tensor): Tensor {
  const { tie_word_embeddings: tied, vocab_size, initializer_range } = config;
  return tokenLogits(scope, states, { words: 'transformer.wte', tied, vocab_size, init: normal(initializer_range) });
}

/** A configuration whose tokens look the way that a model needs. */
function looking(is_causal: boolean, name: string) {
  return (keys: ConfigKeys = {}, overrides: ConfigKeys = {}): GPT2Config => {
    const config = gpt2Config({ is_causal, ...keys }, overrides);
    if (config.is_causal === is_causal) return config;
    const how = is_causal ? 'must not see the token that it predicts' : 'reads the tokens on both sides';
    throw new ConfigError(`is_causal is ${config.is_causal}: a ${name} ${how}; it must be ${is_causal}`);
  };
}

/** GPT-2 without a head. */
export const GPT2Model = modelClass(base);
/** A GPT-2 without a head. */
export type GPT2Model = PreTrainedModel<GPT2Config, BaseModelOutput>;

/** GPT-2 that predicts the next token. */
export const GPT2LMHeadModel = modelClass(
  causalLM(
    { ...base, config: looking(true, 'GPT2LMHeadModel') },
    { name: 'GPT2LMHeadModel', model: gpt2Model, logits },
  ),
);
/** A GPT-2 that predicts the next token. */
export type GPT2LMHeadModel = PreTrainedModel<GPT2Config, CausalLMOutput>;

/**
 * GPT-2 that tells which tokens stand where others are masked: its tokens look both ways. Hugging Face has no such class; its folders
 * say `"is_causal": false`, so that no other class reads them as if their tokens looked to the left.
 */
export const GPT2ForMaskedLM = modelClass(
  withHead(
    { ...base, config: looking(false, 'GPT2ForMaskedLM') },
    'GPT2ForMaskedLM',
    maskedLM((scope, config, { last_hidden_state }) => logits(scope, config, last_hidden_state)),
  ),
);
/** A GPT-2 that tells masked tokens. */
export type GPT2ForMaskedLM = PreTrainedModel<GPT2Config, MaskedLMOutput>;

/** GPT-2 that tells which class a text belongs to, by its last token that is no padding. */
export const GPT2ForSequenceClassification = modelClass(
  withHead(base, 'GPT2ForSequenceClassification', lastTokenClassification()),
);
/** A GPT-2 that classifies. */
export type GPT2ForSequenceClassification = PreTrainedModel<GPT2Config, SequenceClassifierOutput>;
