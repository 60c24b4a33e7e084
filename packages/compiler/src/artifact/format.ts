/** What stands between building and loading: plain data that a backend's runtime needs, and no compiler. */
import type { Data, DType, Expr, Shape } from '@sinter/ir';

/**
 * What a buffer is for. Only `scratch` is placed by lifetime; `state` outlives runs. `prepared` is never in a plan: it is what runtimes make
 * of scratch that steps which are run once leave to later ones, see `keepPrepared`.
 */
export type BufferRole = 'input' | 'state' | 'output' | 'constant' | 'scratch' | 'prepared';

/** A buffer of the plan. `length` is in elements, over the run-time sizes; `live` are the first and last step that touch it. */
export interface PlanBuffer {
  readonly name: string;
  readonly dtype: DType;
  readonly length: Expr;
  readonly role: BufferRole;
  readonly live: readonly [first: number, last: number];
}

/** One kernel call: the index of the kernel, and for each of its buffers the index of a plan buffer. */
export interface Step {
  readonly kernel: number;
  readonly buffers: readonly number[];
}

/** The smallest and largest value of a run-time size. */
export interface DimRange {
  readonly min: number;
  readonly max: number;
}

/** A named tensor at the border of a program, and the plan buffer that holds it. */
export interface Port {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly buffer: number;
}
/** Named ports. */
export type Ports = Readonly<Record<string, Port>>;

/** What a plan and the artifact that is built from it have in common: the program less its code. */
export interface ProgramData {
  readonly name: string;
  readonly dims: Readonly<Record<string, DimRange>>;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly state: Ports;
  readonly buffers: readonly PlanBuffer[];
  readonly steps: readonly Step[];
  /**
   * So many leading steps need to run once only: they read constants, state that no run of this program changes, and each other, and
   * write scratch. A runtime may keep what they wrote (`keepPrepared` says which buffers) and leave them out until that state is
   * written or another program changes it. One that does not know of this runs them every time. Default: 0.
   */
  readonly prepare?: number;
  /** The data of `constant` buffers, by buffer name. */
  readonly constants: Readonly<Record<string, Data>>;
}

/** What a machine must have to run an artifact. The names are the backend's own; WebGPU's are those of its specification. */
export interface Requirements {
  /** Features that must be there. */
  readonly features: readonly string[];
  /** The least value of each limit. */
  readonly limits: Readonly<Record<string, number>>;
}

/** A compiled program as data. `code` is the backend's own; everything else is common to all. */
export interface Artifact extends ProgramData {
  readonly format: 1;
  readonly backend: string;
  /** Names of the kernels, for messages and profiles; steps refer to them by index. */
  readonly kernels: readonly string[];
  readonly code: Readonly<Record<string, Uint8Array>>;
  /** What the machine must have. Default: nothing beyond what the backend itself needs. */
  readonly requires?: Requirements;
  /** Per kernel: the tensors of the graph that it computes, as text, with the inputs and weights that they read. For messages and profiles. */
  readonly origins?: readonly (readonly string[])[];
  /** Names of the state that a run changes. Default: any of it may change. */
  readonly updates?: readonly string[];
  /** How kernels are cut that are not cut as the target suggests, by kernel shape: what tuning found. For people, and to build again alike. */
  readonly schedules?: Readonly<Record<string, Readonly<Record<string, number | boolean>>>>;
}
