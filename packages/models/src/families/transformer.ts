/**
 * The Transformer (Vaswani et al. 2017, "Attention is all you need"), read from top to bottom: configuration, embeddings, layers, logits. BART
 * and Marian are the same with other embeddings and first values, and share it by {@link transformerLayout}. Names of parameters and keys
 * are theirs in Hugging Face's `transformers`.
 */
import {
  add,
  constant,
  contract,
  equal,
  expandDims,
  gather,
  iota,
  mul,
  ShapeError,
  stopGradient,
  where,
} from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { normal, uniform, zeros } from '../init.ts';
import type { Init } from '../init.ts';
import { activation } from '../layers/activation.ts';
import { causalBias } from '../layers/causal.ts';
import { embedding } from '../layers/embedding.ts';
import { layerNorm } from '../layers/layer-norm.ts';
import { linear } from '../layers/linear.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { multiHeadAttention } from '../layers/multi-head-attention.ts';
import type { Memory } from '../layers/multi-head-attention.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type { Seq2SeqLMOutput, Seq2SeqModelOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';
import {
  decoderVocabulary,
  encoderDecoder,
  maskBias,
  seq2SeqInputs,
  seq2SeqLMInputs,
  stacked,
  sum,
} from './encoder-decoder.ts';
import type {
  EncoderDecoderConfig,
  EncoderDecoderFunctions,
  LayerOutput,
  Side,
  StackInputs,
} from './encoder-decoder.ts';

// ---- configuration

/** The keys that the Transformer, BART and Marian share. */
export const transformerKeys = {
  max_position_embeddings: 1024,
  d_model: 1024,
  encoder_layers: 12,
  encoder_attention_heads: 16,
  encoder_ffn_dim: 4096,
  decoder_layers: 12,
  decoder_attention_heads: 16,
  decoder_ffn_dim: 4096,
  activation_function: 'gelu',
  dropout: 0.1,
  attention_dropout: 0,
  activation_dropout: 0,
  /** Whether embeddings are multiplied by the square root of `d_model`. */
  scale_embedding: false,
  /** Whether the decoder's embeddings are the weights of the logits too. */
  tie_word_embeddings: true,
  is_encoder_decoder: true,
  use_cache: true,
};

/** What the layers of all three read. */
export type TransformerKeys = EncoderDecoderConfig &
  Readonly<typeof transformerKeys> & {
    /** Whether encoder and decoder have one table of embeddings. Default: yes. */
    readonly share_encoder_decoder_embeddings?: boolean;
  };

/** Fills in the defaults of one of the three, and checks what they share. @throws ConfigError */
export function fillTransformer<
  D extends typeof transformerKeys & { readonly model_type: string; readonly vocab_size: number },
>(defaults: D, nullable: readonly (keyof D)[], keys: ConfigKeys, overrides: ConfigKeys): D & ModelConfig {
  const config = fillConfig(defaults, nullable, keys, overrides);
  const sizes = ['layers', 'attention_heads', 'ffn_dim'].flatMap((of) => [`encoder_${of}`, `decoder_${of}`]);
  checkSizes(config, ['vocab_size', 'd_model', 'max_position_embeddings', ...sizes]);
  activation(config.activation_function);
  for (const side of ['encoder', 'decoder'] as const) {
    const heads = config[`${side}_attention_heads`];
    if (config.d_model % heads !== 0)
      throw new ConfigError(`d_model ${config.d_model} is no multiple of ${side}_attention_heads ${heads}`);
  }
  return config;
}

const transformerDefaults = {
  ...transformerKeys,
  model_type: 'transformer',
  vocab_size: 37000,
  max_position_embeddings: 512,
  d_model: 512,
  encoder_layers: 6,
  encoder_attention_heads: 8,
  encoder_ffn_dim: 2048,
  decoder_layers: 6,
  decoder_attention_heads: 8,
  decoder_ffn_dim: 2048,
  activation_function: 'relu',
  scale_embedding: true,
  label_smoothing: 0.1,
  pad_token_id: 0 as number | null,
  bos_token_id: 1 as number | null,
  eos_token_id: 2 as number | null,
  decoder_start_token_id: 1 as number | null,
};

/** The keys of a Transformer's `config.json`. The defaults are the base model of the paper. */
export type TransformerConfig = ModelConfig & Readonly<typeof transformerDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function transformerConfig(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): TransformerConfig {
  const tokens = ['pad_token_id', 'bos_token_id', 'eos_token_id', 'decoder_start_token_id'] as const;
  return fillTransformer(transformerDefaults, tokens, keys, overrides);
}

