/** What models of all families give, with the fields of Hugging Face's `modeling_outputs`. On request there are states and attentions of layers. */
import type { Tensor } from '@sinter/ir';

/** What `output_hidden_states` and `output_attentions` ask for. */
export type LayerOutputs = {
  /** What the first layer takes, and what each layer made of it, `[batch, seq, size]`. */
  readonly hidden_states?: readonly Tensor[];
  /** The attention probabilities `[batch, heads, seq, seq]` of each layer. */
  readonly attentions?: readonly Tensor[];
};

/** A model without a head. */
export type BaseModelOutput = LayerOutputs & {
  /** `[batch, seq, size]`. */
  readonly last_hidden_state: Tensor;
};

/** A model without a head that has a state of the whole text too. */
export type BaseModelOutputWithPooling = BaseModelOutput & {
  /** `[batch, size]`: the first token's state through one more layer. */
  readonly pooler_output: Tensor;
};

type WithLoss = LayerOutputs & {
  /** With labels: a scalar. */
  readonly loss?: Tensor;
};

/** A model that classifies texts. */
export type SequenceClassifierOutput = WithLoss & {
  /** `[batch, num_labels]`, before any softmax. */
  readonly logits: Tensor;
};

/** A model that classifies tokens. */
export type TokenClassifierOutput = WithLoss & {
  /** `[batch, seq, num_labels]`, before any softmax. */
  readonly logits: Tensor;
};

/** A model that tells which tokens stand where others are masked. */
export type MaskedLMOutput = WithLoss & {
  /** `[batch, seq, vocab_size]`, before any softmax. */
  readonly logits: Tensor;
};

/** A model that tells whether one text follows another. */
export type NextSentencePredictorOutput = WithLoss & {
  /** `[batch, 2]`, before any softmax: it does (0), it does not (1). */
  readonly logits: Tensor;
};

/** A model that is pretrained on masked tokens and on following texts at once. */
export type ForPreTrainingOutput = WithLoss & {
  /** `[batch, seq, vocab_size]`, before any softmax. */
  readonly prediction_logits: Tensor;
  /** `[batch, 2]`, before any softmax: the second text follows the first (0), it does not (1). */
  readonly seq_relationship_logits: Tensor;
};

/** A model that chooses one of several texts. */
export type MultipleChoiceModelOutput = WithLoss & {
  /** `[batch, choices]`, before any softmax. */
  readonly logits: Tensor;
};

/** A model that marks the answer to a question in a text. */
export type QuestionAnsweringModelOutput = WithLoss & {
  /** `[batch, seq]`: how likely the answer begins with each token, before any softmax. */
  readonly start_logits: Tensor;
  /** `[batch, seq]`: how likely it ends with it. */
  readonly end_logits: Tensor;
};

/** A model that predicts the next token. */
export type CausalLMOutput = WithLoss & {
  /** `[batch, seq, vocab_size]`, before any softmax: what follows each token. */
  readonly logits: Tensor;
};

/** What `output_hidden_states` and `output_attentions` ask a model with an encoder for. */
export type Seq2SeqLayerOutputs = {
  /** `[batch, source, size]`. */
  readonly encoder_last_hidden_state: Tensor;
  /** As {@link LayerOutputs.hidden_states}, of the encoder. */
  readonly encoder_hidden_states?: readonly Tensor[];
  /** As {@link LayerOutputs.attentions}, of the encoder. */
  readonly encoder_attentions?: readonly Tensor[];
  /** As {@link LayerOutputs.hidden_states}, of the decoder. */
  readonly decoder_hidden_states?: readonly Tensor[];
  /** As {@link LayerOutputs.attentions}, of the decoder. */
  readonly decoder_attentions?: readonly Tensor[];
  /** The probabilities `[batch, heads, seq, source]` with which the decoder's layers look at the source. */
  readonly cross_attentions?: readonly Tensor[];
};

/** A model with an encoder and a decoder, without a head. */
export type Seq2SeqModelOutput = Seq2SeqLayerOutputs & {
  /** Of the decoder, `[batch, seq, size]`. */
  readonly last_hidden_state: Tensor;
};

/** A model that reads a text and writes one. */
export type Seq2SeqLMOutput = Seq2SeqLayerOutputs & {
  /** With labels: a scalar. */
  readonly loss?: Tensor;
  /** `[batch, seq, vocab_size]`, before any softmax: what follows each token of the decoder. */
  readonly logits: Tensor;
};

/** A model with an encoder and a decoder that classifies texts. */
export type Seq2SeqSequenceClassifierOutput = Seq2SeqLayerOutputs & {
  /** With labels: a scalar. */
  readonly loss?: Tensor;
  /** `[batch, num_labels]`, before any softmax. */
  readonly logits: Tensor;
};
