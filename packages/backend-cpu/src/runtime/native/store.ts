/**
 * What native programs that share state have in common: threads, state tensors, an arena that whichever program runs has for
 * itself, and a queue, because one thing happens at a time. It lives as long as its last program.
 */
import type { Data } from '@sinter/ir';
import { dataFor, dtypeBytes } from '@sinter/ir';
import type { Artifact } from '@sinter/compiler/artifact';
import { BackendError, newState } from '@sinter/compiler/artifact';
import { coreCount } from '../host.ts';
import { placeKept } from '../placed.ts';
import { showBytes } from '../report.ts';
import type { Held } from '../shared-state.ts';
import { SharedState } from '../shared-state.ts';
import type { Library } from './library.ts';

/** How often a waiting thread looks before it sleeps: some tens of microseconds, longer than most steps differ. */
const looks = 2000;

/** A stretch of memory. */
interface Block {
  readonly address: number;
  readonly bytes: number;
}

/** What a program has in memory for as long as it is loaded. */
export interface Resident {
  readonly library: Library;
  /** Constants and what is prepared. */ readonly kept: Block | undefined;
  /** Per plan buffer: its address, or −1 if it lies in the arena. */ readonly addresses: readonly number[];
}

/** What must be given back to the system, kept apart from the store so that it can be when the store is forgotten. */
class Holdings {
  readonly blocks = new Set<Block>();
  readonly libraries: Library[] = [];
  /** Threads, and the library whose code they wait in. */
  pool: { readonly address: number; readonly library: Library } | undefined;

  take(library: Library, bytes: number): Block {
    const size = Math.max(1, bytes);
    const address = library.allocate(size);
    if (address === 0) throw new RangeError(`the system has no ${showBytes(size)} of memory left`);
    const block = { address, bytes: size };
    this.blocks.add(block);
    return block;
  }

  give(block: Block): void {
    if (this.blocks.delete(block)) this.libraries[0]?.free(block.address, block.bytes);
  }

  release(): void {
    this.pool?.library.endPool(this.pool.address);
    this.pool = undefined;
    for (const block of this.blocks) this.give(block);
    for (const library of this.libraries.splice(0)) library.unload();
  }
}

/** Stores that were forgotten with their programs open. */
const forgotten = new FinalizationRegistry<Holdings>((holdings) => holdings.release());

/** The state that programs share, and all that they run on. */
export class NativeStore extends SharedState {
  readonly threads: number;
  readonly #residents = new Set<Resident>();
  readonly #holdings = new Holdings();
  #arena: Block | undefined;
  #ended = false;

  constructor(threads: number) {
    super();
    this.threads = threads;
    forgotten.register(this, this.#holdings, this.#holdings);
  }

  protected checkOpen(): void {
    void this.library;
  }
  protected get({ port, address, count }: Held): Data {
    const data = dataFor(port.dtype, count);
    this.library.get(data, address);
    return data;
  }
  protected put({ port, address }: Held, data: Data, at: number): void {
    this.library.put(address + at * dtypeBytes[port.dtype], data);
  }

  /** Any library of a program that is loaded: all can do with memory what must be done. */
  get library(): Library {
    const [first] = this.#holdings.libraries;
    if (this.#ended || !first)
      throw new BackendError(
        'this state is gone: its last program was closed; read it before, or load a program again',
      );
    return first;
  }

  /** The threads. */
  get pool(): number {
    return this.#holdings.pool!.address;
  }

  /** Brings a program into memory. Undoes everything if that fails. `library` belongs to the store from here on. */
  admit(artifact: Artifact, library: Library): Promise<Resident> {
    return this.turn(async () => {
      const holdings = this.#holdings;
      if (this.#ended) throw new BackendError('this state is gone: its last program was closed; load without it');
      const taken: Block[] = [];
      const fresh: string[] = [];
      const take = (bytes: number): Block => {
        const block = holdings.take(library, bytes);
        taken.push(block);
        return block;
      };
      holdings.libraries.push(library);
      try {
        for (const [name, port] of Object.entries(newState(artifact, this.ports))) {
          const count = (port.shape as number[]).reduce((a, b) => a * b, 1);
          this.tensors.set(name, { port, count, version: 0, address: take(count * dtypeBytes[port.dtype]).address });
          fresh.push(name);
        }
        const { offsets, end } = placeKept(artifact);
        const kept = end > 0 ? take(end) : undefined;
        const addresses = artifact.buffers.map(({ name, role }, i) => {
          if (offsets[i]! < 0) return -1;
          // Where all are empty there is no block.
          const address = (kept?.address ?? 0) + offsets[i]!;
          if (role === 'constant') library.put(address, artifact.constants[name]!);
          return address;
        });
        for (const [name, { buffer }] of Object.entries(artifact.state)) addresses[buffer] = this.find(name).address;
        if (!holdings.pool) {
          const pool = library.newPool(this.threads, this.threads <= coreCount() ? looks : 0);
          if (pool === 0) throw new RangeError(`the system gives no ${this.threads} threads; ask for fewer`);
          holdings.pool = { address: pool, library };
        }
        const resident = { library, kept, addresses };
        this.#residents.add(resident);
        return resident;
      } catch (error) {
        for (const name of fresh) this.tensors.delete(name);
        for (const block of taken) holdings.give(block);
        this.#endIfUnused();
        if (error instanceof BackendError) throw error;
        throw new BackendError(`program '${artifact.name}' cannot be loaded: ${(error as Error).message}`);
      }
    });
  }

  /** The address of so many bytes that the program whose turn it is has for itself. */
  arena(bytes: number): number {
    if (!this.#arena || this.#arena.bytes < bytes) {
      if (this.#arena) this.#holdings.give(this.#arena);
      this.#arena = undefined;
      this.#arena = this.#holdings.take(this.library, bytes);
    }
    return this.#arena.address;
  }

  /** Takes a program out of memory; with the last one everything ends. Its library stays: threads may wait in its code. */
  evict(resident: Resident): Promise<void> {
    return this.turn(async () => {
      this.#residents.delete(resident);
      if (resident.kept) this.#holdings.give(resident.kept);
      this.#endIfUnused();
    });
  }

  #endIfUnused(): void {
    if (this.#residents.size > 0) return;
    this.#ended = true;
    this.tensors.clear();
    this.#holdings.release();
    forgotten.unregister(this.#holdings);
  }
}
