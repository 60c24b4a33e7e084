/** Mistral (Jiang et al. 2023): a Llama all of whose layers see a window only. */
import type { PreTrainedModel } from '../model.ts';
import type { BaseModelOutput, CausalLMOutput, SequenceClassifierOutput } from '../outputs.ts';
import { decoderClasses, decoderDefaults } from './decoder.ts';
import type { DecoderConfig } from './decoder.ts';

const mistralDefaults = {
  ...decoderDefaults,
  model_type: 'mistral',
  intermediate_size: 14336,
  num_key_value_heads: 8 as number | null,
  max_position_embeddings: 131072,
  bos_token_id: 1 as number | null,
  eos_token_id: 2 as number | readonly number[] | null,
  /** How many tokens a token sees, itself and those before it; `null`: all. */
  sliding_window: 4096 as number | null,
};

const mistral = decoderClasses({
  name: 'Mistral',
  defaults: mistralDefaults,
  nullable: ['sliding_window'],
  bias: () => ({ projections: false, output: false, feedForward: false }),
  window: ({ sliding_window }) => sliding_window,
});

/** The keys of a Mistral's `config.json`. */
export type MistralConfig = DecoderConfig<typeof mistralDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export const mistralConfig = mistral.config;

/** Mistral without a head. */
export const MistralModel = mistral.base;
/** A Mistral without a head. */
export type MistralModel = PreTrainedModel<MistralConfig, BaseModelOutput>;

/** Mistral that predicts the next token. */
export const MistralForCausalLM = mistral.causalLM;
/** A Mistral that predicts the next token. */
export type MistralForCausalLM = PreTrainedModel<MistralConfig, CausalLMOutput>;

/** Mistral that tells which class a text belongs to, by its last token that is no padding. */
export const MistralForSequenceClassification = mistral.sequenceClassification;
/** A Mistral that classifies. */
export type MistralForSequenceClassification = PreTrainedModel<MistralConfig, SequenceClassifierOutput>;