// ---- the layers

type Ids = Tensor<Shape, 'i32'>;

/** What distinguishes the three. */
export interface TransformerLayout<C extends TransformerKeys> {
  /** What is added to the embeddings at positions `[batch, n]` or `[n]`; `scope` is a side. */
  positions(scope: Scope, config: C, ids: Ids): Tensor;
  /** Whether embeddings are normalised. */
  readonly layernorm_embedding: boolean;
  /** Whether logits have a bias that is kept and not trained. */
  readonly final_logits_bias: boolean;
  /** How weights begin. */
  init(config: C): {
    /** Embeddings. */
    readonly embedding: Init;
    /** Linear layers from one size to another. */
    linear(from: number, to: number): Init;
  };
}

/** The functions of a Transformer with its particulars. */
export function transformerLayout<C extends TransformerKeys>(layout: TransformerLayout<C>): EncoderDecoderFunctions<C> {
  /** The table of a side's tokens: it embeds ids, and tells how well each token fits a state. */
  const tokens = (scope: Scope, config: C, side: Side): Tokens => {
    const { vocab_size, d_model, share_encoder_decoder_embeddings: shared = true, pad_token_id } = config;
    const place = shared ? scope.at('shared') : scope.at(side, 'embed_tokens');
    const count = side === 'encoder' ? vocab_size : decoderVocabulary(config);
    const init = layout.init(config).embedding;
    return {
      of(ids) {
        const rows = embedding(place, ids, count, d_model, init);
        // As in torch, the padding token stays what it is, even where a decoder starts with it.
        const padding = pad_token_id === null ? undefined : expandDims(equal(ids, pad_token_id), 2);
        return padding ? (where(padding, stopGradient(rows), rows) as Tensor) : rows;
      },
      fit: (x) => contract('bsh,vh->bsv', x, place.param('weight', [count, d_model], init)),
    };
  };

  const embeddings = layer((scope, config: C, words: Tensor, { input_ids, position_ids }: StackInputs): Tensor => {
    const { d_model, max_position_embeddings: most } = config;
    const length = input_ids.shape[1]!;
    if (typeof length === 'number' && length > most)
      throw new ShapeError(
        `${length} tokens are more than the ${most} positions of this model (max_position_embeddings); cut the texts (truncation: true)`,
      );
    const scaled = config.scale_embedding ? mul(words, Math.sqrt(d_model)) : words;
    const sum = add(scaled, layout.positions(scope, config, position_ids ?? iota([length], 0))) as Tensor;
    return scope.dropout(layout.layernorm_embedding ? norm(scope, 'layernorm_embedding', sum) : sum, config.dropout);
  });

  const oneLayer = layer((scope, config: C, side: Side, x: Tensor, around: Around): LayerOutput => {
    const { d_model, dropout, activation_dropout, attention_dropout, activation_function } = config;
    const init = layout.init(config).linear;
    const heads = config[`${side}_attention_heads`];
    const attend = (name: string, from: Tensor, bias: Tensor | undefined, memory?: Memory) => {
      const { context, probs } = multiHeadAttention(scope.at(name), from, {
        ...{ heads, size: d_model / heads, names: projections, memory, bias, cache: around.cache },
        dropout: attention_dropout,
        init: () => init(d_model, d_model),
      });
      return { sum: after(from, `${name}_layer_norm`, context), probs };
    };
    /** What is added to the residual stream is followed by a norm. */
    const after = (from: Tensor, name: string, change: Tensor): Tensor =>
      norm(scope, name, add(from, scope.dropout(change, dropout)) as Tensor);

    const own = attend('self_attn', x, around.bias);
    const cross = around.memory && attend('encoder_attn', own.sum, around.memory.bias, around.memory);
    const attended = cross?.sum ?? own.sum;
    const size = config[`${side}_ffn_dim`];
    const wide = activation(activation_function)(
      linear(scope.at('fc1'), attended, size, { init: init(d_model, size) }),
    );
    const fed = linear(scope.at('fc2'), scope.dropout(wide, activation_dropout), d_model, {
      init: init(size, d_model),
    });
    return { hidden: after(attended, 'final_layer_norm', fed), probs: own.probs, cross: cross?.probs };
  });

  return encoderDecoder<C>({
    base: 'model',
    stack(scope, config, side, inputs) {
      const { input_ids, attention_mask, memory, cache } = inputs;
      const here = scope.at(side);
      const bias = sum(side === 'decoder' && causalBias(input_ids.shape[1]!, cache), maskBias(attention_mask));
      const layers = Array.from({ length: config[`${side}_layers`] }, (_, i) => (x: Tensor, states?: Tensor) => {
        const around = { bias, cache, memory: memory && { states, bias: maskBias(memory.mask) } };
        return oneLayer(here.at('layers', i), config, side, x, around);
      });
      return stacked(
        here,
        embeddings(here, config, tokens(scope, config, side).of(input_ids), inputs),
        layers,
        memory?.states,
      );
    },
    logits(scope, config, states) {
      const { d_model, tie_word_embeddings } = config;
      const count = decoderVocabulary(config);
      const init = layout.init(config).linear(d_model, count);
      const logits = tie_word_embeddings
        ? tokens(scope.at('model'), config, 'decoder').fit(states)
        : linear(scope.at('lm_head'), states, count, { bias: false, init });
      if (!layout.final_logits_bias) return logits;
      return add(logits, stopGradient(scope.param('final_logits_bias', [1, count], zeros))) as Tensor;
    },
  });
}

