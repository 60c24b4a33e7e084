/**
 * A whole backend in plain JavaScript: kernels are printed as JavaScript functions, which run on typed arrays.
 * The guide "Write a backend" builds this file step by step.
 *
 * @import { Artifact, Backend, Kernel, LoopExpr, Port, Program, StateHandle, Stmt, Target } from '@sinter/compiler'
 * @import { Data, DType, ScalarOp, Sizes } from '@sinter/ir'
 */
import {
  arenaLayout,
  BackendError,
  bindInputs,
  codeOf,
  evaluateSize,
  misfit,
  near,
  newState,
} from '@sinter/compiler/artifact';
import { dataFor, dataView, decoder, dtypeOf, encoder, isFloat, shapeSize } from '@sinter/ir';

// ---- 1. The machine

const infix = (/** @type {string} */ sign) => (/** @type {readonly string[]} */ x) => x.join(` ${sign} `);
const call = (/** @type {string} */ name) => (/** @type {readonly string[]} */ x) => `${name}(${x.join(', ')})`;

/**
 * How each scalar op is written, of operands that are written already and have the dtype `from`. A `bool` is 0 or 1.
 *
 * @type {Partial<Record<ScalarOp, (x: readonly string[], from: DType, to: DType) => string>>}
 */
const spelling = {
  add: infix('+'),
  sub: infix('-'),
  mul: (x, from) => (isFloat(from) ? infix('*')(x) : call('Math.imul')(x)),
  div: infix('/'),
  mod: infix('%'),
  pow: infix('**'),
  fma: ([a, b, c]) => `${a} * ${b} + ${c}`,
  neg: ([a]) => `-${a}`,
  lt: infix('<'),
  le: infix('<='),
  eq: infix('==='),
  and: infix('&'),
  or: infix('|'),
  xor: infix('^'),
  shl: infix('<<'),
  shr: (x, from) => infix(from === 'u32' ? '>>>' : '>>')(x),
  min: call('Math.min'),
  max: call('Math.max'),
  abs: call('Math.abs'),
  exp: call('Math.exp'),
  log: call('Math.log'),
  sqrt: call('Math.sqrt'),
  sin: call('Math.sin'),
  cos: call('Math.cos'),
  tanh: call('Math.tanh'),
  floor: call('Math.floor'),
  round: call('roundEven'),
  select: ([when, a, b]) => `${when} ? ${a} : ${b}`,
  cast: (x, from, to) => (isFloat(from) && !isFloat(to) ? call(`toInteger.${to}`)(x) : x.join()),
  bitcast: ([a], from, to) => `(bits.${from}[0] = ${a}, bits.${to}[0])`,
};

/** One thread that computes one number at a time. What it does not spell, the compiler writes in ops that it does. @type {Target} */
const target = {
  kind: 'cpu',
  spells: new Set(/** @type {ScalarOp[]} */ (Object.keys(spelling))),
  vectorBytes: 16,
  registers: 16,
  cacheBytes: [32 * 1024, 1024 * 1024],
  threads: 1,
  sharedBytes: 0,
  maxWorkgroup: 1,
  maxBindings: 64,
  features: new Set(),
};

// ---- 2. From the loop language to JavaScript

/** How a number is brought into a dtype: reals are rounded, integers wrap. @type {Record<DType, (x: string) => string>} */
const fit = {
  f32: (x) => `Math.fround(${x})`,
  f16: (x) => `Math.fround(${x})`,
  bf16: (x) => `Math.fround(${x})`,
  i32: (x) => `((${x}) | 0)`,
  u32: (x) => `((${x}) >>> 0)`,
  i8: (x) => `((${x}) << 24 >> 24)`,
  u8: (x) => `((${x}) & 255)`,
  bool: (x) => `((${x}) ? 1 : 0)`,
};

/** Floats of 16 bits are stored as these bits and computed in 32. */
const isCoded = (/** @type {DType} */ dtype) => dtype === 'f16' || dtype === 'bf16';

/** A name of a kernel in JavaScript: users name run-time sizes, and may call one `class`. */
const id = (/** @type {string} */ name) => `$${name.replace(/\W/g, (c) => `$${c.codePointAt(0)}`)}`;

