/** From a plan to an artifact: the plan's module, with and without fused multiply-add or one of the two, and all that is data. Needs no device. */
import type { Artifact, Plan } from '@sinter/compiler';
import { backendName, packCode } from './runtime/code.ts';
import { requiredFeatures } from './runtime/host.ts';
import { emitModule } from './wasm/module.ts';

/** Which of the two modules an artifact carries. */
export interface Modules {
  readonly plain: boolean;
  readonly fma: boolean;
}

/**
 * The artifact of a plan. With both modules it runs everywhere: the loader takes the one that its engine can do.
 *
 * @throws BackendError for kernels that cannot be written as WebAssembly.
 */
export function buildArtifact(plan: Plan, modules: Modules = { plain: true, fma: true }): Artifact {
  const plain = modules.plain ? emitModule(plan, { fma: false }) : undefined;
  const fma = modules.fma ? emitModule(plan, { fma: true }) : undefined;
  const scratchBytes = Math.max(plain?.scratchBytes ?? 0, fma?.scratchBytes ?? 0);
  const { kernels, ...program } = plan;
  return {
    format: 1,
    backend: backendName,
    ...program,
    kernels: kernels.map((kernel) => kernel.name),
    code: packCode({ plain: plain?.code, fma: fma?.code, scratchBytes }),
    requires: { features: requiredFeatures, limits: {} },
  };
}
