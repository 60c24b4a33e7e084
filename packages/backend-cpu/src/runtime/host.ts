/** The only file that knows where it runs: Node (and what is compatible with it) or a browser. Nothing is imported, so bundlers need no settings. */
import { BackendError } from '@sinter/compiler/artifact';

/** A worker thread, the same on every host. */
export interface Thread {
  post(message: unknown): void;
  /** Whether this thread keeps the process alive. Browsers have no such notion. */
  keepsAlive(yes: boolean): void;
  stop(): Promise<unknown>;
}

const node = typeof process === 'undefined' ? undefined : process.getBuiltinModule;

/** Threads that can run at once; 1 where the host does not say. */
export function coreCount(): number {
  return node?.('node:os').availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** The number of threads to run on: what is asked for, else what can run at once, at most 16. */
export function threadCount(asked = Math.min(coreCount(), 16)): number {
  if (!Number.isInteger(asked) || asked < 1)
    throw new BackendError(`cpu: threads is ${asked}; give a whole number from 1`);
  return asked;
}

/** Starts `worker.js`. `heard` gets its messages, `died` what it could not catch itself. */
export function startThread(heard: (message: unknown) => void, died: (why: string) => void): Thread {
  if (node) {
    const { Worker } = node('node:worker_threads');
    // Neither the flags nor the environment of the process: a loader named there would only slow the start.
    const worker = new Worker(new URL('./worker.js', import.meta.url), { name: 'sinter', execArgv: [], env: {} });
    worker.on('message', heard).on('error', (error) => died(error.message));
    worker.unref();
    return {
      post: (message) => worker.postMessage(message),
      keepsAlive: (yes) => (yes ? worker.ref() : worker.unref()),
      stop: () => worker.terminate(),
    };
  }
  if (!globalThis.crossOriginIsolated) {
    throw new BackendError(
      'cpu: this page is not cross-origin isolated, so threads cannot share memory; ' +
        "serve it with 'Cross-Origin-Opener-Policy: same-origin' and 'Cross-Origin-Embedder-Policy: require-corp'",
    );
  }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { name: 'sinter', type: 'module' });
  worker.onmessage = ({ data }) => heard(data);
  worker.onerror = ({ message }) => died(message);
  return {
    post: (message) => worker.postMessage(message),
    keepsAlive: () => undefined,
    stop: async () => worker.terminate(),
  };
}

/**
 * The smallest modules that need a feature, less magic and version:
 * `(func (drop (i8x16.splat (i32.const 0))))`, `(func (drop (f32x4.relaxed_madd …)))` of three such vectors, and `(memory 1 1 shared)`.
 */
// prettier-ignore
const needs = {
  simd128: [
    1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, // type 0: () → (), function 0 has it
    10, 9, 1, 7, 0, // one body of 7 bytes, no locals
    0x41, 0, 0xfd, 0x0f, 0x1a, 0x0b, // i32.const 0, i8x16.splat, drop, end
  ],
  relaxed: [
    1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0,
    10, 20, 1, 18, 0,
    0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f, 0x41, 0, 0xfd, 0x0f,
    0xfd, 0x85, 0x02, 0x1a, 0x0b, // f32x4.relaxed_madd, drop, end
  ],
  threads: [5, 4, 1, 3, 1, 1],
};

function validates(feature: keyof typeof needs): boolean {
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...needs[feature]]));
}

/**
 * Whether modules with fused multiply-add compile here. V8 before 12 (Node 20) has it behind a flag that can still be
 * set in a running process, so it is set if need be.
 */
export function relaxedSimd(): boolean {
  if (validates('relaxed')) return true;
  node?.('node:v8').setFlagsFromString('--experimental-wasm-relaxed-simd');
  return validates('relaxed');
}

/** What our artifacts require of every engine. */
export const requiredFeatures = ['simd128', 'threads'] as const;

/** The first of `wanted` that this engine lacks, in words. */
export function missingFeature(wanted: readonly string[]): string | undefined {
  const missing = wanted.find((feature) => !(feature in needs && validates(feature as keyof typeof needs)));
  return missing === undefined ? undefined : `the WebAssembly feature '${missing}'`;
}
