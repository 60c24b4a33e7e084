/** The half of a backend that loads and runs: what a device needs, and no compiler. */
import type { Artifact, Requirements } from './format.ts';
import type { Program, StateHandle } from './program.ts';

/**
 * The version of the contract between artifacts, runtimes and backends. It goes up only when an old runtime would misread a
 * new artifact. Members that are added to {@link Runtime}, `Backend`, {@link Program} or {@link Artifact} later are
 * optional, with a default that is what was before: a backend that was written for version 1 stays a backend.
 */
export const contractVersion = 1;

/** How far loading is. `done` and `total` count bytes (`read`, `weights`), kernels (`compile`) or cases (`check`). */
export interface LoadProgress {
  readonly stage: 'read' | 'compile' | 'weights' | 'check';
  readonly done: number;
  readonly total: number;
}

/** Options of {@link Runtime.load}. */
export interface LoadOptions {
  /** State of an already loaded program of the same backend: tensors of the same name are shared. Default: state of its own, all zeros. */
  readonly state?: StateHandle;
  /** Hears how far compiling the code is, where the runtime can tell. */
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** Loads artifacts of one backend. */
export interface Runtime {
  /** The name of the backend: artifacts carry it in `backend`. */
  readonly name: string;
  /** The contract that this was written for, see {@link contractVersion}. Default: 1. */
  readonly contract?: number;
  /**
   * Whether this machine has what an artifact requires: `undefined` if it does, else what is missing, as the end of a
   * sentence (`'the feature shader-f16'`). Default: everything is taken to be there.
   */
  supports?(requires: Requirements): string | undefined | Promise<string | undefined>;
  /**
   * Makes a program from an artifact.
   *
   * @throws BackendError if it was built for another backend, is incomplete, or the device has no room for it.
   */
  load(artifact: Artifact, options?: LoadOptions): Promise<Program>;
}
