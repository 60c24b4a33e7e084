/**
 * The half of the CPU backend that loads and runs artifacts of WebAssembly. No compiler comes with it.
 *
 * @packageDocumentation
 */
import type { Runtime } from '@sinter/compiler/artifact';
import { BackendError, contractVersion } from '@sinter/compiler/artifact';
import { backendName } from './code.ts';
import { missingFeature, relaxedSimd, threadCount } from './host.ts';
import { load } from './load.ts';

/** Options of {@link cpuRuntime}. */
export interface CpuRuntimeOptions {
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
}

/** The runtime of WebAssembly, and what it settled on. */
export interface CpuRuntime extends Runtime {
  readonly kind: 'wasm';
  readonly threads: number;
  readonly fma: boolean;
}

/**
 * Loads artifacts that `cpu()` built. Programs compute on threads of their own: the event loop stays free, and threads
 * that are idle neither take time nor keep the process alive. Memory is 32-bit: state, constants and the tensors of a run
 * may take 4 GiB together. In browsers the page must be cross-origin isolated.
 *
 * @throws BackendError for a number of threads that makes no sense, and for `fma: true` where the engine lacks it.
 */
export function cpuRuntime(options: CpuRuntimeOptions = {}): CpuRuntime {
  const threads = threadCount(options.threads);
  const fma = options.fma !== false && relaxedSimd();
  if (options.fma === true && !fma) {
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
