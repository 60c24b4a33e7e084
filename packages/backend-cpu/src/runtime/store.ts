/**
 * What programs that share state have in common: one memory, one pool of threads, the state tensors, and a queue, because
 * one thing happens at a time. It lives as long as its last program.
 */
import type { Data } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import type { Artifact } from '@sinter/compiler/artifact';
import { BackendError, newState } from '@sinter/compiler/artifact';
import { aligned } from './heap.ts';
import type { HeaderLayout } from './layout.ts';
import { headerLayout } from './layout.ts';
import { Memory } from './memory.ts';
import { placeKept } from './placed.ts';
import { Pool, poolBytes } from './pool.ts';
import type { Held } from './shared-state.ts';
import { SharedState } from './shared-state.ts';

/** What a program has in memory for as long as it is loaded. */
export interface Resident {
  readonly id: number;
  readonly header: HeaderLayout;
  /** The address of the header, and the bytes of all that was allocated with it. */
  readonly base: number;
  readonly bytes: number;
  /** Per plan buffer: its address, or −1 if it lies in the arena. */
  readonly addresses: readonly number[];
}

/** The state that programs share, and all that they run on. */
export class Store extends SharedState {
  readonly threads: number;
  readonly #residents = new Set<number>();
  #memory: Memory | undefined = new Memory(poolBytes);
  #pool: Pool | undefined;
  #failure: string | undefined;
  #ids = 0;

  constructor(threads: number) {
    super();
    this.threads = threads;
  }

  protected checkOpen(): void {
    void this.memory;
  }
  protected get({ port, address, count }: Held): Data {
    return this.memory.view(port.dtype, address, count).slice();
  }
  protected put({ port, address, count }: Held, data: Data, at: number): void {
    this.memory.view(port.dtype, address, count).set(data, at);
  }

  /** The memory; a `BackendError` once the last program was closed. */
  get memory(): Memory {
    if (!this.#memory)
      throw new BackendError(
        'this state is gone: its last program was closed; read it before, or load a program again',
      );
    return this.#memory;
  }

  /** Brings a program into memory and onto the threads. Undoes everything if that fails. */
  admit(artifact: Artifact, module: Promise<WebAssembly.Module>, scratchBytes: number): Promise<Resident> {
    return this.turn(async () => {
      const { heap } = this.memory;
      this.#checkAlive();
      const { addresses, header, scratch, bytes } = fixedPart(artifact, this.threads, scratchBytes);
      const fresh = Object.entries(newState(artifact, this.ports)).map(([name, port]) => {
        const count = (port.shape as readonly number[]).reduce((a, b) => a * b, 1);
        const size = count * dtypeBytes[port.dtype];
        const address = heap.allocate(size);
        this.tensors.set(name, { port, count, address, version: 0 });
        return { name, address, size };
      });
      const base = heap.allocate(bytes);
      try {
        await this.memory.reach(0, artifact.name);
        this.memory.zero(base, header.counters);
        for (const { address, size } of fresh) this.memory.zero(address, size);
        const placed = addresses.map((offset) => (offset < 0 ? -1 : base + offset));
        artifact.buffers.forEach(({ name, dtype, role }, i) => {
          if (role !== 'constant') return;
          const data = artifact.constants[name]!;
          this.memory.view(dtype, placed[i]!, data.length).set(data);
        });
        for (const [name, { buffer }] of Object.entries(artifact.state)) placed[buffer] = this.find(name).address;
        this.#pool ??= await Pool.start(this.memory.wasm, this.threads);
        const id = ++this.#ids;
        await this.#pool.load(id, await module, base, base + scratch, aligned(scratchBytes));
        this.#residents.add(id);
        return { id, header, base, bytes, addresses: placed };
      } catch (error) {
        for (const { name, address, size } of fresh) {
          heap.free(address, size);
          this.tensors.delete(name);
        }
        heap.free(base, bytes);
        await this.#endIfUnused();
        throw error instanceof BackendError
          ? error
          : new BackendError(`program '${artifact.name}' cannot be loaded: ${(error as Error).message}`);
      }
    });
  }

  /** Lets all threads run a program once. `blame` tells more of an error, which is the end of all runs here. */
  async compute({ id }: Resident, blame: (why: string) => Promise<string>): Promise<void> {
    this.#checkAlive();
    try {
      await this.#pool?.run(id);
    } catch (error) {
      const why = (error as Error).message;
      this.#failure = why;
      this.#failure = await blame(why);
      throw new BackendError(this.#failure);
    }
  }

  /** Takes a program out of memory; with the last one everything ends. */
  evict({ id, base, bytes }: Resident): Promise<void> {
    return this.turn(async () => {
      this.#residents.delete(id);
      this.memory.heap.free(base, bytes);
      // A pool that failed has nothing left to forget.
      if (this.#residents.size > 0) await this.#pool?.forget(id).catch(() => undefined);
      await this.#endIfUnused();
    });
  }

  #checkAlive(): void {
    if (this.#failure === undefined) return;
    throw new BackendError(
      `the threads of this state were stopped after an error; read what you need of it, close its programs and load them again. The error: ${this.#failure}`,
    );
  }

  async #endIfUnused(): Promise<void> {
    if (this.#residents.size > 0) return;
    const memory = this.#memory;
    this.#memory = undefined;
    this.tensors.clear();
    const unused = (await this.#pool?.stop()) ?? true;
    this.#pool = undefined;
    if (unused) memory?.release();
  }
}

/** What a program keeps in one block: header, constants, what is prepared, scratch of each thread. Addresses count from the block's start. */
function fixedPart(
  artifact: Artifact,
  threads: number,
  scratchBytes: number,
): { addresses: number[]; header: HeaderLayout; scratch: number; bytes: number } {
  const { buffers, dims, steps } = artifact;
  const header = headerLayout({ steps: steps.length, dims: Object.keys(dims).length, buffers: buffers.length });
  const { offsets, end } = placeKept(artifact, header.counters + threads * header.stride);
  return { addresses: offsets, header, scratch: end, bytes: end + threads * aligned(scratchBytes) };
}
