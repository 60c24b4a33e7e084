/** From a plan to an artifact: a WGSL module per kernel, and all that is data. Needs no device. */
import type { Artifact, Plan, Target } from '@sinter/compiler';
import { evaluateSize } from '@sinter/compiler';
import { baseline } from './describe.ts';
import { backendName, packCode } from './runtime/code.ts';
import { bufferBytes } from './runtime/layout.ts';
import { printKernel } from './wgsl/kernel.ts';

/**
 * The artifact of a plan, with what a device must have to run it beyond what every device has.
 *
 * @throws BackendError for kernels that cannot be written as WGSL.
 */
export function buildArtifact(plan: Plan, target: Target): Artifact {
  const abilities = { f16: target.features.has('f16') };
  const dims = Object.keys(plan.dims);
  const bytes = knownBytes(plan);
  const printed = plan.kernels.map((kernel, i) => printKernel(kernel, dims, abilities, bytes[i]));
  const { kernels, ...program } = plan;
  // Tensors only grow with sizes: what the smallest need, all need.
  const smallest = Object.fromEntries(Object.entries(plan.dims).map(([d, { min }]) => [d, min]));
  const largest = Math.max(0, ...plan.buffers.map((b) => bufferBytes(b.dtype, evaluateSize(b.length, smallest))));
  const needed: Record<keyof typeof baseline, number> = {
    maxStorageBuffersPerShaderStage: Math.max(0, ...kernels.map((k) => k.buffers.length)),
    maxComputeInvocationsPerWorkgroup: Math.max(1, ...printed.map((k) => k.workgroup.reduce((a, b) => a * b))),
    maxComputeWorkgroupSizeX: Math.max(1, ...printed.map((k) => k.workgroup[0])),
    maxComputeWorkgroupStorageSize: Math.max(0, ...printed.map((k) => k.sharedBytes)),
    maxStorageBufferBindingSize: largest,
    maxBufferSize: largest,
  };
  const limits = Object.entries(needed).filter(([limit, least]) => least > baseline[limit as keyof typeof baseline]);
  return {
    format: 1,
    backend: backendName,
    ...program,
    kernels: kernels.map((kernel) => kernel.name),
    code: packCode(
      printed.map(({ name, entry, code, workgroup, grid }, i) => ({
        name,
        entry,
        text: code,
        workgroup,
        grid,
        bindings: kernels[i]!.buffers.length,
      })),
    ),
    requires: {
      features: printed.some((k) => k.f16) ? ['shader-f16'] : [],
      limits: Object.fromEntries(limits),
    },
  };
}

/** Per kernel and buffer: its bytes, where they are the same in every step and for all sizes. */
function knownBytes({ kernels, steps, buffers }: Plan): (number | undefined)[][] {
  const own = buffers.map(({ dtype, length }) => (length.k === 'const' ? bufferBytes(dtype, length.value) : undefined));
  const known = kernels.map((): (number | undefined)[] | undefined => undefined);
  for (const step of steps) {
    const here = step.buffers.map((b) => own[b]);
    known[step.kernel] = known[step.kernel]?.map((x, i) => (x === here[i] ? x : undefined)) ?? here;
  }
  return known.map((k) => k ?? []);
}
