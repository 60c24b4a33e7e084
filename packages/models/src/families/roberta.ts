/**
 * RoBERTa (Liu et al. 2019): BERT with other heads, one kind of text, and positions that are counted from the first token after the padding's number
 * on. Names of parameters, keys and outputs are those of Hugging Face's `modeling_roberta`, so that its checkpoints load as they are.
 */
import { add, cast, contract, iota, lessEqual, mul, notEqual, tanh } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { InputSpec, OutputOptions } from '../architecture.ts';
import { fillConfig } from '../config.ts';
import type { ConfigKeys } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { withHead } from '../heads/head.ts';
import { maskedLM, wordLogits } from '../heads/masked-lm.ts';
import { multipleChoice } from '../heads/multiple-choice.ts';
import { questionAnswering } from '../heads/question-answering.ts';
import { sequenceClassification } from '../heads/sequence-classification.ts';
import { tokenClassification } from '../heads/token-classification.ts';
import { activation } from '../layers/activation.ts';
import { checkIds } from '../layers/embedding.ts';
import { linear } from '../layers/linear.ts';
import { firstState } from '../layers/states.ts';
import { modelClass } from '../model.ts';
import type { PreTrainedModel } from '../model.ts';
import type {
  BaseModelOutput,
  BaseModelOutputWithPooling,
  MaskedLMOutput,
  MultipleChoiceModelOutput,
  QuestionAnsweringModelOutput,
  SequenceClassifierOutput,
  TokenClassifierOutput,
} from '../outputs.ts';
import { layer } from '../scope.ts';
import type { Scope } from '../scope.ts';
import {
  answers,
  bertDefaults,
  bertNullable,
  bertStates,
  checkBertConfig,
  classes,
  weights,
  withPooler,
} from './bert.ts';
import type { BertConfig, BertInputs } from './bert.ts';

// ---- configuration

const robertaDefaults = {
  ...bertDefaults,
  model_type: 'roberta',
  vocab_size: 50265,
  pad_token_id: 1,
  bos_token_id: 0 as number | null,
  eos_token_id: 2 as number | null,
};

/** The keys of a RoBERTa's `config.json`. The defaults are those of `RobertaConfig`. */
export type RobertaConfig = BertConfig & Readonly<typeof robertaDefaults>;

/** A configuration from the keys of a `config.json` and from keys that replace them. @throws ConfigError */
export function robertaConfig(keys: ConfigKeys = {}, overrides: ConfigKeys = {}): RobertaConfig {
  const nullable = [...bertNullable, 'bos_token_id', 'eos_token_id'] as const;
  const config = checkBertConfig(fillConfig(robertaDefaults, nullable, keys, overrides)) as RobertaConfig;
  // Positions are counted from the padding's number on, so it must be there.
  if ((config.pad_token_id as number | null) === null)
    throw new ConfigError('pad_token_id is null; a "roberta" has one');
  if (mostTokens(config) < 1)
    throw new ConfigError(
      `max_position_embeddings ${config.max_position_embeddings} leave no position after pad_token_id ${config.pad_token_id}`,
    );
  return config;
}

/** How many tokens there are positions for: the first ones, up to the padding's, are no token's. */
function mostTokens({ max_position_embeddings, pad_token_id }: RobertaConfig): number {
  return max_position_embeddings - pad_token_id - 1;
}

// ---- the model

/** What RoBERTa takes. All but `input_ids` may be left out, with the meaning that Hugging Face gives that: see {@link BertInputs}. */
export type RobertaInputs = BertInputs;

/** RoBERTa without a head: `scope` is where `embeddings`, `encoder` and `pooler` lie. */
export const robertaModel = layer(
  (scope, config: RobertaConfig, inputs: RobertaInputs, options: OutputOptions = {}): BaseModelOutputWithPooling =>
    withPooler(scope, config, robertaStates(scope, config, inputs, options)),
);

/** RoBERTa without a head and without a pooler. */
const robertaStates = layer(
  (scope, config: RobertaConfig, inputs: RobertaInputs, options: OutputOptions = {}): BaseModelOutput => {
    const { input_ids, position_ids = positions(input_ids, config.pad_token_id) } = inputs;
    checkIds({ input_ids });
    return bertStates(
      scope,
      config,
      { ...inputs, position_ids },
      { ...options, padding_position: config.pad_token_id },
    );
  },
);

/** Where tokens stand: the padding's number and how many tokens there are up to here; for padding the padding's number. */
function positions(ids: Tensor<Shape, 'i32'>, padding: number): Tensor<Shape, 'i32'> {
  const seq = ids.shape[1]!;
  const isToken = cast(notEqual(ids, padding), 'f32') as Tensor;
  const upTo = cast(lessEqual(iota([seq, seq], 0), iota([seq, seq], 1)), 'f32') as Tensor;
  const count = mul(contract('bs,st->bt', isToken, upTo), isToken) as Tensor;
  return add(cast(count, 'i32') as Tensor, padding) as Tensor as Tensor<Shape, 'i32'>;
}

