/**
 * T5 (Raffel et al. 2019) and its version 1.1, read from top to bottom: configuration, relative positions, blocks, logits. Names of parameters,
 * keys and outputs are those of Hugging Face's `modeling_t5`, so that its checkpoints load as they are.
 */
import { add, constant, contract, expandDims, gather, iota, maximum, minimum, mul, sub, transpose } from '@sinter/ir';
import type { Dim, Shape, Tensor } from '@sinter/ir';
import { checkSizes, fillConfig } from '../config.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { normal } from '../init.ts';
import { activation } from '../layers/activation.ts';
import type { Activation } from '../layers/activation.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { causalBias } from '../layers/causal.ts';
import { embedding } from '../layers/embedding.ts';
import { linear } from '../layers/linear.ts';
import { multiHeadAttention } from '../layers/multi-head-attention.ts';
import type { Memory } from '../layers/multi-head-attention.ts';
import { rmsNorm } from '../layers/rms-norm.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type { Seq2SeqLMOutput, Seq2SeqModelOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';
import { encoderDecoder, maskBias, seq2SeqInputs, seq2SeqLMInputs, stacked, sum } from './encoder-decoder.ts';
import type { LayerOutput } from './encoder-decoder.ts';

// ---- configuration

const t5Defaults = {
  model_type: 't5',
  vocab_size: 32128,
  d_model: 512,
  /** The size of a head. */
  d_kv: 64,
  d_ff: 2048,
  num_layers: 6,
  /** Of the decoder; `null`: as `num_layers`. */
  num_decoder_layers: null as number | null,
  num_heads: 8,
  relative_attention_num_buckets: 32,
  relative_attention_max_distance: 128,
  dropout_rate: 0.1,
  layer_norm_epsilon: 1e-6,
  initializer_factor: 1,
  /** An activation, or `gated-` and an activation: version 1.1 has `gated-gelu`. */
  feed_forward_proj: 'relu',
  tie_word_embeddings: true,
  is_encoder_decoder: true,
  use_cache: true,
  pad_token_id: 0 as number | null,
  eos_token_id: 1 as number | null,
  decoder_start_token_id: 0 as number | null,
};

/** The keys of a T5's `config.json`. The defaults are those of t5-small. */
export type T5Config = ModelConfig & Readonly<typeof t5Defaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function t5Config(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): T5Config {
  const nullable = ['num_decoder_layers', 'pad_token_id', 'eos_token_id', 'decoder_start_token_id'] as const;
  const config = fillConfig(t5Defaults, nullable, keys, overrides);
  checkSizes(config, ['vocab_size', 'd_model', 'd_kv', 'd_ff', 'num_layers', 'num_heads']);
  feedForwardOf(config);
  const { relative_attention_num_buckets: buckets, relative_attention_max_distance: most } = config;
  if (buckets < 4 || buckets % 4 !== 0 || most <= buckets / 2)
    throw new ConfigError(
      `relative_attention_num_buckets is ${buckets} and relative_attention_max_distance ${most}; buckets come in fours, and the distance is more than half of them`,
    );
  return config;
}

/** The activation, and whether it is gated. */
function feedForwardOf({ feed_forward_proj: said }: T5Config): { readonly act: Activation; readonly gated: boolean } {
  const gated = said.startsWith('gated-');
  const name = gated ? said.slice('gated-'.length) : said;
  // As it was trained, and not what its name says.
  return { gated, act: activation(said === 'gated-gelu' ? 'gelu_new' : name) };
}

// ---- relative positions

type Ids = Tensor<Shape, 'i32'>;

/** Which distances there are: how far a key stands to the right of a query. */
interface Distances {
  readonly queries: Dim;
  readonly keys: Dim;
  /** The place of the first query. Default: 0. */
  readonly at?: Ids | undefined;
}

