/** What a family says of one of its models, and what training wants of any model: types only. */
import type { DType, Shape, Tensor, Tensors } from '@sinter/ir';
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
}

/** Which outputs a model gives besides the usual ones. */
export interface OutputOptions {
  /** The embeddings and what each layer made of them. Default: no. */
  readonly output_hidden_states?: boolean | undefined;
  /** The attention probabilities of each layer. Default: no. */
  readonly output_attentions?: boolean | undefined;
}

/** The outputs of a model by name: tensors, and lists of them. */
export type ModelOutputs = { readonly [name: string]: Tensor | readonly Tensor[] | undefined };

/**
 * What training needs of a model. A `Trainer` takes anything of this shape; it does not know this package.
 * Every {@link PreTrainedModel} whose outputs have logits is one.
 */
export interface TrainableModel {
  /** Saved with checkpoints. */
  readonly config: { readonly [key: string]: unknown };
  /** The current weights on the host; written back after training. */
  readonly parameters: Map<string, { data: Float32Array; readonly shape: readonly number[]; readonly dtype: 'f32' }>;
  /** The inputs by name, labels too: `input_ids` is `i32 [batch, seq]`. The first axis is the batch. */
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
  ): { readonly loss?: Tensor; readonly logits: Tensor; readonly [more: string]: unknown };
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
  /**
   * Of a model that predicts the next token: the logits `[batch, vocab_size]` of what follows `input_ids` `[batch, n]`, with `position_ids`
   * of that shape and an `attention_mask` `[batch, total]`.
   */
  nextToken?(scope: Scope, config: C, inputs: Tensors, cache: KeyValueCache): Tensor;
  /** The model function. */
  build(scope: Scope, config: C, inputs: Tensors, options: OutputOptions): O;
}
