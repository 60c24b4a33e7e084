/**
 * The half of the CPU backend that loads and runs artifacts. No compiler of ours comes with it.
 *
 * @packageDocumentation
 */
import type { Runtime } from '@sinter/compiler/artifact';
import { BackendError, contractVersion } from '@sinter/compiler/artifact';
import { backendName } from './code.ts';
import { coreCount, missingFeature, relaxedSimd } from './host.ts';
import { load } from './load.ts';
import type { NativeRuntime } from './native/index.ts';
import { nativeRuntime } from './native/index.ts';

export type { CCompiler } from './native/compiler.ts';
export type { NativeRuntime } from './native/index.ts';

/** Options of {@link cpuRuntime}. */
export interface CpuOptions {
  /**
   * What programs are. `'wasm'`, the default: WebAssembly, which runs everywhere. `'native'`: C, compiled by the system's C
   * compiler when a program is loaded for the first time, and called through the package `koffi`; wider vectors, 64-bit
   * memory, Node only. `'auto'`: native where a compiler and `koffi` are found; where not it says once why, and takes WebAssembly.
   */
  readonly target?: 'wasm' | 'native' | 'auto';
  /**
   * Threads that a program runs on, at least 1; programs that share state share their threads. Default: as many as
   * the machine runs at once, at most 16.
   */
  readonly threads?: number;
  /**
   * For WebAssembly: whether to use fused multiply-add (relaxed SIMD): about twice as fast, and with one rounding less.
   * `'auto'`, the default, uses it where the engine has it. In Node 20 that sets V8's flag
   * `--experimental-wasm-relaxed-simd` for the whole process; `false` leaves the flags alone.
   */
  readonly fma?: boolean | 'auto';
  /** For native code: the C compiler, a command or a path. Default: the first of `cc`, `gcc` and `clang` that works. */
  readonly cc?: string;
}

/** The runtime of WebAssembly, and what it settled on. */
export interface WasmRuntime extends Runtime {
  readonly kind: 'wasm';
  readonly threads: number;
  readonly fma: boolean;
}
/** The runtime of the CPU: of one kind of artifact or the other. */
export type CpuRuntime = WasmRuntime | NativeRuntime;

const warned = new Set<string>();

/**
 * Loads artifacts that `cpu()` with the same target built. Programs compute on threads of their own: the event loop stays
 * free, and threads that are idle neither take time nor keep the process alive. WebAssembly's memory is 32-bit: state,
 * constants and the tensors of a run may take 4 GiB together; in browsers the page must be cross-origin isolated.
 *
 * @throws BackendError for a number of threads that makes no sense, for `fma: true` where the engine lacks it, and for
 * `target: 'native'` where there is no C compiler or no `koffi`.
 */
export function cpuRuntime(options: CpuOptions = {}): CpuRuntime {
  const { target = 'wasm', threads = Math.min(coreCount(), 16), cc } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new BackendError(`cpu: threads is ${threads}; give a whole number from 1`);
  if (target === 'wasm') return wasmRuntime(threads, options.fma);
  try {
    return nativeRuntime({ threads, cc });
  } catch (error) {
    if (target === 'native' || !(error instanceof BackendError)) throw error;
    if (!warned.has(error.message)) console.warn(`${error.message}. Taking WebAssembly.`);
    warned.add(error.message);
    return wasmRuntime(threads, options.fma);
  }
}

function wasmRuntime(threads: number, wanted: boolean | 'auto' = 'auto'): WasmRuntime {
  const fma = wanted !== false && relaxedSimd();
  if (wanted === true && !fma) {
    throw new BackendError(
      "cpu: this engine has no relaxed SIMD (fused multiply-add); use fma: 'auto', or a newer engine",
    );
  }
  return {
    kind: 'wasm',
    name: backendName,
    contract: contractVersion,
    threads,
    fma,
    supports: ({ features }) => missingFeature(features),
    load: (artifact, { state } = {}) => load(artifact, { threads, fma }, state),
  };
}
