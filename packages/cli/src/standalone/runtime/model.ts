/** What a standalone module is made of, less the backend: loads the file beside it and gives its entry points as functions. */
import { bytesSource, loadBundle, urlSource } from '@sinter/compiler/artifact';
import type { ByteSource, LoadBundleOptions, Runtime, StateHandle } from '@sinter/compiler/artifact';
import type { TensorData } from '@sinter/ir';
import { pathSource } from './node-file.ts';

/** Options that every backend has. */
export interface StandaloneOptions extends Pick<LoadBundleOptions, 'selfCheck' | 'onProgress' | 'signal'> {
  /** The `.sinter` file: its address, or its bytes. Default: the file beside the module. */
  readonly source?: string | URL | Uint8Array;
}

/** A run of one entry point. */
export type Run = (inputs: Readonly<Record<string, TensorData>>) => Promise<Record<string, TensorData>>;

/** The members of a model that are no entry points. */
export interface StandaloneMembers {
  readonly state: StateHandle;
  readonly file: (name: string) => Promise<Uint8Array>;
  readonly close: () => void;
}

/** Loads the artifact. `beside` is the address of the file beside the module. */
export async function loadModel(
  runtime: Runtime,
  beside: URL,
  { source, ...options }: StandaloneOptions,
): Promise<StandaloneMembers & Readonly<Record<string, unknown>>> {
  const { programs, state, file, close } = await loadBundle(sourceOf(source ?? beside, beside), runtime, options);
  const runs = Object.entries(programs).map(([entry, program]): [string, Run] => [
    entry,
    (inputs) => program.run(inputs),
  ]);
  return { ...Object.fromEntries(runs), state, file, close };
}

function sourceOf(source: string | URL | Uint8Array, base: URL): ByteSource {
  if (source instanceof Uint8Array) return bytesSource(source);
  const url = new URL(source, base);
  if (url.protocol !== 'file:') return urlSource(url);
  return pathSource(process.getBuiltinModule('node:url').fileURLToPath(url));
}
