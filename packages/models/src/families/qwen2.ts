/** Qwen2 (Yang et al. 2024), 2.5 too: a Llama with biases, whose upper layers may see a window only. */
import type { PreTrainedModel } from '../model.ts';
import type { BaseModelOutput, CausalLMOutput, SequenceClassifierOutput } from '../outputs.ts';
import { decoderClasses, decoderDefaults } from './decoder.ts';
import type { DecoderConfig } from './decoder.ts';

const qwen2Defaults = {
  ...decoderDefaults,
  model_type: 'qwen2',
  vocab_size: 151936,
  intermediate_size: 22016,
  num_key_value_heads: 32 as number | null,
  max_position_embeddings: 32768,
  /** Whether the layers from `max_window_layers` on see `sliding_window` tokens only. */
  use_sliding_window: false,
  sliding_window: 4096 as number | null,
  max_window_layers: 28,
};

const qwen2 = decoderClasses({
  name: 'Qwen2',
  defaults: qwen2Defaults,
  nullable: ['sliding_window'],
  bias: () => ({ projections: true, output: false, feedForward: false }),
  window: ({ use_sliding_window, sliding_window, max_window_layers }, layer) =>
    use_sliding_window && layer >= max_window_layers ? sliding_window : null,
});

/** The keys of a Qwen2's `config.json`. */
export type Qwen2Config = DecoderConfig<typeof qwen2Defaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export const qwen2Config = qwen2.config;

/** Qwen2 without a head. */
export const Qwen2Model = qwen2.base;
/** A Qwen2 without a head. */
export type Qwen2Model = PreTrainedModel<Qwen2Config, BaseModelOutput>;

/** Qwen2 that predicts the next token. */
export const Qwen2ForCausalLM = qwen2.causalLM;
/** A Qwen2 that predicts the next token. */
export type Qwen2ForCausalLM = PreTrainedModel<Qwen2Config, CausalLMOutput>;

/** Qwen2 that tells which class a text belongs to, by its last token that is no padding. */
export const Qwen2ForSequenceClassification = qwen2.sequenceClassification;
/** A Qwen2 that classifies. */
export type Qwen2ForSequenceClassification = PreTrainedModel<Qwen2Config, SequenceClassifierOutput>;
