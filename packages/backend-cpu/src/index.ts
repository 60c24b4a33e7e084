/**
 * Runs plans on the CPU: one WebAssembly SIMD module per program, walked by all threads over shared memory.
 *
 * @packageDocumentation
 */
import type { Backend } from '@sinter/compiler';
import { buildArtifact } from './build.ts';
import type { CpuOptions } from './runtime/index.ts';
import { cpuRuntime } from './runtime/index.ts';
import { describeCpu } from './wasm/describe.ts';

export type { CpuOptions, CpuRuntime } from './runtime/index.ts';
export { cpuRuntime } from './runtime/index.ts';

/**
 * The CPU as a backend: {@link cpuRuntime}, and what builds for it.
 *
 * @throws BackendError for a number of threads that makes no sense, and for `fma: true` where the engine lacks it.
 */
export function cpu(options: CpuOptions = {}): Backend {
  const runtime = cpuRuntime(options);
  return { ...runtime, target: describeCpu(runtime), build: async (plan) => buildArtifact(plan) };
}
