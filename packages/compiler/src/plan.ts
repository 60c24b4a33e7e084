/** The compiler's product: kernels in the loop language, the order to run them in, and the lifetime of every buffer. */
import type { ProgramData } from './artifact/format.ts';
import type { Kernel } from './loop/language.ts';

/** Everything that a backend needs to build a program. */
export interface Plan extends ProgramData {
  readonly kernels: readonly Kernel[];
}
