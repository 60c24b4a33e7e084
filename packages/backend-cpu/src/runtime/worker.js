// @ts-check
/**
 * One thread of the pool. Between tasks it sleeps in `Atomics.wait`, where it hears no messages: the task `mail` sends it
 * back to its event loop for exactly one, which it must answer. Plain JavaScript, because it is loaded by its address.
 */

/**
 * What the pool tells a thread: who it is (once, first), what to load, what to forget, and when to end.
 * @typedef {{ memory: WebAssembly.Memory, thread: number, threads: number, go: number, task: number, done: number, mail: number }} Start
 * @typedef {{ load: number, module: WebAssembly.Module, base: number, scratch: number }} Load
 * @typedef {{ forget: number }} Forget
 * @typedef {{ end: true }} End
 */

// In Node the other end is `parentPort`, in browsers the global scope.
const node = typeof process === 'undefined' ? undefined : process.getBuiltinModule?.('node:worker_threads');
const port = /** @type {Pick<DedicatedWorkerGlobalScope, 'postMessage' | 'onmessage'>} */ (
  node?.parentPort ?? globalThis
);

/** @type {Start} */ let me;
/** @type {Int32Array} */ let words;
/** @type {Map<number, (thread: number, threads: number) => void>} */ const programs = new Map();
let seen = 0;
let ended = false;

/** @param {Start | Load | Forget | End} message */
function heed(message) {
  if ('memory' in message) {
    me = message;
    words = new Int32Array(message.memory.buffer, 0, message.done + 1);
    seen = Atomics.load(words, me.go);
  } else if ('load' in message) {
    const word = (/** @type {number} */ value) => new WebAssembly.Global({ value: 'i32', mutable: false }, value);
    const env = {
      memory: me.memory,
      base: word(message.base),
      scratch: word(message.scratch),
      now: () => performance.now(),
    };
    const { exports } = new WebAssembly.Instance(message.module, { env });
    programs.set(message.load, /** @type {(thread: number, threads: number) => void} */ (exports['run']));
  } else if ('forget' in message) {
    programs.delete(message.forget);
  } else {
    ended = true;
  }
}

/** Runs tasks until there is mail. A trap ends the pool: the other threads may wait for this one for ever. */
function serve() {
  while (!ended) {
    // A call to wake up may come late, for a change that was seen before it: only a change of the word counts.
    while (Atomics.load(words, me.go) === seen) Atomics.wait(words, me.go, seen);
    seen = Atomics.load(words, me.go);
    const task = Atomics.load(words, me.task);
    if (task === me.mail) return;
    programs.get(task)?.(me.thread, me.threads);
    if (Atomics.add(words, me.done, 1) === me.threads - 1) port.postMessage({});
  }
}

/** @param {() => void} action */
function reporting(action) {
  try {
    action();
  } catch (error) {
    port.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
}

port.onmessage = (/** @type {MessageEvent<Start | Load | Forget | End>} */ { data }) => {
  reporting(() => {
    heed(data);
    port.postMessage({});
  });
  reporting(serve);
};
