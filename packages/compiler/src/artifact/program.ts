/** What a loaded program can do: run, and hold state. */
import type { Data, TensorData } from '@sinter/ir';
import type { Ports } from './format.ts';

/** The tensors that a program keeps between runs. Several programs may share one handle: then they share the tensors. */
export interface StateHandle {
  /** Name, shape and dtype of each tensor. */
  readonly ports: Ports;
  /** A copy of a tensor's elements. */
  read(name: string): Promise<Data>;
  /**
   * Overwrites a tensor, or a piece of it, so that weights can stream in: `at` is the first element (row-major) that is
   * overwritten. Without `at` the data must be all of the tensor. `data` must not change before this is done.
   *
   * @throws BackendError if there is no such tensor, or the data is of another dtype or does not fit.
   */
  write(name: string, data: Data, at?: number): Promise<void>;
}

/** The time that one step took in a profiled run, in milliseconds. Steps that are run once (`Artifact.prepare`) are not told. */
export interface StepTime {
  readonly step: number;
  readonly kernel: string;
  readonly ms: number;
}

/** Options of {@link Program.run}. */
export interface RunOptions {
  /**
   * Arrays that outputs are written into, by name, each of its output's dtype and length: where results are large, new arrays cost more than
   * what computes them. They come back in the results. Outputs without one, and all of them where a backend has no memory in common with the
   * host (WebGPU), get new arrays.
   */
  readonly outputs?: Readonly<Record<string, Data>>;
}

/** A program that is ready to run. Runs of programs that share state are queued one after the other. */
export interface Program {
  readonly name: string;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly state: StateHandle;
  /**
   * One run: inputs by name, with their shapes, from which the run-time sizes follow (`ShapeError` where they do not
   * agree). Gives copies of the outputs; state is updated in place. The data of the inputs must not change before the run is done.
   */
  run(inputs?: Readonly<Record<string, TensorData>>, options?: RunOptions): Promise<Record<string, TensorData>>;
  /** Like {@link Program.run}, and the time of every step. */
  profile(
    inputs?: Readonly<Record<string, TensorData>>,
  ): Promise<{ readonly outputs: Record<string, TensorData>; readonly steps: readonly StepTime[] }>;
  /** Bytes of memory that a run with these sizes takes: state, constants and what is prepared from them, and the arena of everything else. */
  memory(sizes: Readonly<Record<string, number>>): { readonly state: number; readonly arena: number };
  /** Frees what the program holds. State that is shared lives until its last program is closed. */
  close(): void;
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
