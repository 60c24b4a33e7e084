/**
 * Runs plans on the CPU: one WebAssembly SIMD module per program, or C compiled for this machine, walked by all threads over
 * shared memory.
 *
 * @packageDocumentation
 */
import type { Backend } from '@sinter/compiler';
import { buildArtifact } from './build.ts';
import { buildNative } from './native/build.ts';
import { describeNative } from './native/describe.ts';
import type { CpuOptions } from './runtime/index.ts';
import { cpuRuntime } from './runtime/index.ts';
import { describeCpu } from './wasm/describe.ts';

export type { CCompiler, CpuOptions, CpuRuntime, NativeRuntime, WasmRuntime } from './runtime/index.ts';
export { cpuRuntime } from './runtime/index.ts';

/**
 * The CPU as a backend: {@link cpuRuntime}, and what builds for it.
 *
 * @throws BackendError for a number of threads that makes no sense, for `fma: true` where the engine lacks it, and for
 * `target: 'native'` where there is no C compiler or no `koffi`.
 */
export function cpu(options: CpuOptions = {}): Backend {
  const runtime = cpuRuntime(options);
  if (runtime.kind === 'native') {
    const target = describeNative(runtime);
    return { ...runtime, target, build: async (plan) => buildNative(plan, target) };
  }
  return { ...runtime, target: describeCpu(runtime), build: async (plan) => buildArtifact(plan) };
}
