/**
 * As much of the browser's `Worker` as jax-js's pool asks for, made of `worker_threads`: Node has no global `Worker`,
 * and without one jax-js stays on one thread.
 */
import { Worker as NodeWorker } from 'node:worker_threads';

type Listener = ((event: { data: unknown }) => void) | null;

const PRELUDE = `
  const { parentPort } = require('node:worker_threads');
  globalThis.self = globalThis;
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  parentPort.on('message', (data) => globalThis.onmessage?.({ data }));
`;

/** Sets the globals from which jax-js learns that it may use `threads` workers. Call before it is imported. */
export function provideWorkers(threads: number): void {
  const sources = new Map<string, Blob>();
  const createObjectURL = URL.createObjectURL;
  URL.createObjectURL = (blob: Blob) => {
    const url = createObjectURL(blob);
    sources.set(url, blob);
    return url;
  };

  class WebWorker {
    onmessage: Listener = null;
    onerror: ((error: Error) => void) | null = null;
    readonly #worker: Promise<NodeWorker>;

    constructor(url: string) {
      this.#worker = this.#start(url);
    }

    async #start(url: string): Promise<NodeWorker> {
      const source = await sources.get(url)?.text();
      const worker = new NodeWorker(PRELUDE + (source ?? ''), { eval: true, execArgv: [] });
      worker.on('message', (data) => this.onmessage?.({ data }));
      worker.on('error', (error) => this.onerror?.(error as Error));
      return worker;
    }

    postMessage(message: unknown): void {
      void this.#worker.then((worker) => worker.postMessage(message));
    }
  }
  const navigator = { hardwareConcurrency: threads };
  for (const [name, value] of Object.entries({ Worker: WebWorker, navigator })) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
}