// ---- heads

/** How well each word fits each token; `lm_head` is a place beside `roberta`. */
function words(scope: Scope, config: RobertaConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  const { vocab_size, hidden_size, tie_word_embeddings, layer_norm_eps: eps } = config;
  const init = weights(config);
  const table = scope.at('roberta', 'embeddings', 'word_embeddings');
  return wordLogits(scope.at('lm_head'), last_hidden_state, {
    names: { dense: 'dense', norm: 'layer_norm', decoder: 'decoder', bias: '' },
    words: tie_word_embeddings ? table.param('weight', [vocab_size, hidden_size], init) : vocab_size,
    activation: activation('gelu'),
    eps,
    init,
  });
}

/** A class of each text: two layers on the state of its first token. */
function textClasses(scope: Scope, config: RobertaConfig, { last_hidden_state }: BaseModelOutput): Tensor {
  const { hidden_size, num_labels, hidden_dropout_prob, classifier_dropout } = config;
  const place = scope.at('classifier');
  const init = weights(config);
  const dropped = (x: Tensor) => scope.dropout(x, classifier_dropout ?? hidden_dropout_prob);
  const dense = tanh(linear(place.at('dense'), dropped(firstState(last_hidden_state)), hidden_size, { init }));
  return linear(place.at('out_proj'), dropped(dense), num_labels, { init });
}

// ---- the classes by which users know them

function robertaInputs(config: RobertaConfig): Record<'input_ids' | 'attention_mask', InputSpec> {
  const ids = { shape: ['batch', 'seq'], dtype: 'i32' } as const;
  return { input_ids: { ...ids, below: config.vocab_size }, attention_mask: { ...ids, missing: 1 } };
}

const roberta = {
  name: 'RobertaModel',
  model_type: 'roberta',
  base_model_prefix: 'roberta',
  config: robertaConfig,
  inputs: robertaInputs,
  dims: (config: RobertaConfig) => ({ seq: mostTokens(config) }),
  // A buffer that older checkpoints carry, and what is tied.
  not_parameters: /(^|\.)embeddings\.position_ids$|^lm_head\.decoder\./,
};
const pooled = { ...roberta, build: robertaModel };
const unpooled = { ...roberta, build: robertaStates };

/** RoBERTa without a head. */
export const RobertaModel = modelClass(pooled);
/** A RoBERTa without a head. */
export type RobertaModel = PreTrainedModel<RobertaConfig, BaseModelOutputWithPooling>;

/** RoBERTa that tells which tokens stand where others are masked. */
export const RobertaForMaskedLM = modelClass(withHead(unpooled, 'RobertaForMaskedLM', maskedLM(words)));
/** A RoBERTa that tells masked tokens. */
export type RobertaForMaskedLM = PreTrainedModel<RobertaConfig, MaskedLMOutput>;

/** RoBERTa that tells which class a text, or a pair of texts, belongs to. */
export const RobertaForSequenceClassification = modelClass(
  withHead(unpooled, 'RobertaForSequenceClassification', sequenceClassification(textClasses)),
);
/** A RoBERTa that classifies. */
export type RobertaForSequenceClassification = PreTrainedModel<RobertaConfig, SequenceClassifierOutput>;

/** RoBERTa that tells which class each token belongs to. */
export const RobertaForTokenClassification = modelClass(
  withHead(
    unpooled,
    'RobertaForTokenClassification',
    tokenClassification((scope, config, { last_hidden_state }) => classes(scope, config, last_hidden_state)),
  ),
);
/** A RoBERTa that classifies tokens. */
export type RobertaForTokenClassification = PreTrainedModel<RobertaConfig, TokenClassifierOutput>;

/** RoBERTa that marks where in a text the answer to a question stands. */
export const RobertaForQuestionAnswering = modelClass(
  withHead(unpooled, 'RobertaForQuestionAnswering', questionAnswering(answers)),
);
/** A RoBERTa that marks answers. */
export type RobertaForQuestionAnswering = PreTrainedModel<RobertaConfig, QuestionAnsweringModelOutput>;

/** RoBERTa that tells which of several texts fits. */
export const RobertaForMultipleChoice = modelClass(
  withHead(
    pooled,
    'RobertaForMultipleChoice',
    multipleChoice((scope, config, { pooler_output }) => classes(scope, config, pooler_output, 1)),
  ),
);
/** A RoBERTa that chooses between texts. */
export type RobertaForMultipleChoice = PreTrainedModel<RobertaConfig, MultipleChoiceModelOutput>;