/** Prints an expression. @type {(x: LoopExpr) => string} */
const expression = (x) => {
  switch (x.k) {
    case 'const':
      return Object.is(x.value, -0) ? '(-0)' : `(${x.value})`;
    case 'var':
      return id(x.name);
    case 'load': {
      const element = `${id(x.from)}[${expression(x.at)}]`;
      return isCoded(x.dtype) ? `decode.${x.dtype}(${element})` : element;
    }
    case 'op': {
      const write = spelling[x.op];
      if (!write) throw new BackendError(`the op '${x.op}' was planned, though the target does not spell it`);
      const from = dtypeOf(/** @type {LoopExpr} */ (x.args[0]));
      return fit[x.dtype](write(x.args.map(expression), from, x.dtype));
    }
  }
};

/** Prints a statement. One thread takes the iterations of every kind of loop in order. @type {(s: Stmt) => string} */
const statement = (s) => {
  switch (s.k) {
    case 'let':
      return `const ${id(s.name)} = ${expression(s.value)};`;
    case 'alloc':
      return `const ${id(s.name)} = new ${dataFor(s.dtype, 0).constructor.name}(${s.length});`;
    case 'store': {
      const dtype = dtypeOf(s.value);
      const value = isCoded(dtype) ? `encode.${dtype}(${expression(s.value)})` : expression(s.value);
      return `${id(s.to)}[${expression(s.at)}] = ${value};`;
    }
    case 'for': {
      const i = id(s.name);
      return `for (let ${i} = 0, end = ${expression(s.count)}; ${i} < end; ${i}++) {\n${block(s.body)}\n}`;
    }
    case 'if':
      return `if (${expression(s.when)}) {\n${block(s.body)}\n}`;
    case 'barrier':
      throw new BackendError('a barrier was planned, though the target has one thread');
  }
};
const block = (/** @type {readonly Stmt[]} */ body) => body.map(statement).join('\n');

/** Prints a kernel: a function of the run-time sizes and of its buffers. @type {(k: Kernel) => string} */
const kernel = (k) => {
  const sizes = k.dims.map((d) => `const ${id(d)} = sizes[${JSON.stringify(d)}];\n`).join('');
  return `(sizes, ${k.buffers.map((b) => id(b.name)).join(', ')}) => {\n${sizes}${block(k.body)}\n}`;
};

// ---- 3. State

/** The tensors that programs share, and the queue in which their runs, reads and writes take turns. @implements {StateHandle} */
export class State {
  /** @type {Map<string, { port: Port, data: Data }>} */
  tensors = new Map();
  users = 0;
  /** @type {Promise<unknown>} */
  last = Promise.resolve();

  get ports() {
    return Object.fromEntries([...this.tensors].map(([key, { port }]) => [key, port]));
  }

  /** Does `work` after everything that was asked for earlier. @type {<T>(work: () => T) => Promise<T>} */
  turn(work) {
    const result = this.last.then(work);
    this.last = result.catch(() => undefined);
    return result;
  }

  /** Adds the state of a program, as zeros; tensors that are there already must be alike. */
  join(/** @type {Artifact} */ artifact) {
    for (const [key, port] of Object.entries(newState(artifact, this.ports))) {
      const length = shapeSize(port.shape, {}).reduce((a, b) => a * b, 1);
      this.tensors.set(key, { port, data: dataFor(port.dtype, length) });
    }
    this.users++;
  }

  /** Takes leave of a program; the tensors go with the last one. */
  leave() {
    return this.turn(() => {
      if (--this.users === 0) this.tensors.clear();
    });
  }

  read(/** @type {string} */ key) {
    return this.turn(() => this.find(key).data.slice());
  }

  write(/** @type {string} */ key, /** @type {Data} */ data, /** @type {number | undefined} */ at) {
    return this.turn(() => {
      const tensor = this.find(key);
      const wrong = misfit(data, tensor.port.dtype, tensor.data.length, at);
      if (wrong) throw new BackendError(`state '${key}' is as it was: ${wrong}`);
      tensor.data.set(data, at);
    });
  }

  find(/** @type {string} */ key) {
    const tensor = this.tensors.get(key);
    if (!tensor) throw new BackendError(`there is no state '${key}'; near it: ${near(key, this.tensors.keys())}`);
    return tensor;
  }
}

// ---- 4. Programs

/** Truncates a number and holds it in a range; NaN becomes 0. @type {(low: number, high: number) => (x: number) => number} */
const within = (low, high) => (x) => Math.max(low, Math.min(high, Math.trunc(x) || 0));
const [toI32, toU32] = [within(-(2 ** 31), 2 ** 31 - 1), within(0, 2 ** 32 - 1)];
const word = new ArrayBuffer(4);

