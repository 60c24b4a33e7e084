/**
 * Worker threads that share one memory. They compute while the caller's event loop stays free; idle, they sleep and do
 * not keep the process alive. One thing happens at a time: the caller queues.
 */
import type { Thread } from './host.ts';
import { startThread } from './host.ts';

/** Words at the start of memory: how many tasks were given, which one is now, how many threads are through with it. */
const words = { go: 0, task: 1, done: 16 };
/** Bytes at the start of memory that belong to the pool; code may count on it that no buffer begins below 1024. */
export const poolBytes = 1024;
/** The task of looking into one's mail; programs count from 1. */
const mail = 0;

interface Reply {
  readonly error?: string;
}
interface Pending {
  left: number;
  error?: string;
  settle(error?: string): void;
}

/** The threads of one memory. */
export class Pool {
  readonly threads: number;
  readonly #words: Int32Array;
  readonly #threads: Thread[];
  #pending: Pending | undefined;
  #failure: string | undefined;

  private constructor(memory: WebAssembly.Memory, threads: number) {
    this.threads = threads;
    this.#words = new Int32Array(memory.buffer, 0, poolBytes / 4);
    const heard = (message: unknown): void => this.#hear(message as Reply);
    this.#threads = Array.from({ length: threads }, () => startThread(heard, (why) => this.#fail(why)));
  }

  /** Starts the threads and waits until all are there. */
  static async start(memory: WebAssembly.Memory, threads: number): Promise<Pool> {
    const pool = new Pool(memory, threads);
    await pool.#ask(threads, () => {
      pool.#threads.forEach((t, thread) => t.post({ memory, thread, threads, mail, ...words }));
    });
    return pool;
  }

  /** Makes an instance of a program on every thread; `scratch` is the address of the first thread's, `stride` bytes before the next. */
  load(id: number, module: WebAssembly.Module, base: number, scratch: number, stride: number): Promise<void> {
    return this.#mail((thread) => ({ load: id, module, base, scratch: scratch + thread * stride }));
  }

  /** Lets go of a program. */
  forget(id: number): Promise<void> {
    return this.#mail(() => ({ forget: id }));
  }

  /** One run on all threads. If one fails, the others can no longer be trusted to end: all are stopped, for good. */
  async run(id: number): Promise<void> {
    try {
      await this.#ask(1, () => this.#give(id));
    } catch (error) {
      this.#fail((error as Error).message);
      throw error;
    }
  }

  /**
   * Ends the threads. Gives whether they are known to have left the memory alone: asked to end they do, but those of a
   * pool that failed are cut off whatever they are doing, and browsers do not tell when that has happened.
   */
  async stop(): Promise<boolean> {
    if (this.#failure === undefined) await this.#mail(() => ({ end: true })).catch((e: Error) => this.#fail(e.message));
    await Promise.all(this.#threads.map((t) => t.stop()));
    return this.#failure === undefined;
  }

  #mail(message: (thread: number) => unknown): Promise<void> {
    return this.#ask(this.threads, () => {
      this.#threads.forEach((t, thread) => t.post(message(thread)));
      this.#give(mail);
    });
  }

  #give(task: number): void {
    Atomics.store(this.#words, words.task, task);
    Atomics.store(this.#words, words.done, 0);
    Atomics.add(this.#words, words.go, 1);
    Atomics.notify(this.#words, words.go);
  }

  /** Does `send` and waits for so many replies; meanwhile one thread keeps the process alive. */
  #ask(replies: number, send: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(new Error(this.#failure));
      this.#threads[0]?.keepsAlive(true);
      const settle = (error?: string): void => {
        this.#pending = undefined;
        this.#threads[0]?.keepsAlive(false);
        if (error === undefined) resolve();
        else reject(new Error(error));
      };
      this.#pending = { left: replies, settle };
      send();
    });
  }

  #hear({ error }: Reply): void {
    const pending = this.#pending;
    if (!pending) return;
    if (error !== undefined) pending.error ??= error;
    pending.left -= 1;
    if (pending.left === 0) pending.settle(pending.error);
  }

  #fail(why: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = why;
    this.#pending?.settle(why);
    void this.stop();
  }
}
