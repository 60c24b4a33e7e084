/**
 * Marian (Junczys-Dowmunt et al. 2018), the models of OPUS-MT: a Transformer with the positions of the paper. Names of parameters, keys and
 * outputs are those of Hugging Face's `modeling_marian`, so that its checkpoints load as they are.
 */
import { gather } from '@sinter/ir';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { normal } from '../init.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type { Seq2SeqLMOutput, Seq2SeqModelOutput } from '../outputs.ts';
import { seq2SeqInputs, seq2SeqLMInputs } from './encoder-decoder.ts';
import { fillTransformer, sinusoids, transformerClass, transformerKeys, transformerLayout } from './transformer.ts';

const marianDefaults = {
  ...transformerKeys,
  model_type: 'marian',
  vocab_size: 58101,
  /** The tokens of the decoder, where embeddings are not shared; `null`: as `vocab_size`. */
  decoder_vocab_size: null as number | null,
  /** Whether encoder and decoder have one table of embeddings. */
  share_encoder_decoder_embeddings: true,
  init_std: 0.02,
  pad_token_id: 58100 as number | null,
  eos_token_id: 0 as number | null,
  decoder_start_token_id: 58100 as number | null,
  forced_eos_token_id: 0 as number | null,
};

/** The keys of a Marian's `config.json`. The defaults are those of Hugging Face's `MarianConfig`. */
export type MarianConfig = ModelConfig & Readonly<typeof marianDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function marianConfig(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): MarianConfig {
  const tokens = ['pad', 'eos', 'decoder_start', 'forced_eos'] as const;
  const nullable = ['decoder_vocab_size', ...tokens.map((token) => `${token}_token_id` as const)] as const;
  return fillTransformer(marianDefaults, nullable, keys, overrides);
}

const { model, forConditionalGeneration, encode, decode } = transformerLayout<MarianConfig>({
  positions: (_, { max_position_embeddings, d_model }, ids) => gather(sinusoids(max_position_embeddings, d_model), ids),
  layernorm_embedding: false,
  final_logits_bias: true,
  init: ({ init_std, pad_token_id }) => ({
    embedding: normal(init_std, { zeroRow: pad_token_id ?? undefined }),
    linear: () => normal(init_std),
  }),
});

const marianClass = { ...transformerClass, model_type: 'marian', config: marianConfig };

/** Marian without a head. */
export const MarianModel = modelClass({ ...marianClass, name: 'MarianModel', inputs: seq2SeqInputs, build: model });
/** A Marian without a head. */
export type MarianModel = PreTrainedModel<MarianConfig, Seq2SeqModelOutput>;

/** Marian that translates. */
export const MarianMTModel = modelClass({
  ...marianClass,
  name: 'MarianMTModel',
  inputs: seq2SeqLMInputs,
  build: forConditionalGeneration,
  encode,
  decode,
});
/** A Marian that translates. */
export type MarianMTModel = PreTrainedModel<MarianConfig, Seq2SeqLMOutput>;
