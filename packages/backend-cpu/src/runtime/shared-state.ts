/** What the stores of both runtimes, of WebAssembly and of C, are: state tensors by name at addresses, and a queue, because one thing happens at a time. */
import type { Data } from '@sinter/ir';
import { showShape } from '@sinter/ir';
import type { Port, Ports, StateHandle } from '@sinter/compiler/artifact';
import { BackendError, misfit, near } from '@sinter/compiler/artifact';

/** A state tensor and where it lies. */
export interface Held {
  readonly port: Port;
  readonly address: number;
  readonly count: number;
  /** How often it was written, or run by a program that changes it. */
  version: number;
}

/** State tensors in somebody's memory. */
export abstract class SharedState implements StateHandle {
  protected readonly tensors = new Map<string, Held>();
  #last: Promise<unknown> = Promise.resolve();

  /** Throws a `BackendError` once the last program was closed. */
  protected abstract checkOpen(): void;
  /** A copy of a tensor's elements. */
  protected abstract get(held: Held): Data;
  /** Overwrites elements of a tensor from `at` on. */
  protected abstract put(held: Held, data: Data, at: number): void;

  get ports(): Ports {
    return Object.fromEntries([...this.tensors].map(([name, { port }]) => [name, port]));
  }

  async read(name: string): Promise<Data> {
    const held = this.find(name);
    return this.turn(async () => this.get(held));
  }

  async write(name: string, data: Data, at?: number): Promise<void> {
    const held = this.find(name);
    const { port, count } = held;
    const wrong = misfit(data, port.dtype, count, at);
    if (wrong !== undefined)
      throw new BackendError(`state '${name}' is ${port.dtype}${showShape(port.shape)}: ${wrong}`);
    return this.turn(async () => {
      held.version++;
      this.put(held, data, at ?? 0);
    });
  }

  /** Does `task` when all before it is done. */
  turn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** A tensor; a `BackendError` that names those near it if there is none. */
  find(name: string): Held {
    this.checkOpen();
    const held = this.tensors.get(name);
    if (!held) throw new BackendError(`there is no state '${name}'; near it: ${near(name, this.tensors.keys())}`);
    return held;
  }
}
