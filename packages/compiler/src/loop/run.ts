/**
 * The interpreter: the living definition of the loop language. It favours showing mistakes over speed: storage starts as
 * garbage, every index is checked, independent iterations can run in a shuffled order, dead buffers are overwritten.
 */
import type { Data, DType, Sizes } from '@sinter/ir';
import { dataFor, dataView, decoder, encoder, holds, scalarFunction } from '@sinter/ir';
import { BackendError } from '../artifact/errors.ts';
import type { StepTime } from '../artifact/program.ts';
import { assignOffsets, evaluateSize } from '../artifact/offsets.ts';
import { keepPrepared } from '../artifact/prepare.ts';
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import { exprsOf } from './language.ts';
import { printStmt } from './print.ts';
import { verifyKernel, verifyPlan } from './verify.ts';
import { eachStmt, partsOf } from './walk.ts';
import type { Plan } from '../plan.ts';

/** Options of {@link runKernel}. */
export interface RunOptions {
  /** Runs the iterations of `grid`, `local` and `vector` loops in an order drawn from this seed: hidden dependences show. In order by default. */
  readonly seed?: number;
}

/** One thread of a workgroup: the values of its names, and its buffers and storage. */
interface Thread {
  readonly env: Float64Array;
  readonly memory: Data[];
}
type Value = (t: Thread) => number;
type Run = (t: Thread) => void;
/** What runs a kernel on buffers that are in the kernel's order. */
type Compiled = (buffers: readonly Data[], sizes: Sizes) => void;

/** All bits one: NaN for floats, −1 for integers, which is no index. */
function spoil(data: Data): void {
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength).fill(0xff);
}

