/** The compiler's product: kernels in the loop language, the order to run them in, and the lifetime of every buffer. */
import type { Data } from '@sinter/ir';
import type { DimRange, PlanBuffer, Ports, Step } from './artifact/format.ts';
import type { Kernel } from './loop.ts';

/** Everything that a backend needs to build a program. */
export interface Plan {
  readonly name: string;
  readonly dims: Readonly<Record<string, DimRange>>;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly state: Ports;
  readonly buffers: readonly PlanBuffer[];
  readonly kernels: readonly Kernel[];
  readonly steps: readonly Step[];
  /** The data of `constant` buffers, by buffer name. */
  readonly constants: Readonly<Record<string, Data>>;
}
