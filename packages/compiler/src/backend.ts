/** What a backend is: it builds without a device and loads without a compiler. */
import type { Artifact } from './artifact/format.ts';
import type { Program, StateHandle } from './artifact/program.ts';
import type { Plan } from './plan.ts';
import type { Target } from './target.ts';

/** Options of {@link Backend} `load`. */
export interface LoadOptions {
  /** State of an already loaded program of the same backend: tensors of the same name are shared. */
  readonly state?: StateHandle;
}

/** A backend is a value that is passed in: there is no registry and no default. */
export interface Backend {
  readonly name: string;
  /** The machine that plans are made for; known without a device. */
  readonly target: Target;
  /** Makes code from a plan. Needs no device. */
  build(plan: Plan): Promise<Artifact>;
  /** Makes a program from an artifact. Needs no compiler. */
  load(artifact: Artifact, options?: LoadOptions): Promise<Program>;
}
