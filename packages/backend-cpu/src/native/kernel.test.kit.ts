/** Runs kernels as native code, many from one library, for tests. */
import type { Kernel } from '@sinter/compiler';
import type { Data, Sizes } from '@sinter/ir';
import { BackendError } from '@sinter/compiler/artifact';
import { compileLibrary } from '../runtime/native/build.ts';
import type { CCompiler } from '../runtime/native/compiler.ts';
import { findCompiler } from '../runtime/native/compiler.ts';
import { koffiFault, openLibrary } from '../runtime/native/library.ts';
import { librarySource } from '../runtime/native/support.ts';
import { planSource } from './source.ts';

/** The C compiler that tests use, or `undefined` after printing what is missing. Use as `describe.skipIf(!compiler)`. */
export function nativeCompiler(): CCompiler | undefined {
  try {
    const fault = koffiFault();
    if (fault !== undefined) throw new BackendError(fault);
    return findCompiler();
  } catch (error) {
    console.warn(`skipped: ${(error as Error).message}`);
    return undefined;
  }
}

/**
 * What code is tested on: this machine, x86 (or ARM) as it was at first, where most helpers are plain C, and this machine as clang sees
 * it, where clang is there and not the compiler anyway.
 */
export function testMachines(compiler: CCompiler | undefined): CCompiler[] {
  if (!compiler) return [];
  const first = { ...compiler, machineFlags: [], macros: `${compiler.macros} first` };
  if (compiler.defines('__clang__')) return [compiler, first];
  try {
    return [compiler, first, findCompiler('clang')];
  } catch {
    return [compiler, first];
  }
}

/** Kernels that are ready to be called. */
export interface Compiled {
  /** Runs the kernel of a number; buffers are in the kernel's order, and are changed in place. */
  run(kernel: number, buffers: readonly Data[], sizes?: Sizes): Promise<void>;
  close(): void;
}

/** Bytes around each buffer that must not change. */
const guard = 64;

/** Compiles kernels that have the same run-time sizes, for vectors of `lanes`. */
export async function compileKernels(
  kernels: readonly Kernel[],
  dims: readonly string[],
  { compiler, lanes, threads = 1 }: { compiler: CCompiler; lanes: number; threads?: number },
): Promise<Compiled> {
  const plan = { kernels, dims: Object.fromEntries(dims.map((d) => [d, { min: 0, max: 1 << 20 }])) };
  const most = Math.max(...kernels.map((k) => k.buffers.length));
  const library = await openLibrary(
    await compileLibrary({ name: 'test', source: librarySource(planSource(plan, lanes), most) }, compiler),
  );
  const pool = library.newPool(threads, 100);
  return {
    async run(kernel, buffers, sizes = {}) {
      const offsets: number[] = [];
      let bytes = guard;
      for (const data of buffers) {
        offsets.push(bytes);
        bytes += Math.ceil((data.byteLength + guard) / 64) * 64;
      }
      const block = library.allocate(bytes);
      try {
        library.put(block, new Uint8Array(bytes).fill(0xa5));
        buffers.forEach((data, i) => library.put(block + offsets[i]!, data));
        await library.run(
          pool,
          Int32Array.of(kernel, buffers.length, ...buffers.keys()),
          1,
          BigUint64Array.from(offsets, (offset) => BigInt(block + offset)),
          Int32Array.from(dims, (d) => sizes[d]!),
        );
        const after = new Uint8Array(bytes);
        library.get(after, block);
        buffers.forEach((data, i) => {
          library.get(data, block + offsets[i]!);
          after.fill(0xa5, offsets[i], offsets[i]! + data.byteLength);
        });
        const touched = after.findIndex((byte) => byte !== 0xa5);
        if (touched >= 0)
          throw new Error(`kernel ${kernel} wrote at byte ${touched} of ${bytes}, outside of its buffers`);
      } finally {
        library.free(block, bytes);
      }
    },
    close() {
      library.endPool(pool);
      library.unload();
    },
  };
}
