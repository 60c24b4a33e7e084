/** Llama (Touvron et al. 2023), in its versions 1 to 3. */
import type { PreTrainedModel } from '../model.ts';
import type { BaseModelOutput, CausalLMOutput, SequenceClassifierOutput } from '../outputs.ts';
import { decoderClasses, decoderDefaults } from './decoder.ts';
import type { DecoderConfig } from './decoder.ts';

const llamaDefaults = {
  ...decoderDefaults,
  model_type: 'llama',
  bos_token_id: 1 as number | null,
  eos_token_id: 2 as number | readonly number[] | null,
  /** Whether the linear layers of attention have a bias. */
  attention_bias: false,
  /** Whether those of the feed-forward part have. */
  mlp_bias: false,
};

const llama = decoderClasses({
  name: 'Llama',
  defaults: llamaDefaults,
  bias: ({ attention_bias, mlp_bias }) => ({
    projections: attention_bias,
    output: attention_bias,
    feedForward: mlp_bias,
  }),
});

/** The keys of a Llama's `config.json`. */
export type LlamaConfig = DecoderConfig<typeof llamaDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export const llamaConfig = llama.config;

/** Llama without a head. */
export const LlamaModel = llama.base;
/** A Llama without a head. */
export type LlamaModel = PreTrainedModel<LlamaConfig, BaseModelOutput>;

/** Llama that predicts the next token. */
export const LlamaForCausalLM = llama.causalLM;
/** A Llama that predicts the next token. */
export type LlamaForCausalLM = PreTrainedModel<LlamaConfig, CausalLMOutput>;

/** Llama that tells which class a text belongs to, by its last token that is no padding. */
export const LlamaForSequenceClassification = llama.sequenceClassification;
/** A Llama that classifies. */
export type LlamaForSequenceClassification = PreTrainedModel<LlamaConfig, SequenceClassifierOutput>;
