/**
 * BART (Lewis et al. 2019): a Transformer with learned positions and normalised embeddings. Names of parameters, keys and outputs are those of
 * Hugging Face's `modeling_bart`, so that its checkpoints load as they are.
 */
import { add, equal, full, iota, max, tanh, where } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec, OutputOptions } from '../architecture.ts';
import type { ConfigKeys, ModelConfig } from '../config.ts';
import { normal } from '../init.ts';
import { classificationLoss, classLabels } from '../layers/classification.ts';
import { embedding } from '../layers/embedding.ts';
import { linear } from '../layers/linear.ts';
import { statesAt } from '../layers/states.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type { Seq2SeqLMOutput, Seq2SeqModelOutput, Seq2SeqSequenceClassifierOutput } from '../outputs.ts';
import { layer } from '../scope.ts';
import { seq2SeqInputs, seq2SeqLMInputs, shiftTokensRight } from './encoder-decoder.ts';
import type { Seq2SeqInputs } from './encoder-decoder.ts';
import { fillTransformer, transformerClass, transformerKeys, transformerLayout } from './transformer.ts';

// ---- configuration

const bartDefaults = {
  ...transformerKeys,
  model_type: 'bart',
  vocab_size: 50265,
  init_std: 0.02,
  classifier_dropout: 0,
  pad_token_id: 1 as number | null,
  bos_token_id: 0 as number | null,
  eos_token_id: 2 as number | null,
  decoder_start_token_id: 2 as number | null,
  forced_bos_token_id: null as number | null,
  forced_eos_token_id: 2 as number | null,
};

/** The keys of a BART's `config.json`. The defaults are those of bart-large. */
export type BartConfig = ModelConfig & Readonly<typeof bartDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function bartConfig(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): BartConfig {
  const tokens = ['pad', 'bos', 'eos', 'decoder_start', 'forced_bos', 'forced_eos'] as const;
  const nullable = tokens.map((token) => `${token}_token_id` as const);
  return fillTransformer(bartDefaults, nullable, { num_labels: 3, ...keys }, overrides);
}

// ---- the model

/** Learned positions begin in row 2 of their table, as in the code that BART was trained with. */
const offset = 2;

const bart = transformerLayout<BartConfig>({
  positions: (scope, { max_position_embeddings, d_model, init_std }, ids) => {
    const rows = add(ids, offset) as Tensor<Shape, 'i32'>;
    return embedding(scope.at('embed_positions'), rows, max_position_embeddings + offset, d_model, normal(init_std));
  },
  layernorm_embedding: true,
  final_logits_bias: true,
  init: ({ init_std, pad_token_id }) => ({
    embedding: normal(init_std, { zeroRow: pad_token_id ?? undefined }),
    linear: () => normal(init_std),
  }),
});

/** BART without a head; without `decoder_input_ids` the decoder reads the source once more. */
export const bartModel: typeof bart.model = (scope, config, inputs, options) => {
  const { decoder_input_ids = shiftTokensRight(inputs.input_ids, config) } = inputs;
  return bart.model(scope, config, { ...inputs, decoder_input_ids }, options);
};

// ---- sequence classification

/** What {@link bartForSequenceClassification} takes. */
export type BartForSequenceClassificationInputs = Pick<Seq2SeqInputs, 'input_ids' | 'attention_mask'> & {
  /** `i32 [batch]`, or reals; see `classLabels`. */
  readonly labels?: Tensor | undefined;
};

/** BART with a classifier on what the decoder makes of the last end token, after reading the source once more. */
export const bartForSequenceClassification = layer(
  (
    scope,
    config: BartConfig,
    { labels, ...inputs }: BartForSequenceClassificationInputs,
    options: OutputOptions = {},
  ): Seq2SeqSequenceClassifierOutput => {
    const { classifier_dropout, d_model, num_labels, init_std } = config;
    const { last_hidden_state, ...more } = bartModel(scope.at('model'), config, inputs, options);
    const pooled = statesAt(last_hidden_state, lastOf(inputs.input_ids, config.eos_token_id));
    const head = scope.at('classification_head');
    const init = normal(init_std);
    const dense = tanh(linear(head.at('dense'), scope.dropout(pooled, classifier_dropout), d_model, { init }));
    const logits = linear(head.at('out_proj'), scope.dropout(dense, classifier_dropout), num_labels, { init });
    return { ...(labels && { loss: classificationLoss(config, logits, labels) }), logits, ...more };
  },
);

/** Where an id stands last in each row; 0 where it does not. */
function lastOf(ids: Tensor<Shape, 'i32'>, id: number | null): Tensor<Shape, 'i32'> {
  const place = where(equal(ids, id ?? -1), iota(ids.shape, 1), full([], 0, 'i32'));
  return max(place as Tensor, { axes: 1 }) as Tensor<Shape, 'i32'>;
}

// ---- the classes by which users know them

const bartClass = { ...transformerClass, model_type: 'bart', config: bartConfig };

/** BART without a head. */
export const BartModel = modelClass({ ...bartClass, name: 'BartModel', inputs: seq2SeqInputs, build: bartModel });
/** A BART without a head. */
export type BartModel = PreTrainedModel<BartConfig, Seq2SeqModelOutput>;

/** BART that reads a text and writes one. */
export const BartForConditionalGeneration = modelClass({
  ...bartClass,
  name: 'BartForConditionalGeneration',
  inputs: seq2SeqLMInputs,
  build: bart.forConditionalGeneration,
  encode: bart.encode,
  decode: bart.decode,
});
/** A BART that reads a text and writes one. */
export type BartForConditionalGeneration = PreTrainedModel<BartConfig, Seq2SeqLMOutput>;

/** BART that tells which class a text, or a pair of texts, belongs to. */
export const BartForSequenceClassification = modelClass({
  ...bartClass,
  name: 'BartForSequenceClassification',
  inputs: (config): Record<string, InputSpec> => {
    const { input_ids, attention_mask } = seq2SeqInputs(config);
    return { input_ids, attention_mask, labels: classLabels(config) };
  },
  build: bartForSequenceClassification,
});
/** A BART that classifies. */
export type BartForSequenceClassification = PreTrainedModel<BartConfig, Seq2SeqSequenceClassifierOutput>;
