/**
 * What models share that read one text and write another. A family says what its layers make of a text, and of states its logits;
 * {@link encoderDecoder} makes of that everything that its classes need.
 */
import { add, crossEntropy, equal, full, pad, sameShape, ShapeError, showShape, slice, where } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { Architecture, InputSpec, OutputOptions } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { paddingBias } from '../layers/attention.ts';
import type { KeyValueCache } from '../layers/cache.ts';
import { checkIds } from '../layers/embedding.ts';
import type { Memory } from '../layers/multi-head-attention.ts';
import type { Seq2SeqLMOutput, Seq2SeqModelOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';

type Ids = Tensor<Shape, 'i32'>;

/** The keys that every configuration of an encoder and a decoder has. */
export type EncoderDecoderConfig = ModelConfig & {
  readonly vocab_size: number;
  /** The tokens of the decoder, where they are others. */
  readonly decoder_vocab_size?: number | null;
  readonly pad_token_id: number | null;
  readonly decoder_start_token_id: number | null;
  /** How much of the training loss is held against the even distribution (Szegedy et al. 2015). */
  readonly label_smoothing?: number;
};

/** What a model takes that reads one text and writes another. */
export type Seq2SeqInputs = {
  /** `[batch, source]`, under `vocab_size`. */
  readonly input_ids: Ids;
  /** `[batch, source]`: 0 where there is padding. Default: nowhere. */
  readonly attention_mask?: Ids | undefined;
  /** `[batch, seq]`: what is written, from the start token on. Default: the labels, moved by one. */
  readonly decoder_input_ids?: Ids | undefined;
  /** `[batch, seq]`: 0 where there is padding. Default: nowhere, which is right for padding at the end. */
  readonly decoder_attention_mask?: Ids | undefined;
};

/** The same, and what should be written if a loss is wanted. */
export type Seq2SeqLMInputs = Seq2SeqInputs & {
  /** `i32 [batch, seq]`: the text to write, −100 where one does not count. */
  readonly labels?: Ids | undefined;
};

/** Which of the two halves of a model. */
export type Side = 'encoder' | 'decoder';

/** What the layers of a side are given. */
export interface StackInputs {
  /** `[batch, n]`. */
  readonly input_ids: Ids;
  /** `[batch, n]` or `[n]`. Default: 0, 1, 2, … */
  readonly position_ids?: Ids | undefined;
  /** `[batch, n]`, or `[batch, total]` with a cache. */
  readonly attention_mask?: Ids | undefined;
  /** Of a decoder: what the encoder made of the source, and the mask `[batch, source]` of that. */
  readonly memory?: (Memory & { readonly mask: Ids | undefined }) | undefined;
  /** The tokens that were read before. Default: none. */
  readonly cache?: KeyValueCache | undefined;
}

/** What the layers of a side give. */
export interface StackOutput {
  readonly last_hidden_state: Tensor;
  readonly hidden_states: readonly Tensor[];
  readonly attentions: readonly Tensor[];
  /** Of a decoder. */
  readonly cross_attentions: readonly Tensor[];
}

/** What a layer gives; its type is that of what may be computed again. */
export type LayerOutput = {
  /** The states, `[batch, n, size]`. */
  readonly hidden: Tensor;
  /** The attention probabilities. */
  readonly probs: Tensor;
  /** Those of the attention to the source. */
  readonly cross: Tensor | undefined;
};

/** Layers one after the other, each a part that a backward pass may compute again; `memory` are the states of the source. */
export function stacked(
  scope: Scope,
  embeddings: Tensor,
  layers: readonly ((x: Tensor, memory?: Tensor) => LayerOutput)[],
  memory: Tensor | undefined,
): StackOutput {
  const hidden_states = [embeddings];
  const outputs = layers.map((one) => {
    const output = scope.checkpoint((x: Tensor, ...memory: Tensor[]) => one(x, ...memory))(
      hidden_states.at(-1)!,
      ...(memory ? [memory] : []),
    );
    hidden_states.push(output.hidden);
    return output;
  });
  return {
    last_hidden_state: hidden_states.at(-1)!,
    hidden_states,
    attentions: outputs.map(({ probs }) => probs),
    cross_attentions: outputs.flatMap(({ cross }) => cross ?? []),
  };
}

/** What is added to scores for a mask; nothing if there is none. */
export function maskBias(mask: Ids | undefined): Tensor | undefined {
  return mask && paddingBias(mask);
}

/** The sum of what is there. */
export function sum(...parts: readonly (Tensor | undefined | false)[]): Tensor | undefined {
  return parts.reduce<Tensor | undefined>((a, b) => (a && b ? (add(a, b) as Tensor) : a || b || undefined), undefined);
}

/** What a family says. */
export interface EncoderDecoder<C extends EncoderDecoderConfig> {
  /** Where the model without a head lies in one with a head. */
  readonly base: string;
  /** The layers of a side; `scope` is the model without a head. */
  stack(scope: Scope, config: C, side: Side, inputs: StackInputs): StackOutput;
  /** The logits of what follows; `scope` is the whole model. */
  logits(scope: Scope, config: C, states: Tensor): Tensor;
}

/** The functions that classes are made of. */
export type EncoderDecoderFunctions<C extends EncoderDecoderConfig> = Required<
  Pick<Architecture<C, Seq2SeqLMOutput>, 'encode' | 'decode'>
> & {
  /** The model without a head. */
  model(scope: Scope, config: C, inputs: Seq2SeqInputs, options?: OutputOptions): Seq2SeqModelOutput;
  /** The model that writes: with labels there is a loss. */
  forConditionalGeneration(scope: Scope, config: C, inputs: Seq2SeqLMInputs, options?: OutputOptions): Seq2SeqLMOutput;
};

/** Makes of a family's layers and logits the functions of its classes. */
export function encoderDecoder<C extends EncoderDecoderConfig>(family: EncoderDecoder<C>): EncoderDecoderFunctions<C> {
  const { base, stack } = family;
  const model = layer((scope, config: C, inputs: Seq2SeqInputs, options: OutputOptions = {}): Seq2SeqModelOutput => {
    const { input_ids, attention_mask, decoder_input_ids, decoder_attention_mask } = inputs;
    if (!decoder_input_ids) throw new ShapeError('wants decoder_input_ids, or labels to make them of');
    checkIds({ input_ids, attention_mask });
    checkTarget({ decoder_input_ids, decoder_attention_mask });
    const encoder = stack(scope, config, 'encoder', { input_ids, attention_mask });
    const decoder = stack(scope, config, 'decoder', {
      input_ids: decoder_input_ids,
      attention_mask: decoder_attention_mask,
      memory: { states: encoder.last_hidden_state, mask: attention_mask },
    });
    return {
      last_hidden_state: decoder.last_hidden_state,
      encoder_last_hidden_state: encoder.last_hidden_state,
      ...(options.output_hidden_states && {
        encoder_hidden_states: encoder.hidden_states,
        decoder_hidden_states: decoder.hidden_states,
      }),
      ...(options.output_attentions && {
        encoder_attentions: encoder.attentions,
        decoder_attentions: decoder.attentions,
        cross_attentions: decoder.cross_attentions,
      }),
    };
  });
  return {
    model,
    forConditionalGeneration(scope, config, { labels, ...rest }, options) {
      const decoder_input_ids = rest.decoder_input_ids ?? (labels && shiftTokensRight(labels, config));
      const { last_hidden_state, ...more } = model(scope.at(base), config, { ...rest, decoder_input_ids }, options);
      const logits = family.logits(scope, config, last_hidden_state);
      // Smoothing is a way to train; what is measured is the likelihood.
      const labelSmoothing = scope.training ? (config.label_smoothing ?? 0) : 0;
      return { ...(labels && { loss: tokenLoss(logits, labels, labelSmoothing) }), logits, ...more };
    },
    encode: (scope, config, inputs) => stack(scope.at(base), config, 'encoder', inputs).last_hidden_state,
    decode(scope, config, { encoder_hidden_states, encoder_attention_mask, ...inputs }, cache) {
      const memory = { states: encoder_hidden_states, mask: encoder_attention_mask };
      const { last_hidden_state } = stack(scope.at(base), config, 'decoder', { ...inputs, memory, cache });
      return { states: last_hidden_state, logits: (states) => family.logits(scope, config, states) };
    },
  };
}

/**
 * What a decoder is told while it learns to write `labels` `[batch, seq]`: the start token, and each label but the last; padding where one does
 * not count. @throws ConfigError without a start token
 */
export function shiftTokensRight(labels: Ids, config: EncoderDecoderConfig): Ids {
  const { pad_token_id, decoder_start_token_id } = config;
  if (decoder_start_token_id === null || pad_token_id === null)
    throw new ConfigError(
      'decoder_input_ids are made of labels by decoder_start_token_id and pad_token_id, and one of them is null; set both, or give decoder_input_ids',
    );
  const longer = pad(labels, [0, 1], [0, 0], decoder_start_token_id);
  const moved = slice(longer, { starts: [0, 0], ends: [undefined, labels.shape[1]!] });
  return where(equal(moved, -100), full([], pad_token_id, 'i32'), moved) as Ids;
}

/** The mean cross entropy of `logits` `[batch, seq, vocab]` with `labels` `[batch, seq]`. */
function tokenLoss(logits: Tensor, labels: Ids, labelSmoothing: number): Tensor {
  if (!sameShape(labels.shape, logits.shape.slice(0, -1)))
    throw new ShapeError(
      `labels are ${showShape(labels.shape)}; they must be as decoder_input_ids, ${showShape(logits.shape.slice(0, -1))}`,
    );
  return crossEntropy(logits, labels, { labelSmoothing });
}

function checkTarget(ids: { decoder_input_ids: Ids; decoder_attention_mask: Ids | undefined }): void {
  const { decoder_input_ids: given, decoder_attention_mask: mask } = ids;
  if (given.shape.length !== 2 || (mask && !sameShape(mask.shape, given.shape)))
    throw new ShapeError(
      `decoder_input_ids are ${showShape(given.shape)}${mask ? ` and decoder_attention_mask ${showShape(mask.shape)}` : ''}; both must be [batch, seq]`,
    );
}

/** The inputs of a model that reads one text and writes another. */
export function seq2SeqInputs(config: EncoderDecoderConfig): Record<keyof Seq2SeqInputs, InputSpec> {
  const source = { shape: ['batch', 'source'], dtype: 'i32' } as const;
  const target = { shape: ['batch', 'seq'], dtype: 'i32', optional: true } as const;
  return {
    input_ids: { ...source, below: config.vocab_size },
    attention_mask: { ...source, missing: 1 },
    decoder_input_ids: { ...target, below: decoderVocabulary(config) },
    decoder_attention_mask: { ...target, missing: 1 },
  };
}

/** The same, and labels. */
export function seq2SeqLMInputs(config: EncoderDecoderConfig): Record<keyof Seq2SeqLMInputs, InputSpec> {
  const labels = {
    shape: ['batch', 'seq'],
    dtype: 'i32',
    below: decoderVocabulary(config),
    ignored: -100,
    label: true,
  } as const;
  return { ...seq2SeqInputs(config), labels };
}

/** How many tokens the decoder knows. */
export function decoderVocabulary({ vocab_size, decoder_vocab_size }: EncoderDecoderConfig): number {
  return decoder_vocab_size ?? vocab_size;
}
