/** A compiled program in this process, called through `koffi`. Addresses are numbers: no machine has more than 2⁵³ bytes. */
import type * as koffiTypes from 'koffi';
import type { Data } from '@sinter/ir';
import { BackendError } from '@sinter/compiler/artifact';
import { builtin } from './compiler.ts';

/** What a library does; the meaning is in `support.ts`. */
export interface Library {
  /** Starts threads; 0 where there are none. Waiting threads look `looks` times before they sleep. */
  newPool(threads: number, looks: number): number;
  endPool(pool: number): void;
  /** Runs the steps of this library's program on a pool, off the event loop. `times`, if there, gets the milliseconds at which each began. */
  run(
    pool: number,
    steps: Int32Array,
    count: number,
    addresses: BigUint64Array,
    dims: Int32Array,
    times?: Float64Array,
  ): Promise<void>;
  /** The address of so many zeros; 0 where there is no memory. */
  allocate(bytes: number): number;
  free(address: number, bytes: number): void;
  /** Bytes from an array to an address, and back. */
  put(address: number, data: Data): void;
  get(data: Data, address: number): void;
  /** Where an array's elements lie. They stay there unless the array is handed to another thread. */
  address(data: Data): number;
  unload(): void;
}

type Koffi = typeof koffiTypes;
/** A name that no bundler follows: whoever does not ask for native code does not need it. */
const koffiName = 'koffi';
const missing =
  "cpu: target 'native' calls compiled code through the package koffi, which is not installed; run npm install koffi, or use target 'wasm'";

/** Whether `koffi` is there, without loading it: what is wrong if not. */
export function koffiFault(): string | undefined {
  try {
    builtin('node:module')
      .createRequire(import.meta.url)
      .resolve(koffiName);
    return undefined;
  } catch {
    return missing;
  }
}

/**
 * Loads a library.
 *
 * @throws BackendError where `koffi` is not installed, or the file is none for this machine.
 */
export async function openLibrary(path: string): Promise<Library> {
  let koffi: Koffi;
  try {
    koffi = (await import(/* @vite-ignore */ /* webpackIgnore: true */ koffiName)) as Koffi;
  } catch (error) {
    throw new BackendError(`${missing} (${(error as Error).message})`);
  }
  let lib: ReturnType<Koffi['load']>;
  try {
    lib = koffi.load(path);
  } catch (error) {
    throw new BackendError(`cpu: the compiled program ${path} cannot be loaded (${(error as Error).message})`);
  }
  const address = 'uintptr_t';
  const run = lib.func('sinter_run', 'int32_t', [address, 'void *', 'int32_t', 'void *', 'void *', 'void *']);
  const put = lib.func('sinter_copy', 'void', [address, 'void *', 'uint64_t']);
  const get = lib.func('sinter_copy', 'void', ['void *', address, 'uint64_t']);
  return {
    newPool: lib.func('sinter_new_pool', address, ['int32_t', 'int32_t']) as Library['newPool'],
    endPool: lib.func('sinter_end_pool', 'void', [address]) as Library['endPool'],
    run: (pool, steps, count, addresses, dims, times) =>
      new Promise((resolve, reject) => {
        // The arrays are named in here, so they live as long as the call does.
        run.async(pool, steps, count, addresses, dims, times ?? null, (error: Error | null, ran: number) => {
          if (error) reject(error);
          else if (ran === 0) reject(new BackendError(`cpu: no memory to count what is done of ${count} steps`));
          else resolve(void [steps, addresses, dims, times]);
        });
      }),
    allocate: lib.func('sinter_allocate', address, ['uint64_t']) as Library['allocate'],
    free: lib.func('sinter_free', 'void', [address, 'uint64_t']) as Library['free'],
    put: (to, data) => put(to, data, data.byteLength) as void,
    get: (data, from) => get(data, from, data.byteLength) as void,
    address: lib.func('sinter_address', address, ['void *']) as Library['address'],
    unload: () => lib.unload(),
  };
}
