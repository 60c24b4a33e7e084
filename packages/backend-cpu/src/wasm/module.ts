/**
 * A plan as one WebAssembly module: a function for each kernel, and `run`, which walks the step list on every thread
 * with a barrier between the steps. Steps that need to run once only are left out where the header says that they did.
 */
import type { Plan } from '@sinter/compiler';
import { headerLayout } from '../runtime/layout.ts';
import type { HeaderLayout } from '../runtime/layout.ts';
import type { KernelCode } from './emit.ts';
import { emitKernel } from './emit.ts';
import type { FunctionCode, FunctionType } from './encode.ts';
import { encodeModule, f64Bytes, instruction, memarg, signed, unsigned } from './encode.ts';
import { aop, emptyBlock, op } from './opcodes.ts';
import { fmodName } from './scalar.ts';

/** How a module is made. */
export interface EmitOptions {
  /** Uses relaxed SIMD: fused multiply-add where it is fast. The engine must know it. */
  readonly fma: boolean;
}

/** A module, and the bytes of scratch memory that each thread needs (at `env.scratch`, aligned to 64 bytes). */
export interface EmittedModule {
  readonly code: Uint8Array<ArrayBuffer>;
  readonly scratchBytes: number;
}

const globals = { base: 0, scratch: 1 };
const nowFunction = 0;
const firstFunction = 1;
const now: FunctionType = { params: [], results: ['f64'] };

const get = (local: number): number[] => [op.localGet, ...unsigned(local)];
const set = (local: number): number[] => [op.localSet, ...unsigned(local)];
const tee = (local: number): number[] => [op.localTee, ...unsigned(local)];
const i32 = (value: number): number[] => [op.i32Const, ...signed(value)];
const base = [op.globalGet, ...unsigned(globals.base)];
const load = (offset: number): number[] => [...base, ...instruction(op.i32Load, memarg(2, offset))];

/**
 * Emits the module of a plan. It imports `env.memory` (shared), the `i32` globals `env.base` (address of the program's
 * header, see `layout.ts`) and `env.scratch`, and `env.now` (milliseconds, for profiles); it exports `run(thread, threads)`, which
 * every thread calls. No buffer may begin below address 1024. Throws `BackendError` for what cannot be written.
 */
export function emitModule(plan: Plan, options: EmitOptions): EmittedModule {
  const dimNames = Object.keys(plan.dims);
  const layout = headerLayout({ steps: plan.steps.length, dims: dimNames.length, buffers: plan.buffers.length });
  const dims = new Map(dimNames.map((name, i) => [name, { offset: layout.dims + 4 * i, min: plan.dims[name]!.min }]));
  const helpers = [remainder(), barrier(layout), take(layout)];
  const helperNumbers = { [fmodName]: firstFunction, barrier: firstFunction + 1, take: firstFunction + 2 };
  const kernels = plan.kernels.map((kernel) =>
    emitKernel(kernel, { fma: options.fma, globals, dims, helpers: helperNumbers }),
  );
  const firstKernel = firstFunction + helpers.length;
  const run = driver(plan, layout, kernels, firstKernel, helperNumbers.barrier);
  const code = encodeModule({
    imports: [
      { k: 'memory', module: 'env', name: 'memory', min: 1, max: 65536 },
      { k: 'global', module: 'env', name: 'base' },
      { k: 'global', module: 'env', name: 'scratch' },
      { k: 'function', module: 'env', name: 'now', type: now },
    ],
    functions: [...helpers, ...kernels, run],
    exports: { run: firstKernel + kernels.length },
  });
  return { code, scratchBytes: Math.max(0, ...kernels.map((k) => k.scratchBytes)) };
}