interface Tokens {
  of(ids: Ids): Tensor;
  fit(x: Tensor): Tensor;
}

/** What a layer is told beside the states. */
interface Around {
  /** Added to the scores. */
  readonly bias: Tensor | undefined;
  /** What the encoder made of the source. */
  readonly memory: (Memory & { readonly bias: Tensor | undefined }) | undefined;
  readonly cache: KeyValueCache | undefined;
}

const projections = ['q_proj', 'k_proj', 'v_proj', 'out_proj'] as const;

function norm(scope: Scope, name: string, x: Tensor): Tensor {
  return layerNorm(scope.at(name), x, 1e-5);
}

// ---- the model of the paper

/**
 * The sines and cosines of section 3.5 as a table `[count, size]`, computed in 64 bits: the first half of a row are the sines, the second the
 * cosines, as in the authors' code.
 */
export function sinusoids(count: number, size: number): Tensor {
  const data = new Float32Array(count * size);
  const sines = Math.ceil(size / 2);
  for (let position = 0; position < count; position++)
    for (let i = 0; i < size; i++) {
      const pair = i < sines ? i : i - sines;
      const angle = position / 10000 ** ((2 * pair) / size);
      data[position * size + i] = i < sines ? Math.sin(angle) : Math.cos(angle);
    }
  return constant(data, [count, size]);
}

const { model, forConditionalGeneration, encode, decode } = transformerLayout<TransformerConfig>({
  positions: (_, { max_position_embeddings, d_model }, ids) => gather(sinusoids(max_position_embeddings, d_model), ids),
  layernorm_embedding: false,
  final_logits_bias: false,
  init: ({ d_model, pad_token_id }) => ({
    embedding: normal(d_model ** -0.5, { zeroRow: pad_token_id ?? undefined }),
    linear: xavier,
  }),
});

/** Glorot and Bengio 2010, as in the authors' code. */
function xavier(from: number, to: number): Init {
  const most = Math.sqrt(6 / (from + to));
  return uniform(-most, most);
}

/** What the classes of the Transformer, BART and Marian share. */
export const transformerClass = {
  base_model_prefix: 'model',
  dims: ({ max_position_embeddings: most }: TransformerKeys) => ({ source: most, seq: most }),
  // Copies of tied weights, tables that are computed, and marks of old versions.
  not_parameters:
    /(^|\.)(en|de)coder\.(embed_tokens\.weight|embed_positions\.weight|version)$|^lm_head\.weight$|^final_logits_bias$/,
};

/** The Transformer without a head. */
export const TransformerModel = modelClass({
  ...transformerClass,
  model_type: 'transformer',
  name: 'TransformerModel',
  config: transformerConfig,
  inputs: seq2SeqInputs,
  build: model,
});
/** A Transformer without a head. */
export type TransformerModel = PreTrainedModel<TransformerConfig, Seq2SeqModelOutput>;

/** The Transformer that reads a text and writes one. */
export const TransformerForConditionalGeneration = modelClass({
  ...transformerClass,
  model_type: 'transformer',
  name: 'TransformerForConditionalGeneration',
  config: transformerConfig,
  inputs: seq2SeqLMInputs,
  build: forConditionalGeneration,
  encode,
  decode,
});
/** A Transformer that reads a text and writes one. */
export type TransformerForConditionalGeneration = PreTrainedModel<TransformerConfig, Seq2SeqLMOutput>;
