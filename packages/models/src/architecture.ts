/** What a family says of one of its models, and what training wants of any model: types only. */
import type { DType, Shape, Tensor } from '@sinter/ir';
import type { ConfigKeys, ModelConfig } from './config.ts';
import type { KeyValueCache } from './layers/cache.ts';
import type { Scope } from './scope.ts';

/** A tensor that a model is fed, and what its values may be. */
export interface InputSpec {
  /** Names are run-time sizes: `['batch', 'seq']`. */
  readonly shape: Shape;
  readonly dtype: DType;
  /** Values are from 0 to one less than this. */
  readonly below?: number;
  /** A value outside of that range which is allowed, for labels that do not count. */
  readonly ignored?: number;
  /** What every element is where the input is left out. */
  readonly missing?: number;
  /** Whether it is what the model should say rather than what it is told: given, there is a loss. Default: no. */
  readonly label?: true;
  /** Whether the model does without it in training, where examples lack it: it is made of the labels then. Default: no. */
  readonly optional?: true;
}

/** Inputs as a model function takes them; what is left out has its usual meaning. */
export type ModelInputs = { readonly [name: string]: Tensor | undefined };

/** Which outputs a model gives besides the usual ones. */
export interface OutputOptions {
  /** The embeddings and what each layer made of them. Default: no. */
  readonly output_hidden_states?: boolean | undefined;
  /** The attention probabilities of each layer. Default: no. */
  readonly output_attentions?: boolean | undefined;
}

/** The outputs of a model by name: tensors, and lists of them. */
export type ModelOutputs = { readonly [name: string]: Tensor | readonly Tensor[] | undefined };

type Ids = Tensor<Shape, 'i32'>;

/** What {@link Architecture.decode} takes: `n` more tokens of each text, of which there are `total` then. */
export type DecodeInputs = {
  /** `[batch, n]`. */
  readonly input_ids: Ids;
  /** `[batch, n]`: where they stand, padding not counted. */
  readonly position_ids: Ids;
  /** `[batch, total]`: 0 where there is padding. */
  readonly attention_mask: Ids;
  /**
   * Of a model with an encoder: what it made of the source, `[batch, source, size]`, in the first run. Later runs have what is computed of it in
   * the cache ({@link KeyValueCache.keep}).
   */
  readonly encoder_hidden_states?: Tensor | undefined;
  /** Of a model with an encoder: `[batch, source]`, 0 where the source has padding. */
  readonly encoder_attention_mask?: Ids | undefined;
};

/** What {@link Architecture.decode} gives. */
export interface Decoded {
  /** The state of each of the tokens, `[batch, n, size]`. */
  readonly states: Tensor;
  /** The logits of what follows, `[batch, k, vocab_size]`, of the states of `k` tokens. */
  logits(states: Tensor): Tensor;
}

/** What {@link Architecture.encode} takes. */
export type EncodeInputs = {
  /** `[batch, source]`. */
  readonly input_ids: Ids;
  /** `[batch, source]`: 0 where there is padding. */
  readonly attention_mask: Ids;
};

/**
 * What training needs of a model. A `Trainer` takes anything of this shape; it does not know this package.
 * Every {@link PreTrainedModel} whose outputs have logits is one.
 */
export interface TrainableModel {
  /** Saved with checkpoints. */
  readonly config: { readonly [key: string]: unknown };
  /** The current weights on the host; written back after training. */
  readonly parameters: Map<string, { data: Float32Array; readonly shape: readonly number[]; readonly dtype: 'f32' }>;
  /** The inputs by name, labels (`label: true`) too: `input_ids` is `i32 [batch, seq]`. The first axis is the batch. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The most that run-time sizes may be: `{ seq: 512 }`. */
  readonly dims?: Readonly<Record<string, number>>;
  /**
   * Builds the computation, in which a parameter is the state of its name. With `key` it is for training, with
   * `gradient_checkpointing` of layers that are computed again in the backward pass.
   */
  build(
    inputs: Readonly<Record<string, Tensor>>,
    options?: { readonly key?: Tensor; readonly gradient_checkpointing?: boolean },
  ): { readonly loss?: Tensor; readonly logits?: Tensor; readonly [more: string]: unknown };
  /** Writes `config.json` and `model.safetensors`. */
  save_pretrained(folder: string): Promise<void>;
}

/** What a family says of one of its models. All functions are pure. */
export interface Architecture<C extends ModelConfig, O extends ModelOutputs> {
  /** As `architectures` in `config.json` names it: `BertForSequenceClassification`. */
  readonly name: string;
  readonly model_type: string;
  /** What the base model is called inside of a model with a head: `bert`. */
  readonly base_model_prefix: string;
  /** Names in checkpoints that are no parameters. */
  readonly not_parameters?: RegExp;
  /** Fills in the defaults. @throws ConfigError */
  config(keys: ConfigKeys, overrides?: ConfigKeys): C;
  /** The inputs, with labels if there can be a loss. */
  inputs(config: C): Readonly<Record<string, InputSpec>>;
  /** The most that a run-time size may be. */
  dims(config: C): Readonly<Record<string, number>>;
  /** Of a model that reads a text before it writes one: what its encoder makes of it, `[batch, source, size]`. */
  encode?(scope: Scope, config: C, inputs: EncodeInputs): Tensor;
  /** Of a model that writes: more tokens, after those that the cache remembers. */
  decode?(scope: Scope, config: C, inputs: DecodeInputs, cache: KeyValueCache): Decoded;
  /** The model function. Inputs are checked against {@link Architecture.inputs} before. */
  build(scope: Scope, config: C, inputs: ModelInputs, options?: OutputOptions): O;
}
