/** From a plan to an artifact of C source. Needs no compiler: the source is compiled where it is loaded. */
import type { Artifact, Plan, Target } from '@sinter/compiler';
import { nativeName, sourcePart } from '../runtime/native/index.ts';
import { planSource } from './source.ts';

/**
 * The artifact of a plan that was made for `target`. Its vectors are as wide as that machine's; others can compile it too.
 *
 * @throws BackendError for kernels that cannot be written in C.
 */
export function buildNative(plan: Plan, target: Target): Artifact {
  const { kernels, ...data } = plan;
  return {
    ...data,
    format: 1,
    backend: nativeName,
    kernels: kernels.map((kernel) => kernel.name),
    code: { [sourcePart]: new TextEncoder().encode(planSource(plan, target.vectorBytes / 4)) },
  };
}