/** A learned number for each head and distance, which is added to the scores: `[heads, queries, keys]`. */
const positionBias = layer((scope, config: T5Config, twoSided: boolean, distances: Distances): Tensor => {
  const { relative_attention_num_buckets: count, relative_attention_max_distance: most, num_heads, d_model } = config;
  const { queries, keys, at } = distances;
  const place = iota([queries, keys], 0);
  const distance = sub(iota([queries, keys], 1), at ? (add(place, at) as Ids) : place) as Ids;
  const within = minimum(maximum(distance, -most), most);
  const bucket = gather(bucketsOf(count, most, twoSided), add(within, most) as Ids) as Ids;
  const init = normal(config.initializer_factor * d_model ** -0.5);
  return transpose(embedding(scope, bucket, count, num_heads, init), [2, 0, 1]) as Tensor;
});

/** The bucket of every distance from −`most` to `most`, where it is the last one: `i32 [2 · most + 1]`. */
function bucketsOf(count: number, most: number, twoSided: boolean): Ids {
  const distances = Array.from({ length: 2 * most + 1 }, (_, i) => i - most);
  return constant(
    Int32Array.from(distances, (distance) => relativeBucket(distance, count, most, twoSided)),
    [distances.length],
    'i32',
  );
}

/**
 * The bucket of a distance (key less query): one for each of the nearest, then ever wider ones up to `most`. Two-sided, the keys to the right have
 * the second half of the buckets; else they are seen as if they were near.
 */
export function relativeBucket(distance: number, count: number, most: number, twoSided: boolean): number {
  if (twoSided) return (distance > 0 ? count / 2 : 0) + relativeBucket(-Math.abs(distance), count / 2, most, false);
  const far = Math.max(0, -distance);
  const exact = count / 2;
  if (far < exact) return far;
  // In 32 bits, as Python has it: where a bucket ends is a matter of rounding.
  const { fround } = Math;
  const share = fround(
    fround(fround(Math.log(fround(far / exact))) / fround(Math.log(most / exact))) * (count - exact),
  );
  return Math.min(count - 1, exact + Math.trunc(share));
}

// ---- the blocks

/** What a block is told beside the states. */
interface Around {
  readonly bias: Tensor | undefined;
  readonly memory: (Memory & { readonly bias: Tensor | undefined }) | undefined;
  readonly cache: KeyValueCache | undefined;
}

const block = layer((scope, config: T5Config, x: Tensor, around: Around): LayerOutput => {
  const { d_model, d_kv, num_heads, dropout_rate, initializer_factor } = config;
  /** What each part adds to the residual stream is made of the stream after a norm. */
  const part = <R extends { readonly change: Tensor }>(
    index: number,
    from: Tensor,
    make: (scope: Scope, x: Tensor) => R,
  ): R & { readonly sum: Tensor } => {
    const place = scope.at('layer', index);
    const made = make(place, norm(place.at('layer_norm'), config, from));
    return { ...made, sum: add(from, scope.dropout(made.change, dropout_rate)) as Tensor };
  };
  const attend = (name: string, bias: Tensor | undefined, memory?: Memory) => (place: Scope, from: Tensor) => {
    const { context: change, probs } = multiHeadAttention(place.at(name), from, {
      ...{ heads: num_heads, size: d_kv, names: ['q', 'k', 'v', 'o'], memory, bias, cache: around.cache },
      ...{ linear_bias: false, scale: 1, dropout: dropout_rate },
      // Scores are not scaled: the weights of queries begin smaller instead.
      init: (of) =>
        normal(initializer_factor * (of === 'q' ? d_model * d_kv : of === 'o' ? num_heads * d_kv : d_model) ** -0.5),
    });
    return { change, probs };
  };
  const own = part(0, x, attend('SelfAttention', around.bias));
  const cross = around.memory && part(1, own.sum, attend('EncDecAttention', around.memory.bias, around.memory));
  const fed = part(cross ? 2 : 1, cross?.sum ?? own.sum, (place, from) => ({
    change: feedForward(place.at('DenseReluDense'), config, from),
  }));
  return { hidden: fed.sum, probs: own.probs, cross: cross?.probs };
});

