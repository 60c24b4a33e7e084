/** What a backend is: a runtime that can also build. It builds without a device and loads without a compiler. */
import type { Artifact } from './artifact/format.ts';
import type { Runtime } from './artifact/runtime.ts';
import type { Plan } from './plan.ts';
import type { Target } from './target.ts';

/** A backend is a value that is passed in: there is no registry and no default. Members that are added later are optional. */
export interface Backend extends Runtime {
  /** The machine that plans are made for; known without a device. */
  readonly target: Target;
  /**
   * Makes code from a plan. Needs no device.
   *
   * @throws BackendError for kernels that cannot be written in the backend's code.
   */
  build(plan: Plan): Promise<Artifact>;
}
