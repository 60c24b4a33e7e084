/** From a plan to an artifact: the plan's module, with and without fused multiply-add, and all that is data. Needs no device. */
import type { Artifact, Plan } from '@sinter/compiler';
import { backendName, packCode } from './runtime/code.ts';
import { requiredFeatures } from './runtime/host.ts';
import { emitModule } from './wasm/module.ts';

/**
 * The artifact of a plan. It carries two modules, so that one artifact runs everywhere; the loader takes the one that
 * its engine can do.
 *
 * @throws BackendError for kernels that cannot be written as WebAssembly.
 */
export function buildArtifact(plan: Plan): Artifact {
  const plain = emitModule(plan, { fma: false });
  const fma = emitModule(plan, { fma: true });
  const { kernels, ...program } = plan;
  return {
    format: 1,
    backend: backendName,
    ...program,
    kernels: kernels.map((kernel) => kernel.name),
    code: packCode({ plain: plain.code, fma: fma.code, scratchBytes: Math.max(plain.scratchBytes, fma.scratchBytes) }),
    requires: { features: requiredFeatures, limits: {} },
  };
}
