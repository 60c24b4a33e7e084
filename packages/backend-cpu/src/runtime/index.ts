/**
 * The half of the CPU backend that loads and runs artifacts. No compiler comes with it.
 *
 * @packageDocumentation
 */
import type { Runtime } from '@sinter/compiler/artifact';
import { BackendError, contractVersion } from '@sinter/compiler/artifact';
import { backendName } from './code.ts';
import { coreCount, missingFeature, relaxedSimd } from './host.ts';
import { load } from './load.ts';

/** Options of {@link cpuRuntime}. */
export interface CpuOptions {
  /**
   * Worker threads that a program runs on, at least 1; programs that share state share their threads. Default: as many as
   * the machine runs at once, at most 16.
   */
  readonly threads?: number;
  /**
   * Whether to use fused multiply-add (WebAssembly relaxed SIMD): about twice as fast, and with one rounding less.
   * `'auto'`, the default, uses it where the engine has it. In Node 20 that sets V8's flag
   * `--experimental-wasm-relaxed-simd` for the whole process; `false` leaves the flags alone.
   */
  readonly fma?: boolean | 'auto';
}

/** The runtime of the CPU, and what it settled on. */
export interface CpuRuntime extends Runtime {
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
export function cpuRuntime(options: CpuOptions = {}): CpuRuntime {
  const { threads = Math.min(coreCount(), 16), fma: wanted = 'auto' } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new BackendError(`cpu: threads is ${threads}; give a whole number from 1`);
  const fma = wanted !== false && relaxedSimd();
  if (wanted === true && !fma) {
    throw new BackendError(
      "cpu: this engine has no relaxed SIMD (fused multiply-add); use fma: 'auto', or a newer engine",
    );
  }
  return {
    name: backendName,
    contract: contractVersion,
    threads,
    fma,
    supports: ({ features }) => missingFeature(features),
    load: (artifact, { state } = {}) => load(artifact, { threads, fma }, state),
  };
}
