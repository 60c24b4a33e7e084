/**
 * Runs plans on the CPU: one WebAssembly SIMD module per program, or C compiled for this machine, walked by all threads over
 * shared memory.
 *
 * @packageDocumentation
 */
import type { Backend } from '@sinter/compiler';
import { BackendError } from '@sinter/compiler/artifact';
import { buildArtifact } from './build.ts';
import { buildNative } from './native/build.ts';
import { machine } from './machine.ts';
import { describeNative } from './native/describe.ts';
import type { CpuRuntimeOptions } from './runtime/index.ts';
import { cpuRuntime } from './runtime/index.ts';
import { nativeRuntime } from './runtime/native/index.ts';
import { describeCpu } from './wasm/describe.ts';

export type { CpuRuntime, CpuRuntimeOptions } from './runtime/index.ts';
export { cpuRuntime } from './runtime/index.ts';
export type { CCompiler } from './runtime/native/compiler.ts';
export type { NativeRuntime, NativeRuntimeOptions } from './runtime/native/index.ts';
export { nativeRuntime } from './runtime/native/index.ts';

/** Options of {@link cpu}. */
export interface CpuOptions extends CpuRuntimeOptions {
  /**
   * What programs are. `'wasm'`, the default: WebAssembly, which runs everywhere. `'native'`: C, compiled by the system's C
   * compiler when a program is loaded for the first time, and called through the package `koffi`; wider vectors, 64-bit
   * memory, Node only. `'auto'`: native where a compiler and `koffi` are found; where not it says once why, and takes WebAssembly.
   */
  readonly target?: 'wasm' | 'native' | 'auto';
  /** For native code: the C compiler, a command or a path. Default: the first of `cc`, `gcc` and `clang` that works. */
  readonly cc?: string;
}

/** The cache knows our packages by itself. */
const version = '1';
const warned = new Set<string>();

/**
 * The CPU as a backend: {@link cpuRuntime} or {@link nativeRuntime}, and what builds for it.
 *
 * @throws BackendError for a number of threads that makes no sense, for `fma: true` where the engine lacks it, and for
 * `target: 'native'` where there is no C compiler or no `koffi`.
 */
export function cpu(options: CpuOptions = {}): Backend {
  const { target = 'wasm' } = options;
  if (target === 'wasm') return wasm(options);
  try {
    const runtime = nativeRuntime(options);
    const described = describeNative(runtime);
    return { ...runtime, version, target: described, machine, build: async (plan) => buildNative(plan, described) };
  } catch (error) {
    if (target === 'native' || !(error instanceof BackendError)) throw error;
    if (!warned.has(error.message)) console.warn(`${error.message}. Taking WebAssembly.`);
    warned.add(error.message);
    return wasm(options);
  }
}

function wasm(options: CpuRuntimeOptions): Backend {
  const runtime = cpuRuntime(options);
  return {
    ...runtime,
    version,
    target: describeCpu(runtime),
    machine,
    build: async (plan, { portable = true } = {}) =>
      buildArtifact(plan, { plain: portable || !runtime.fma, fma: portable || runtime.fma }),
  };
}
