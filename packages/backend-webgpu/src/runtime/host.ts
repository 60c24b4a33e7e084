/**
 * The only file that knows where it runs: in a browser (or what has `navigator.gpu` as browsers do), or in Node. What Node needs is
 * in files of its own, which pages do not load.
 */
import { BackendError } from '@sinter/compiler/artifact';

/** Which adapter is wanted. */
export interface AdapterOptions {
  /** Passed on to the browser or to Dawn, which may ignore it. */
  readonly powerPreference?: 'low-power' | 'high-performance';
  /** A part of the adapter's name as `devices()` tells it, in any case. */
  readonly name?: string;
  /**
   * `true`: a software adapter (in Node SwiftShader), even where there is a GPU. `false`: never. By default it is taken in Node where
   * there is nothing else; a line on stderr says so.
   */
  readonly software?: boolean;
}

/** Where the browser's adapters come from; without it this is Node, or a page without WebGPU. */
export const browser = (): GPU | undefined => globalThis.navigator?.gpu;
/** Whether the packages of Node can be had. */
export const inNode = typeof process !== 'undefined' && process.getBuiltinModule !== undefined;

/** The adapter that fits best; a `BackendError` that says what there is and what to do if none does. */
export async function findAdapter(options: AdapterOptions): Promise<GPUAdapter> {
  const { name, powerPreference, software = false } = options;
  if (name !== undefined) return (await import('./adapters.ts')).adapterByName(name, options);
  const gpu = browser();
  if (!gpu && inNode) return (await import('./node.ts')).nodeAdapter(options);
  const adapter = await gpu?.requestAdapter({
    ...(powerPreference && { powerPreference }),
    ...(software && { forceFallbackAdapter: true }),
  });
  if (adapter) return adapter;
  throw new BackendError(
    gpu
      ? 'webgpu: this browser offers no adapter; use another backend'
      : 'webgpu: there is no navigator.gpu; it takes WebGPU, and https or localhost',
  );
}
