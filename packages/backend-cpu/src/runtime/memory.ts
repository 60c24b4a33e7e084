/**
 * The linear memory of a store: the pool's words, then blocks that stay (headers, constants, state), then the arena, which
 * whichever program runs has for itself. Views are made anew at every use, since those of before a growth are too short.
 */
import type { Data, DType, Sizes } from '@sinter/ir';
import { dataView } from '@sinter/ir';
import { BackendError } from '@sinter/compiler/artifact';
import { Heap } from './heap.ts';

const page = 65536;
/** Vector loads may touch a few bytes behind the last buffer. */
const slack = page;
/** As the modules import it; hosts that cannot reserve 4 GiB of addresses get less. */
const maxPages = [65536, 32768, 16384, 8192];

/**
 * Memories of stores that have ended. The collector counts only the small objects in front of them and would let gigabytes
 * pile up, so a new store takes one of these as long as it is still there.
 */
const spare = new Set<WeakRef<WebAssembly.Memory>>();

/** Shared memory, and which of its bytes are taken. */
export class Memory {
  readonly wasm: WebAssembly.Memory;
  readonly heap: Heap;
  /** What memory grew by last is zero from here on. */
  #grown = Infinity;

  constructor(reserved: number) {
    this.wasm = reserve();
    this.heap = new Heap(reserved);
  }

  /**
   * Makes memory reach `bytes` past the last block, for a program and the run-time sizes that it asks for. Gives the address
   * of that stretch; the next allocation moves it.
   */
  async reach(bytes: number, program: string, sizes: Sizes = {}): Promise<number> {
    const start = this.heap.top;
    const need = Math.ceil((start + bytes + slack) / page);
    const have = this.wasm.buffer.byteLength / page;
    this.#grown = have * page;
    if (need <= have) return start;
    try {
      this.wasm.grow(need - have);
    } catch (error) {
      const { refusal } = await import('./report.ts');
      throw new BackendError(refusal(program, sizes, need * page, bytes, have * page, (error as Error).message));
    }
    return start;
  }

  /** The elements at an address. */
  view(dtype: DType, address: number, length: number): Data {
    return dataView(dtype, this.wasm.buffer, address, length);
  }

  words(address: number, length: number): Int32Array {
    return new Int32Array(this.wasm.buffer, address, length);
  }

  /** Milliseconds, as threads write them. */
  times(address: number, length: number): Float64Array {
    return new Float64Array(this.wasm.buffer, address, length);
  }

  /** Gives the memory back, once nothing uses it any more. */
  release(): void {
    spare.add(new WeakRef(this.wasm));
  }

  /** Makes bytes zero. What the last {@link Memory.reach} has added is so already, and is not touched: that would cost a page of memory each. */
  zero(address: number, bytes: number): void {
    new Uint8Array(this.wasm.buffer).fill(0, address, Math.min(address + bytes, this.#grown));
  }
}

function reserve(): WebAssembly.Memory {
  for (const ref of spare) {
    spare.delete(ref);
    const memory = ref.deref();
    if (memory) return memory;
  }
  let why: unknown;
  for (const maximum of maxPages) {
    try {
      return new WebAssembly.Memory({ initial: 1, maximum, shared: true });
    } catch (error) {
      why = error;
    }
  }
  throw new BackendError(
    `cpu: the engine gives no shared memory (${(why as Error).message}); close programs that are no longer used`,
  );
}
