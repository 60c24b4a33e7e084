/** What the trainer needs of a model, a log and a backend: shapes to satisfy, so that none of their packages is imported. */
import type { DType, Shape, Tensor } from '@sinter/ir';

/** The weights of one parameter on the host. */
export interface ParameterData {
  data: Float32Array;
  readonly shape: readonly number[];
  readonly dtype: 'f32';
}

/** A graph input of a model, and what is known of its values. */
export interface InputSpec {
  /** Names are run-time sizes: `['batch', 'seq']`. The first is the batch. */
  readonly shape: Shape;
  readonly dtype: DType;
  /** Whole numbers from 0 to one less than this are allowed. */
  readonly below?: number;
  /** A value outside of that range which is allowed too: labels of −100 do not count. */
  readonly ignored?: number;
  /** What the elements are where an example lacks the field. */
  readonly missing?: number;
  /** Whether it is what the model should say: given, there is a loss. Default: only the input `labels` is. */
  readonly label?: boolean;
  /** Whether the model does without it where examples lack it, as one that makes `decoder_input_ids` of labels. Default: no. */
  readonly optional?: boolean;
}

/** The inputs of a model that are labels, in their order. */
export function labelNames(inputs: Readonly<Record<string, InputSpec>>): string[] {
  return Object.keys(inputs).filter((name) => inputs[name]!.label ?? name === 'labels');
}

/** The inputs that there are for examples that have these fields: those that are optional and lacking are left out. */
export function inputNames(
  inputs: Readonly<Record<string, InputSpec>>,
  fields: { readonly [name: string]: unknown },
): string[] {
  return Object.keys(inputs).filter((name) => !inputs[name]!.optional || name in fields);
}

/** A model that can be trained: weights on the host, and a function that builds its computation. */
export interface TrainableModel {
  /** Written to `config.json` and to the log. */
  readonly config: object;
  /** The weights by name; overwritten with the trained ones at every save and at the end. */
  readonly parameters: Map<string, ParameterData>;
  /** The graph inputs by name, labels included: `input_ids` `i32 ['batch', 'seq']`, `labels` `i32 ['batch']`. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The most that run-time sizes may be: `{ seq: 512 }`. */
  readonly dims?: Readonly<Record<string, number>>;
  /**
   * Builds the computation; a parameter is the state of its name. With labels among the inputs there is a `loss`, a
   * scalar. `key` (`u32[2]`: seed, step) asks for a graph for training: dropout draws from it. `gradient_checkpointing` asks for parts
   * that are wrapped in `checkpoint` of `@sinter/ir`.
   */
  build(
    inputs: Readonly<Record<string, Tensor>>,
    options?: { readonly key?: Tensor; readonly gradient_checkpointing?: boolean },
  ): { readonly loss?: Tensor | undefined; readonly logits?: Tensor | undefined };
  /** Writes the model into a folder. Without it, `config.json` and `model.safetensors` are written. */
  save_pretrained?(folder: string): Promise<void>;
}

/** Where numbers are logged; a TensorBoard file writer is one. Calls return at once, `flush` waits for the disk. */
export interface Sink {
  /** A number at a step. */
  scalar(tag: string, value: number, step: number): void;
  /** A text in Markdown. */
  text?(tag: string, markdown: string, step: number): void;
  /** Everything logged so far is on the disk. */
  flush(): Promise<void>;
  /** The same, and nothing more is logged. */
  close(): Promise<void>;
}

/** What is saved beside a model: a tokenizer. Its padding token is used by the default collator. */
export interface ProcessingClass {
  readonly pad_token_id?: number | null | undefined;
  /** Writes its files into a folder; a promise is awaited. */
  save_pretrained?(folder: string): unknown;
}