function randomBelow(seed: number): (n: number) => number {
  let s = seed | 0;
  return (n) => {
    s = (Math.imul(s ^ (s >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((s ^ (s >>> 13)) >>> 0) % n;
  };
}

/** Compiles a kernel to closures; names and storage become slots. */
function compileKernel(kernel: Kernel, options: RunOptions): Compiled {
  verifyKernel(kernel);
  const random = options.seed === undefined ? undefined : randomBelow(options.seed);
  const slots = new Map<string, number>();
  const places = new Map<string, { readonly index: number; readonly dtype: DType }>();
  let slotCount = 0;
  let placeCount = 0;
  const newSlot = (name?: string): number => {
    if (name !== undefined) slots.set(name, slotCount);
    return slotCount++;
  };
  const newPlace = (name: string, dtype: DType): number => {
    places.set(name, { index: placeCount, dtype });
    return placeCount++;
  };
  for (const b of kernel.buffers) newPlace(b.name, b.dtype);
  for (const d of kernel.dims) newSlot(d);

  let current: Stmt | undefined;
  const outside = (name: string, index: number, length: number, s: Stmt | undefined): never => {
    throw new BackendError(
      `kernel '${kernel.name}': index ${index} is outside of buffer '${name}' of ${length} elements${s ? `, in: ${printStmt(s, 0, true).slice(0, 300)}` : ''}`,
    );
  };

  /** Within one statement an expression that stands in several places is computed where it comes first. */
  function compileExprs(roots: readonly LoopExpr[]): Value[] {
    const uses = new Map<LoopExpr, number>();
    const count = (x: LoopExpr): void => {
      const n = uses.get(x) ?? 0;
      uses.set(x, n + 1);
      if (n === 0) partsOf(x).forEach(count);
    };
    roots.forEach(count);
    const kept = new Map<LoopExpr, number>();
    const compile = (x: LoopExpr): Value => {
      const known = kept.get(x);
      if (known !== undefined) return (t) => t.env[known]!;
      const value = make(x);
      if (uses.get(x)! < 2 || x.k === 'const' || x.k === 'var') return value;
      const slot = newSlot();
      kept.set(x, slot);
      return (t) => (t.env[slot] = value(t));
    };
    const make = (x: LoopExpr): Value => {
      switch (x.k) {
        case 'const': {
          const { value } = x;
          return () => value;
        }
        case 'var': {
          const slot = slots.get(x.name)!;
          return (t) => t.env[slot]!;
        }
        case 'load': {
          const { index, dtype } = places.get(x.from)!;
          const { from } = x;
          const at = compile(x.at);
          const s = current;
          const decode = decoder(dtype);
          const coded = dtype === 'f16' || dtype === 'bf16';
          return (t) => {
            const i = at(t);
            const data = t.memory[index]!;
            const stored = data[i];
            if (stored === undefined) return outside(from, i, data.length, s);
            return coded ? decode(stored) : stored;
          };
        }
        case 'op':
          break;
        default:
          return x satisfies never;
      }
      const [a, b, c] = x.args.map(compile) as [Value, Value, Value];
      // The commonest ops, written out; the meaning is that of `scalarFunction`.
      if (x.dtype === 'i32') {
        switch (x.op) {
          case 'add':
            return (t) => (a(t) + b(t)) | 0;
          case 'sub':
            return (t) => (a(t) - b(t)) | 0;
          case 'mul':
            return (t) => Math.imul(a(t), b(t));
          default:
        }
      } else if (x.dtype === 'f32') {
        switch (x.op) {
          case 'add':
            return (t) => Math.fround(a(t) + b(t));
          case 'sub':
            return (t) => Math.fround(a(t) - b(t));
          case 'mul':
            return (t) => Math.fround(a(t) * b(t));
          case 'fma':
            return (t) => Math.fround(a(t) * b(t) + c(t));
          default:
        }
      }
      const f = scalarFunction(x.op, x.args[x.op === 'select' ? 1 : 0]!.dtype, x.dtype);
      switch (x.args.length) {
        case 1:
          return (t) => f(a(t), 0, 0);
        case 2:
          return (t) => f(a(t), b(t), 0);
        default:
          return (t) => f(a(t), b(t), c(t));
      }
    };
    return roots.map(compile);
  }

  /** The order of the iterations of a loop that promises not to care. */
  function order(n: number): number[] {
    const out = Array.from({ length: Math.max(0, n) }, (_, i) => i);
    if (random) {
      for (let i = out.length - 1; i > 0; i--) {
        const j = random(i + 1);
        [out[i], out[j]] = [out[j]!, out[i]!];
      }
    }
    return out;
  }

  const waits = (s: Stmt): boolean => {
    let found = s.k === 'barrier';
    if (s.k === 'for' || s.k === 'if')
      eachStmt(s.body, (inner) => {
        found ||= inner.k === 'barrier';
      });
    return found;
  };

  function compileBlock(block: readonly Stmt[]): Run {
    const runs = block.map(compileStmt);
    const n = runs.length;
    if (n === 1) return runs[0]!;
    return (t) => {
      for (let i = 0; i < n; i++) runs[i]!(t);
    };
  }

  function compileStmt(s: Stmt): Run {
    current = s;
    const [first, second] = compileExprs(exprsOf(s));
    switch (s.k) {
      case 'let': {
        const slot = newSlot(s.name);
        return (t) => {
          t.env[slot] = first!(t);
        };
      }
      case 'alloc': {
        const place = newPlace(s.name, s.dtype);
        return (t) => {
          const data = dataFor(s.dtype, s.length);
          spoil(data);
          t.memory[place] = data;
        };
      }
      case 'store': {
        const { index, dtype } = places.get(s.to)!;
        const encode = encoder(dtype);
        return (t) => {
          const i = first!(t);
          const value = second!(t);
          const data = t.memory[index]!;
          if (!(i >= 0 && i < data.length)) outside(s.to, i, data.length, s);
          data[i] = encode(value);
        };
      }
      case 'if': {
        if (waits(s)) {
          const all = compileAll(s);
          return (t) => {
            all([t]);
          };
        }
        const body = compileBlock(s.body);
        return (t) => {
          if (first!(t) !== 0) body(t);
        };
      }
      case 'for': {
        if (waits(s) && !(s.kind === 'grid')) {
          const all = compileAll(s);
          return (t) => {
            all([t]);
          };
        }
        const slot = newSlot(s.name);
        const body = compileBlock(s.body);
        if (random && (s.kind === 'grid' || s.kind === 'local' || s.kind === 'vector')) {
          return (t) => {
            for (const i of order(first!(t))) {
              t.env[slot] = i;
              body(t);
            }
          };
        }
        return (t) => {
          const n = first!(t);
          for (let i = 0; i < n; i++) {
            t.env[slot] = i;
            body(t);
          }
        };
      }
      case 'barrier':
        return () => {
          /* a single thread waits for nobody */
        };
      default:
        return s satisfies never;
    }
  }

  /**
   * Runs a statement that holds barriers for all threads of a workgroup. Between two barriers each thread runs to the
   * end before the next one starts, so that a missing barrier shows.
   */
  function compileAll(s: Stmt): (threads: readonly Thread[]) => void {
    if (!waits(s)) {
      const run = compileStmt(s);
      return (threads) => {
        for (const i of order(threads.length)) run(threads[i]!);
      };
    }
    current = s;
    const value = compileExprs(exprsOf(s))[0];
    if (s.k === 'barrier')
      return () => {
        /* all threads have arrived */
      };
    const agree = (threads: readonly Thread[]): number => {
      const found = threads.map(value!);
      if (found.some((v) => v !== found[0]))
        throw new BackendError(
          `kernel '${kernel.name}': threads of a workgroup disagree about a statement that holds a barrier (${[...new Set(found)].slice(0, 4).join(', ')}), in: ${printStmt(s, 0, true)}`,
        );
      return found[0] ?? 0;
    };
    if (s.k === 'if') {
      const body = compileAllBlock(s.body);
      return (threads) => {
        if (agree(threads) !== 0) body(threads);
      };
    }
    if (s.k !== 'for') throw new BackendError(`kernel '${kernel.name}': ${s.k} cannot hold a barrier`);
    const slot = newSlot(s.name);
    const body = compileAllBlock(s.body);
    if (s.kind === 'local') {
      return (threads) => {
        body(
          threads.flatMap((t) =>
            Array.from({ length: Math.max(0, value!(t)) }, (_, i) => {
              const env = t.env.slice();
              env[slot] = i;
              return { env, memory: t.memory.slice() };
            }),
          ),
        );
      };
    }
    return (threads) => {
      const n = agree(threads);
      for (let i = 0; i < n; i++) {
        for (const t of threads) t.env[slot] = i;
        body(threads);
      }
    };
  }

  function compileAllBlock(block: readonly Stmt[]): (threads: readonly Thread[]) => void {
    const parts: ((threads: readonly Thread[]) => void)[] = [];
    let free: Run[] = [];
    const close = (): void => {
      const runs = free;
      free = [];
      if (runs.length > 0)
        parts.push((threads) => {
          for (const i of order(threads.length)) for (const run of runs) run(threads[i]!);
        });
    };
    for (const s of block) {
      if (waits(s)) {
        close();
        parts.push(compileAll(s));
      } else free.push(compileStmt(s));
    }
    close();
    return (threads) => {
      for (const part of parts) part(threads);
    };
  }

  const body = compileBlock(kernel.body);
  return (buffers, sizes) => {
    const env = new Float64Array(slotCount);
    for (const d of kernel.dims) {
      const size = sizes[d];
      if (size === undefined)
        throw new BackendError(
          `kernel '${kernel.name}': the size '${d}' has no value; given: ${Object.keys(sizes).join(', ') || '(none)'}`,
        );
      env[slots.get(d)!] = size;
    }
    body({ env, memory: [...buffers] });
  };
}

/**
 * Runs a kernel on buffers by name; those it writes are changed in place.
 *
 * Throws a `BackendError` for a kernel that is not well formed ({@link verifyKernel}), a buffer that is missing or of another dtype, and an index
 * outside of its buffer.
 */
export function runKernel(
  kernel: Kernel,
  buffers: Readonly<Record<string, Data>>,
  sizes: Sizes = {},
  options: RunOptions = {},
): void {
  const data = kernel.buffers.map((b) => {
    const found = buffers[b.name];
    if (!found)
      throw new BackendError(
        `kernel '${kernel.name}': buffer '${b.name}' is missing; given: ${Object.keys(buffers).join(', ') || '(none)'}`,
      );
    if (!holds(found, b.dtype))
      throw new BackendError(
        `kernel '${kernel.name}': buffer '${b.name}' wants ${b.dtype}, got a ${found.constructor.name}`,
      );
    return found;
  });
  compileKernel(kernel, options)(data, sizes);
}

/** Options of {@link planRunner} and {@link runPlan}. */
export interface PlanRunOptions extends RunOptions {
  /** Puts all scratch buffers into one arena, as a backend does, so that wrong lifetimes show. */
  readonly arena?: boolean;
}

/** What a run of a plan starts from: the elements of inputs and state by port name, and the run-time sizes. State that is not given is zero. */
export interface PlanArguments {
  readonly inputs: Readonly<Record<string, Data>>;
  readonly state?: Readonly<Record<string, Data>>;
  readonly sizes: Sizes;
  /** What an earlier run prepared, if the state that it was made from is the same: then the leading steps are left out. */
  readonly prepared?: Prepared;
}

/** The buffers that leading steps wrote and later ones read, by their numbers. */
export type Prepared = ReadonlyMap<number, Data>;

/** What a run of a plan gives: fresh copies of outputs and state, by port name. */
export interface PlanResult {
  readonly outputs: Record<string, Data>;
  readonly state: Record<string, Data>;
  readonly prepared: Prepared;
  readonly times: readonly StepTime[];
}

/** Checks a plan and prepares it to be run many times. The arguments are never changed. */
export function planRunner(plan: Plan, options: PlanRunOptions = {}): (args: PlanArguments) => PlanResult {
  verifyPlan(plan);
  const kernels = plan.kernels.map((k) => compileKernel(k, options));
  const { prepare = 0 } = plan;
  const { buffers: planned } = keepPrepared(plan);
  return ({ inputs, state = {}, sizes, prepared: before }) => {
    const copyOf = (
      kind: string,
      given: Readonly<Record<string, Data>>,
      name: string,
      dtype: DType,
      length: number,
    ): Data => {
      const data = given[name];
      if (!data)
        throw new BackendError(
          `plan '${plan.name}': ${kind} '${name}' is missing; given: ${Object.keys(given).join(', ') || '(none)'}`,
        );
      if (!holds(data, dtype) || data.length !== length) {
        throw new BackendError(
          `plan '${plan.name}': ${kind} '${name}' is ${length} elements of ${dtype}, got ${data.length} in a ${data.constructor.name}`,
        );
      }
      return data.slice();
    };
    const layout = assignOffsets(planned, sizes, (b) => b.role === 'scratch');
    const arena = options.arena ? new Uint8Array(layout.bytes).fill(0xff).buffer : undefined;
    const buffers = planned.map((b, i): Data => {
      const length = evaluateSize(b.length, sizes);
      if (before?.has(i)) return before.get(i)!;
      if (b.role === 'constant') return copyOf('constant', plan.constants, b.name, b.dtype, length);
      const [kind, ports, given] =
        b.role === 'input' ? (['input', plan.inputs, inputs] as const) : (['state', plan.state, state] as const);
      const port =
        b.role === 'input' || b.role === 'state'
          ? Object.entries(ports).find(([, p]) => p.buffer === i)?.[0]
          : undefined;
      if (port !== undefined) {
        return kind === 'state' && !(port in given)
          ? dataFor(b.dtype, length)
          : copyOf(kind, given, port, b.dtype, length);
      }
      if (arena && b.role === 'scratch') return dataView(b.dtype, arena, layout.offsets[i]!, length);
      const data = dataFor(b.dtype, length);
      spoil(data);
      return data;
    });
    const prepared: Prepared = new Map(
      planned.flatMap((b, i) => (b.role === 'prepared' ? [[i, buffers[i]!] as const] : [])),
    );
    const times = plan.steps.flatMap((step, at): StepTime[] => {
      if (before && at < prepare) return [];
      const start = performance.now();
      kernels[step.kernel]!(
        step.buffers.map((b) => buffers[b]!),
        sizes,
      );
      const ms = performance.now() - start;
      planned.forEach((b, i) => {
        if (b.role === 'scratch' && b.live[1] === at) spoil(buffers[i]!);
      });
      return at < prepare ? [] : [{ step: at, kernel: plan.kernels[step.kernel]!.name, ms }];
    });
    const read = (ports: Plan['outputs']): Record<string, Data> =>
      Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, buffers[port.buffer]!.slice()]));
    return { outputs: read(plan.outputs), state: read(plan.state), prepared, times };
  };
}

/**
 * Runs a plan once: inputs and state in, outputs and the updated state out. Dead scratch buffers are overwritten with
 * garbage after their last step.
 *
 * Throws a `BackendError` for arguments that do not fit and for everything that {@link runKernel} finds.
 */
export function runPlan(plan: Plan, args: PlanArguments, options: PlanRunOptions = {}): PlanResult {
  return planRunner(plan, options)(args);
}
