/** What a backend is: a runtime that can also build. It builds without a device and loads without a compiler. */
import type { Artifact } from './artifact/format.ts';
import type { Runtime } from './artifact/runtime.ts';
import type { Plan } from './plan.ts';
import type { Region } from './region.ts';
import type { Target } from './target.ts';

/** Options of {@link Backend.build}. */
export interface CodeOptions {
  /**
   * Whether the artifact is to run elsewhere too. With `false` it is loaded by the very backend that builds it, which may leave out what only
   * other machines or other settings need. Default: `true`.
   */
  readonly portable?: boolean;
}

/** A backend is a value that is passed in: there is no registry and no default. Members that are added later are optional. */
export interface Backend extends Runtime {
  /** The machine that plans are made for; known without a device. */
  readonly target: Target;
  /**
   * Which code the backend makes: another version wherever the same plan for the same target, or the same region, might be treated
   * otherwise than before. Artifacts are kept in a cache under it. Default: none, and nothing is kept.
   */
  readonly version?: string;
  /**
   * What tells this machine apart from others that have the same target: the model of its processor, the engine, the name of the GPU.
   * What tuning finds is kept under it. Default: the target says it all.
   */
  machine?(): Promise<string>;
  /**
   * Whether the backend runs a region its own way, with a library of its machine. It is asked about every contraction that
   * has rows and columns. What it claims comes as a kernel by itself: its `region` says what it is, its buffers are the two
   * operands and the result, each contiguous and row-major, and its body is a plain loop that computes the same. What
   * would have been fused into it is a kernel of its own. Needs no device. Default: nothing is claimed.
   */
  claims?(region: Region): boolean;
  /**
   * Makes code from a plan. Needs no device.
   *
   * @throws BackendError for kernels that cannot be written in the backend's code.
   */
  build(plan: Plan, options?: CodeOptions): Promise<Artifact>;
}