const feedForward = layer((scope, config: T5Config, x: Tensor): Tensor => {
  const { d_model, d_ff, dropout_rate, initializer_factor } = config;
  const { act, gated } = feedForwardOf(config);
  const layerOf = (name: string, from: Tensor, to: number, size: number): Tensor =>
    linear(scope.at(name), from, to, { bias: false, init: normal(initializer_factor * size ** -0.5) });
  const up = (name: string): Tensor => layerOf(name, x, d_ff, d_model);
  const wide = gated ? (mul(act(up('wi_0')), up('wi_1')) as Tensor) : act(up('wi'));
  return layerOf('wo', scope.dropout(wide, dropout_rate), d_model, d_ff);
});

function norm(scope: Scope, config: T5Config, x: Tensor): Tensor {
  return rmsNorm(scope, x, config.layer_norm_epsilon);
}

// ---- the model

const { model, forConditionalGeneration, encode, decode } = encoderDecoder<T5Config>({
  base: '',
  stack(scope, config, side, { input_ids, attention_mask, memory, cache }) {
    const { vocab_size, d_model, dropout_rate, num_layers, num_decoder_layers } = config;
    const here = scope.at(side);
    const decodes = side === 'decoder';
    const length = input_ids.shape[1]!;
    // The first block has the table, for all.
    const table = here.at('block', 0, 'layer', 0, 'SelfAttention', 'relative_attention_bias');
    const distances = { queries: length, keys: cache?.total ?? length, at: cache?.at };
    const positions = expandDims(positionBias(table, config, !decodes, distances), 0) as Tensor;
    const bias = sum(positions, decodes && causalBias(length, cache), maskBias(attention_mask));
    const count = decodes ? (num_decoder_layers ?? num_layers) : num_layers;
    const blocks = Array.from({ length: count }, (_, i) => (x: Tensor, states?: Tensor) => {
      const around = { bias, cache, memory: memory && { states, bias: maskBias(memory.mask) } };
      return block(here.at('block', i), config, x, around);
    });
    const words = embedding(scope.at('shared'), input_ids, vocab_size, d_model, normal(config.initializer_factor));
    const { hidden_states, ...output } = stacked(here, scope.dropout(words, dropout_rate), blocks, memory?.states);
    const normed = norm(here.at('final_layer_norm'), config, output.last_hidden_state);
    const last_hidden_state = scope.dropout(normed, dropout_rate);
    return { ...output, last_hidden_state, hidden_states: [...hidden_states.slice(0, -1), last_hidden_state] };
  },
  logits(scope, { vocab_size, d_model, tie_word_embeddings, initializer_factor }, states) {
    const init = normal(initializer_factor);
    if (!tie_word_embeddings) return linear(scope.at('lm_head'), states, vocab_size, { bias: false, init });
    const words = scope.at('shared').param('weight', [vocab_size, d_model], init);
    return contract('bsh,vh->bsv', mul(states, d_model ** -0.5), words);
  },
});

// ---- the classes by which users know them

const t5 = {
  model_type: 't5',
  base_model_prefix: 'transformer',
  config: t5Config,
  // Positions are relative: texts may have any length.
  dims: () => ({}),
  // Copies of tied weights, and a table that older checkpoints carry and nothing reads.
  not_parameters:
    /^(en|de)coder\.embed_tokens\.weight$|^lm_head\.weight$|EncDecAttention\.relative_attention_bias\.weight$/,
};

/** T5 without a head. */
export const T5Model = modelClass({ ...t5, name: 'T5Model', inputs: seq2SeqInputs, build: model });
/** A T5 without a head. */
export type T5Model = PreTrainedModel<T5Config, Seq2SeqModelOutput>;

/** T5 that reads a text and writes one. */
export const T5ForConditionalGeneration = modelClass({
  ...t5,
  name: 'T5ForConditionalGeneration',
  inputs: seq2SeqLMInputs,
  build: forConditionalGeneration,
  encode,
  decode,
});
/** A T5 that reads a text and writes one. */
export type T5ForConditionalGeneration = PreTrainedModel<T5Config, Seq2SeqLMOutput>;
