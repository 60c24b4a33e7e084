/**
 * The decoder that Llama (Touvron et al. 2023), Mistral and Qwen2 share, read from top to bottom: rotary positions, root-mean-square normalisation, heads of
 * queries that share keys, a gated feed-forward part. What tells the families apart is a {@link DecoderFamily}. Names of parameters, keys and outputs are
 * those of Hugging Face's `modeling_llama`.
 */
import { add, attention, iota, reshape, ShapeError } from '@sinter/ir';
import type { Dim, Shape, Tensor } from '@sinter/ir';
import type { Architecture, InputSpec, OutputOptions } from '../architecture.ts';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { causalLM, tokenLogits } from '../heads/causal-lm.ts';
import { withHead } from '../heads/head.ts';
import { lastTokenClassification } from '../heads/last-token-classification.ts';
import { normal } from '../init.ts';
import { activation } from '../layers/activation.ts';
import { paddingBias } from '../layers/attention.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { causalBias } from '../layers/causal.ts';
import { checkIds, embedding } from '../layers/embedding.ts';
import { gatedFeedForward } from '../layers/gated-feed-forward.ts';
import { linear } from '../layers/linear.ts';
import { rmsNorm } from '../layers/rms-norm.ts';
import { rope, ropeLimit } from '../layers/rope-scaling.ts';
import type { RopeScaling } from '../layers/rope-scaling.ts';
import { rotary } from '../layers/rotary.ts';
import type { Turn } from '../layers/rotary.ts';
import { modelClass } from '../model.ts';
import type { ModelClass } from '../model.ts';
import type { BaseModelOutput, CausalLMOutput, SequenceClassifierOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';

// ---- configuration

/** The keys that all of these families have. */
export const decoderDefaults = {
  vocab_size: 32000,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  /** Heads of keys and values, each of which serves several heads of queries; `null`: as many as `num_attention_heads`. */
  num_key_value_heads: null as number | null,
  /** `null`: `hidden_size` divided by the heads. */
  head_dim: null as number | null,
  hidden_act: 'silu',
  max_position_embeddings: 2048,
  initializer_range: 0.02,
  rms_norm_eps: 1e-6,
  attention_dropout: 0,
  rope_theta: 10000,
  rope_scaling: { rope_type: 'default' } as RopeScaling | null,
  tie_word_embeddings: false,
  use_cache: true,
  /** What classifiers take for padding; `null`: nothing is. */
  pad_token_id: null as number | null,
  bos_token_id: null as number | null,
  /** One, or several. */
  eos_token_id: null as number | readonly number[] | null,
};

type Defaults = typeof decoderDefaults & { readonly model_type: string };

/** A configuration of one of these families, all that may be `null` filled in. */
export type DecoderConfig<D extends Defaults = Defaults> = ModelConfig &
  Readonly<Omit<D, 'num_key_value_heads' | 'head_dim'>> & {
    readonly num_key_value_heads: number;
    readonly head_dim: number;
  };

/** What tells a family from the others. */
export interface DecoderFamily<D extends Defaults> {
  /** As its classes begin: `Llama`. */
  readonly name: string;
  readonly defaults: D;
  /** Keys of its own that may be `null`. */
  readonly nullable?: readonly (keyof D)[];
  /** Which linear layers have a bias. */
  bias(config: DecoderConfig<D>): DecoderBias;
  /** How many tokens a layer sees, each itself and those before it. Default: all. */
  window?(config: DecoderConfig<D>, layer: number): number | null;
}

/** Which linear layers have a bias. */
export interface DecoderBias {
  /** Those of queries, keys and values. */ readonly projections: boolean;
  /** The one after attention. */ readonly output: boolean;
  /** The feed-forward part. */ readonly feedForward: boolean;
}

function configOf<D extends Defaults>({ defaults, nullable = [] }: DecoderFamily<D>) {
  return (keys: ConfigKeys = {}, overrides: ConfigKeys = {}): DecoderConfig<D> => {
    const tokens = ['pad_token_id', 'bos_token_id', 'eos_token_id'] as const;
    const open = ['num_key_value_heads', 'head_dim', 'rope_scaling', ...tokens, ...nullable] as const;
    const said: DecoderConfig = fillConfig(defaults, open, keys, overrides) as DecoderConfig;
    const sizes = ['vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'];
    checkSizes(said, [...sizes, 'max_position_embeddings']);
    activation(said.hidden_act);
    const { hidden_size, num_attention_heads: heads } = said;
    const config = {
      ...said,
      num_key_value_heads: said.num_key_value_heads ?? heads,
      head_dim: said.head_dim ?? hidden_size / heads,
    };
    if (!Number.isInteger(config.head_dim))
      throw new ConfigError(
        `hidden_size ${hidden_size} is no multiple of num_attention_heads ${heads}; or give head_dim`,
      );
    checkSizes(config, ['num_key_value_heads', 'head_dim']);
    if (heads % config.num_key_value_heads !== 0)
      throw new ConfigError(
        `num_attention_heads ${heads} is no multiple of num_key_value_heads ${config.num_key_value_heads}`,
      );
    ropeOf(config);
    return config as DecoderConfig<D>;
  };
}

function ropeOf(config: DecoderConfig) {
  const { head_dim: size, rope_theta: theta, max_position_embeddings: positions, rope_scaling: scaling } = config;
  const original = config['original_max_position_embeddings'] as number | undefined;
  return rope({ size, theta, positions, scaling, original });
}

/** The most tokens of a text. */
function limit({ max_position_embeddings: positions, rope_scaling: scaling }: DecoderConfig): number {
  return ropeLimit({ positions, scaling });
}

// ---- the model

type Ids = Tensor<Shape, 'i32'>;

/** What these models take. All but `input_ids` may be left out. */
export type DecoderInputs = {
  /** `[batch, seq]`, under `vocab_size`. */
  readonly input_ids: Ids;
  /** `[batch, seq]`: 0 where there is padding; with a cache `[batch, total]`. Default: nowhere. */
  readonly attention_mask?: Ids | undefined;
  /** `[batch, seq]` or `[seq]`. Default: 0, 1, 2, … */
  readonly position_ids?: Ids | undefined;
};

interface LayerOptions {
  /** Added to the scores. */ readonly bias: Tensor;
  /** By where they stand. */ readonly turn: Turn;
  /** The tokens that were read before. */ readonly cache: KeyValueCache | undefined;
  /** Which linear layers have a bias. */ readonly linear: DecoderBias;
}

function modelOf<D extends Defaults>(family: DecoderFamily<D>) {
  return layer(
    (
      scope,
      config: DecoderConfig<D>,
      inputs: DecoderInputs,
      options: OutputOptions & { readonly cache?: KeyValueCache } = {},
    ): BaseModelOutput => {
      const { input_ids, attention_mask } = inputs;
      const { cache } = options;
      checkIds({ input_ids, ...(!cache && { attention_mask }) });
      const length = input_ids.shape[1]!;
      if (typeof length === 'number' && length > limit(config))
        throw new ShapeError(
          `${length} tokens are more than the ${limit(config)} that this model reads (max_position_embeddings); cut the texts (truncation: true)`,
        );
      const position_ids = inputs.position_ids ?? iota([length], 0);
      const padding = attention_mask && paddingBias(attention_mask);
      // Layers with one window share one bias.
      const biases = new Map<number | null, Tensor>();
      const biasOf = (window: number | null): Tensor => {
        const causal = causalBias(length, cache, window ?? undefined);
        const bias = biases.get(window) ?? (padding ? (add(causal, padding) as Tensor) : causal);
        biases.set(window, bias);
        return bias;
      };
      const shared = { turn: rotary(ropeOf(config), position_ids), cache, linear: family.bias(config) };
      const hidden_states = [embedTokens(scope.at('embed_tokens'), config, input_ids)];
      const attentions: Tensor[] = [];
      for (let i = 0; i < config.num_hidden_layers; i++) {
        const place = scope.at('layers', i);
        const own = { ...shared, bias: biasOf(family.window?.(config, i) ?? null) };
        const { hidden, probs } = scope.checkpoint((x: Tensor) => decoderLayer(place, config, x, own))(
          hidden_states.at(-1)!,
        );
        hidden_states.push(hidden);
        attentions.push(probs);
      }
      const last_hidden_state = rmsNorm(scope.at('norm'), hidden_states.pop()!, config.rms_norm_eps);
      return {
        last_hidden_state,
        ...(options.output_hidden_states && { hidden_states: [...hidden_states, last_hidden_state] }),
        ...(options.output_attentions && { attentions }),
      };
    },
  );
}

function embedTokens(scope: Scope, config: DecoderConfig, ids: Ids): Tensor {
  const { vocab_size, hidden_size, initializer_range, pad_token_id } = config;
  return embedding(
    scope,
    ids,
    vocab_size,
    hidden_size,
    normal(initializer_range, { zeroRow: pad_token_id ?? undefined }),
  );
}

const decoderLayer = layer(
  (
    scope,
    config: DecoderConfig,
    x: Tensor,
    options: LayerOptions,
  ): { readonly hidden: Tensor; readonly probs: Tensor } => {
    const { rms_norm_eps: eps } = config;
    const read = selfAttention(scope.at('self_attn'), config, rmsNorm(scope.at('input_layernorm'), x, eps), options);
    const attended = add(x, read.attended) as Tensor;
    const fed = gatedFeedForward(scope.at('mlp'), rmsNorm(scope.at('post_attention_layernorm'), attended, eps), {
      names: ['gate_proj', 'up_proj', 'down_proj'],
      size: config.intermediate_size,
      activation: activation(config.hidden_act),
      bias: options.linear.feedForward,
      init: normal(config.initializer_range),
    });
    return { hidden: add(attended, fed) as Tensor, probs: read.probs };
  },
);

const selfAttention = layer(
  (
    scope,
    config: DecoderConfig,
    x: Tensor,
    options: LayerOptions,
  ): { readonly attended: Tensor; readonly context: Tensor; readonly probs: Tensor } => {
    const { num_attention_heads, num_key_value_heads, head_dim, hidden_size } = config;
    const { bias, turn, cache } = options;
    const [batch, seq] = x.shape as readonly [Dim, Dim, number];
    const init = normal(config.initializer_range);
    const project = (name: string, heads: number): Tensor => {
      const all = linear(scope.at(name), x, heads * head_dim, { bias: options.linear.projections, init });
      return reshape(all, [batch, seq, heads, head_dim]);
    };
    const withOlder = (name: string, now: Tensor): Tensor => cache?.extend(scope, name, now) ?? now;
    const query = turn(project('q_proj', num_attention_heads));
    const key = withOlder('key', turn(project('k_proj', num_key_value_heads)));
    const value = withOlder('value', project('v_proj', num_key_value_heads));
    const { context: heads, probs } = attention(query, key, value, {
      bias,
      dropout: (p) => scope.dropout(p, config.attention_dropout),
    });
    const context = reshape(heads, [batch, seq, num_attention_heads * head_dim]);
    const attended = linear(scope.at('o_proj'), context, hidden_size, { bias: options.linear.output, init });
    return { attended, context, probs };
  },
);

// ---- the classes by which users know them

/** The configuration and the classes of a family. */
export interface DecoderClasses<D extends Defaults> {
  /** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
  config(keys?: ConfigKeys, overrides?: ConfigKeys): DecoderConfig<D>;
  readonly base: ModelClass<DecoderConfig<D>, BaseModelOutput>;
  readonly causalLM: ModelClass<DecoderConfig<D>, CausalLMOutput>;
  readonly sequenceClassification: ModelClass<DecoderConfig<D>, SequenceClassifierOutput>;
}

/** Makes the classes of a family. */
export function decoderClasses<D extends Defaults>(family: DecoderFamily<D>): DecoderClasses<D> {
  const { name, defaults } = family;
  const model = modelOf(family);
  const config = configOf(family);
  const base: Architecture<DecoderConfig<D>, BaseModelOutput> = {
    name: `${name}Model`,
    model_type: defaults.model_type,
    base_model_prefix: 'model',
    config,
    inputs: ({ vocab_size }): Readonly<Record<string, InputSpec>> => ({
      input_ids: { shape: ['batch', 'seq'], dtype: 'i32', below: vocab_size },
      attention_mask: { shape: ['batch', 'seq'], dtype: 'i32', missing: 1 },
    }),
    dims: (c) => ({ seq: limit(c) }),
    // Buffers that older checkpoints carry, and the head where it is tied.
    not_parameters: /rotary_emb\.inv_freq$|^lm_head\.weight$/,
    build: model,
  };
  return {
    config,
    base: modelClass(base),
    causalLM: modelClass(
      causalLM(base, {
        name: `${name}ForCausalLM`,
        model,
        logits: (scope, { tie_word_embeddings: tied, vocab_size, initializer_range }, states) =>
          tokenLogits(scope, states, {
            words: 'model.embed_tokens',
            tied,
            vocab_size,
            init: normal(initializer_range),
          }),
      }),
    ),
    sequenceClassification: modelClass(
      withHead(base, `${name}ForSequenceClassification`, lastTokenClassification<DecoderConfig<D>>()),
    ),
  };
}
