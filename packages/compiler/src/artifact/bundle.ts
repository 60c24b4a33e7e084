/** What a `.sinter` file holds, in memory: one program or several that share state, with all that is needed to run them. */
import type { Data, DType, TensorData } from '@sinter/ir';
import type { Artifact } from './format.ts';

/** The initial value of a state tensor. */
export interface WeightTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /**
   * The elements, row-major; or a function that gives their little-endian bytes in chunks of any length, so that not all are
   * in memory at once. It is called twice, once for the hashes and once for the bytes, and must give the same both times.
   */
  readonly data: Data | (() => AsyncIterable<Uint8Array>);
}

/** How far an answer may be off: `|got − want| ≤ absolute + relative · |want|`. Integers and booleans must be equal. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** A small case of one entry point, with the initial state as it is in the bundle. */
export interface CheckCase {
  readonly inputs: Readonly<Record<string, TensorData>>;
  /** What must come out; outputs that are left out are not compared. */
  readonly outputs: Readonly<Record<string, TensorData>>;
  /** Default: `{ absolute: 1e-4, relative: 1e-3 }`. */
  readonly tolerance?: Tolerance;
}

/** Programs that share state, their initial state, and files. */
export interface Bundle {
  /** What it is called; also the name of its file. */
  readonly name: string;
  /** The entry points by name (`forward`, `train_step`), all built for one backend. State of one name is shared. */
  readonly entries: Readonly<Record<string, Artifact>>;
  /** Initial state by name, all of it but what is listed in `zeros`. Without it, state is written after loading. `f16` and `bf16` become `f32` while they are loaded, where the state is. */
  readonly weights?: Readonly<Record<string, WeightTensor>>;
  /** Names of state that starts at zero, such as the moments of an optimizer. */
  readonly zeros?: readonly string[];
  /** Files by name, such as `tokenizer.json`. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Small cases by entry point, for `selfCheck`. */
  readonly check?: Readonly<Record<string, CheckCase>>;
  /** Where it comes from, as JSON: model id, producer's options, anything. */
  readonly source?: Readonly<Record<string, unknown>>;
}