/** What printed code can see besides the language itself. */
const library = {
  decode: { f16: decoder('f16'), bf16: decoder('bf16') },
  encode: { f16: encoder('f16'), bf16: encoder('bf16') },
  bits: { f32: new Float32Array(word), i32: new Int32Array(word), u32: new Uint32Array(word) },
  roundEven: (/** @type {number} */ x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  toInteger: { i32: toI32, u32: toU32, i8: toI32, u8: toI32, bool: (/** @type {number} */ x) => (x === 0 ? 0 : 1) },
};

/** The kernels of an artifact of a backend, by index. @returns {((sizes: Sizes, ...buffers: Data[]) => void)[]} */
export function compileKernels(/** @type {Artifact} */ artifact, /** @type {string} */ backend) {
  const code = new TextDecoder().decode(codeOf(artifact, backend, ['kernels.js'])['kernels.js']);
  return new Function(...Object.keys(library), code)(...Object.values(library));
}

/** Makes a program that runs on this thread. @type {(a: Artifact, s: State, kernels: ReturnType<typeof compileKernels>) => Program} */
export function program(artifact, state, kernels) {
  const { name, inputs, outputs, buffers, steps, constants } = artifact;
  state.join(artifact);
  // What outlives runs, by buffer. All else lies in an arena, in which buffers that are not alive together may overlap.
  const kept = buffers.map((b) => constants[b.name]);
  for (const [key, { buffer }] of Object.entries(artifact.state)) kept[buffer] = state.find(key).data;
  let arena = new ArrayBuffer(0);
  /** @type {Promise<void> | undefined} */
  let closed;

  /** @type {Program['profile']} */
  const profile = async (given = {}) => {
    if (closed) throw new BackendError(`program '${name}' is closed; load it again`);
    const sizes = bindInputs(artifact, given);
    return state.turn(() => {
      const { offsets, bytes } = arenaLayout(artifact, sizes);
      if (arena.byteLength < bytes) arena = new ArrayBuffer(bytes);
      const memory = buffers.map(
        ({ dtype, length }, i) => kept[i] ?? dataView(dtype, arena, offsets[i] ?? 0, evaluateSize(length, sizes)),
      );
      const data = (/** @type {number} */ buffer) => /** @type {Data} */ (memory[buffer]);

      for (const [key, { buffer }] of Object.entries(inputs)) data(buffer).set(given[key]?.data ?? []);
      const times = steps.map(({ kernel, buffers }, step) => {
        const start = performance.now();
        kernels[kernel]?.(sizes, ...buffers.map(data));
        return { step, kernel: artifact.kernels[kernel] ?? '', ms: performance.now() - start };
      });
      const copy = (/** @type {Port} */ p) => ({ data: data(p.buffer).slice(), shape: shapeSize(p.shape, sizes) });
      const results = Object.fromEntries(Object.entries(outputs).map(([key, port]) => [key, copy(port)]));
      return { outputs: results, steps: times };
    });
  };

  const close = () => (closed ??= state.leave());
  return {
    name,
    inputs,
    outputs,
    state,
    profile,
    run: async (given) => (await profile(given)).outputs,
    memory: (sizes) => ({
      state: kept.reduce((sum, data) => sum + (data?.byteLength ?? 0), 0),
      arena: arenaLayout(artifact, sizes).bytes,
    }),
    close: () => void close(),
    [Symbol.asyncDispose]: close,
  };
}

// ---- 5. The backend

const name = 'javascript';

/** Compiles programs to JavaScript and runs them on this thread. @returns {Backend} */
export function javascript() {
  return {
    name,
    target,
    async build({ kernels, ...plan }) {
      const text = `'use strict';\nreturn [\n${kernels.map(kernel).join(',\n')},\n];\n`;
      const code = { 'kernels.js': new TextEncoder().encode(text) };
      return { format: 1, backend: name, ...plan, kernels: kernels.map((k) => k.name), code };
    },
    async load(artifact, { state = new State() } = {}) {
      if (!(state instanceof State))
        throw new BackendError(`program '${artifact.name}': the state to share is that of another backend`);
      return program(artifact, state, compileKernels(artifact, name));
    },
  };
}