/** Calls the kernel of every step in turn; thread 0 alone runs those without a grid loop. */
function driver(
  plan: Plan,
  layout: HeaderLayout,
  kernels: readonly KernelCode[],
  firstKernel: number,
  barrierFunction: number,
): FunctionCode {
  const [thread, threads, timed] = [0, 1, 2];
  const stamp = (i: number): number[] => [
    ...get(timed),
    op.if,
    emptyBlock,
    ...base,
    op.call,
    ...unsigned(nowFunction),
    op.f64Store,
    ...memarg(3, layout.times + 8 * i),
    op.end,
  ];
  const code = [
    ...get(thread),
    op.i32Eqz,
    ...load(layout.profile),
    ...i32(0),
    op.i32Ne,
    op.i32And,
    ...set(timed),
    ...stamp(0),
  ];
  const { prepare = 0 } = plan;
  if (prepare > 0) code.push(...load(layout.prepared), op.i32Eqz, op.if, emptyBlock);
  plan.steps.forEach((step, i) => {
    const { grid } = kernels[step.kernel]!;
    const addresses = step.buffers.flatMap((buffer) => load(layout.addresses + 4 * buffer));
    const call = [...addresses, op.call, ...unsigned(firstKernel + step.kernel)];
    if (grid) code.push(...base, ...i32(layout.counters + 4 * i), op.i32Add, ...get(thread), ...get(threads), ...call);
    else code.push(...get(thread), op.i32Eqz, op.if, emptyBlock, ...call, op.end);
    code.push(...get(threads), op.call, ...unsigned(barrierFunction), ...stamp(i + 1));
    if (i === prepare - 1) code.push(op.end, ...stamp(prepare));
  });
  return { name: 'run', type: { params: ['i32', 'i32'], results: [] }, locals: ['i32'], code };
}

/**
 * Iterations that a thread takes next, from the first up to the end: an eighth of its own share, which is the same in every kernel, so that
 * what it reads is what it has written; then of what others have not taken yet. `counter` is that of the first thread; where nothing is left,
 * the first one is `count`.
 */
function take(layout: HeaderLayout): FunctionCode {
  const [counter, thread, threads, count, whose, first, size, chunk, address, at] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const least = (a: number[], b: number[]): number[] => [...a, ...b, ...a, ...b, op.i32LtS, op.select];
  const rest = [...get(count), ...get(threads), op.i32RemS];
  // prettier-ignore
  const code = [
    ...get(thread), ...set(whose),
    op.loop, emptyBlock,
    // first = whose · (count / threads) + min(whose, rest); size = count / threads + (whose < rest)
    ...get(count), ...get(threads), op.i32DivS, ...tee(size), ...get(whose), op.i32Mul, ...least(get(whose), rest), op.i32Add, ...set(first),
    ...get(size), ...get(whose), ...rest, op.i32LtS, op.i32Add, ...set(size),
    ...get(counter), ...get(whose), ...i32(layout.stride), op.i32Mul, op.i32Add, ...tee(address),
    ...instruction(aop.i32Load, memarg(2, 0)), ...get(size), op.i32LtS, op.if, emptyBlock,
    // chunk = max(1, size / 8)
    ...get(size), ...i32(3), op.i32ShrS, ...tee(chunk), ...i32(1), ...get(chunk), op.select, ...set(chunk),
    ...get(address), ...get(chunk), ...instruction(aop.i32Add, memarg(2, 0)), ...tee(at), ...get(size), op.i32LtS, op.if, emptyBlock,
    ...get(first), ...get(at), op.i32Add,
    ...get(first), ...least([...get(at), ...get(chunk), op.i32Add], get(size)), op.i32Add, op.return,
    op.end, op.end,
    // The next thread's share, until it is one's own again.
    ...get(whose), ...i32(1), op.i32Add, ...get(threads), op.i32RemS, ...tee(whose), ...get(thread), op.i32Ne, op.brIf, 0,
    op.end,
    ...get(count), ...get(count),
  ];
  const i32s = (n: number) => Array.from({ length: n }, () => 'i32' as const);
  return { name: 'take', type: { params: i32s(4), results: i32s(2) }, locals: i32s(6), code };
}

/** How often a waiting thread looks before it sleeps: some tens of microseconds, longer than most steps differ. */
const spins = 4096;

/**
 * Waits until all threads are here. The last one resets the count of arrivals and moves the generation on; the others watch the
 * generation, first awake and then asleep (a central barrier, Mellor-Crummey and Scott 1991, with the generation as its sense).
 */
function barrier(layout: HeaderLayout): FunctionCode {
  const [threads, generation, left] = [0, 1, 2];
  const seen = [...base, ...instruction(aop.i32Load, memarg(2, layout.generation)), ...get(generation)];
  // prettier-ignore
  const code = [
    ...base, ...instruction(aop.i32Load, memarg(2, layout.generation)), ...set(generation),
    ...base, ...i32(1), ...instruction(aop.i32Add, memarg(2, layout.arrived)),
    ...get(threads), ...i32(1), op.i32Sub, op.i32Eq, op.if, emptyBlock,
    ...base, ...i32(0), ...instruction(aop.i32Store, memarg(2, layout.arrived)),
    ...base, ...get(generation), ...i32(1), op.i32Add, ...instruction(aop.i32Store, memarg(2, layout.generation)),
    ...base, ...i32(-1), ...instruction(aop.notify, memarg(2, layout.generation)), op.drop,
    op.return, op.end,
    ...i32(spins), ...set(left),
    op.loop, emptyBlock,
    ...seen, op.i32Ne, op.if, emptyBlock, op.return, op.end,
    ...get(left), ...i32(1), op.i32Sub, ...tee(left), op.brIf, 0,
    op.end,
    op.loop, emptyBlock,
    ...base, ...get(generation), op.i64Const, 0x7f, ...instruction(aop.wait32, memarg(2, layout.generation)), op.drop,
    ...seen, op.i32Eq, op.brIf, 0,
    op.end,
  ];
  return { name: 'barrier', type: { params: ['i32'], results: [] }, locals: ['i32', 'i32'], code };
}

/**
 * The remainder of a float division (C's `fmodf`), exactly. The quotient is cut to 26 bits, so that its product with the
 * divisor is exact in `f64`, until what is left is below the divisor.
 */
function remainder(): FunctionCode {
  const [a, d, x, y] = [0, 1, 2, 3];
  const f64 = (value: number): number[] => [op.f64Const, ...f64Bytes(value)];
  // 2²⁷ − 1 low bits of the mantissa are cleared
  const keep = [0x80, 0x80, 0x80, 0x40];
  // prettier-ignore
  const code = [
    ...get(a), op.f64PromoteF32, op.f64Abs, ...set(x),
    ...get(d), op.f64PromoteF32, op.f64Abs, ...set(y),
    // NaN for an infinite dividend, a zero divisor, or NaN
    ...get(x), ...f64(Infinity), op.f64Lt, ...get(y), ...f64(0), op.f64Gt, op.i32And, op.i32Eqz,
    op.if, emptyBlock, op.f32Const, 0, 0, 0xc0, 0x7f, op.return, op.end,
    ...get(y), ...f64(Infinity), op.f64Ge, op.if, emptyBlock, ...get(a), op.return, op.end,
    op.loop, emptyBlock,
    ...get(x), ...get(y), op.f64Ge, op.if, emptyBlock,
    ...get(x), ...get(x), ...get(y), op.f64Div, op.f64Trunc,
    op.i64ReinterpretF64, op.i64Const, ...keep, op.i64And, op.f64ReinterpretI64,
    ...get(y), op.f64Mul, op.f64Sub, ...tee(x),
    // a quotient that was rounded up takes one divisor too many
    ...f64(0), op.f64Lt, op.if, emptyBlock, ...get(x), ...get(y), op.f64Add, ...set(x), op.end,
    op.br, 1, op.end,
    op.end,
    ...get(x), ...get(a), op.f64PromoteF32, op.f64Copysign, op.f32DemoteF64,
  ];
  return { name: fmodName, type: { params: ['f32', 'f32'], results: ['f32'] }, locals: ['f64', 'f64'], code };
}
