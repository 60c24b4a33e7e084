/** Kernels as WebAssembly functions. */
import type { Kernel } from '@sinter/compiler';
import { BackendError } from '@sinter/compiler';
import { assemble } from './assemble.ts';
import type { FunctionCode, FunctionType } from './encode.ts';
import { unsigned } from './encode.ts';
import type { Names } from './expressions.ts';
import { expressions } from './expressions.ts';
import { nodeBuilder } from './nodes.ts';
import { movePointers } from './pointers.ts';
import { op as o } from './opcodes.ts';
import { UnspelledError } from './scalar.ts';
import type { VectorContext } from './simd.ts';
import { statements } from './statements.ts';

/** What kernels find outside of themselves. */
export interface Surroundings {
  /** Whether relaxed SIMD may be used. */ readonly fma: boolean;
  /** Numbers of the immutable globals: the program's header, and the thread's scratch memory. */
  readonly globals: { readonly base: number; readonly scratch: number };
  /** Where the header keeps each run-time size, and its least value. */
  readonly dims: ReadonlyMap<string, { readonly offset: number; readonly min: number }>;
  /** The numbers of helper functions. */ readonly helpers: Readonly<Record<string, number>>;
}

/**
 * A kernel's function. Its parameters are the addresses of its buffers; with a `grid` loop before them the address of the
 * counter of the first thread's iterations, which thread this is, and the number of threads.
 */
export interface KernelCode extends FunctionCode {
  readonly grid: boolean;
  readonly scratchBytes: number;
}

/** The function of a kernel. Throws `BackendError` for ops that this backend does not have. */
export function emitKernel(kernel: Kernel, outside: Surroundings): KernelCode {
  const fail = (problem: string): never => {
    throw new BackendError(`kernel '${kernel.name}': ${problem}`);
  };
  const grid = kernel.body.some((s) => s.k === 'for' && s.kind === 'grid');
  const params = [...(grid ? ['counter', 'thread', 'threads'] : []), ...kernel.buffers.map((buffer) => buffer.name)];
  const type: FunctionType = { params: params.map(() => 'i32' as const), results: [] };
  const b = nodeBuilder(type.params);
  const names: Names = {
    b,
    values: new Map(),
    places: new Map(),
    natural: new WeakSet(),
    splats: new Map(),
    forms: new Map(),
    vectorLoop: undefined,
    fail,
  };
  kernel.buffers.forEach(({ name, dtype }, i) => {
    names.places.set(name, {
      k: 'memory',
      id: name,
      dtype,
      base: b.get(params.length - kernel.buffers.length + i),
      offset: 0,
      version: 0,
    });
  });
  const header = b.pure(o.globalGet, 'i32', [], unsigned(outside.globals.base));
  for (const dim of kernel.dims) {
    const at = outside.dims.get(dim) ?? fail(`the plan has no run-time size '${dim}'`);
    const size = b.load(o.i32Load, 'i32', [header], 2, at.offset, 'header');
    b.evaluate(size);
    if (at.min >= 0) names.natural.add(size);
    names.values.set(dim, size);
  }
  const vectors: VectorContext = { b, relaxed: outside.fma, helper: (name) => unsigned(outside.helpers[name]!) };
  const emitter = statements(names, expressions(names, vectors), outside.globals.scratch);
  try {
    emitter.block(
      kernel.body,
      grid ? { take: outside.helpers['take']!, args: [b.get(0), b.get(1), b.get(2)] } : undefined,
    );
  } catch (error) {
    if (error instanceof UnspelledError) fail(error.message);
    throw error;
  }
  movePointers(b.root, b.locals);
  const { code, locals } = assemble(b.root, b.locals);
  return {
    name: kernel.name,
    type,
    locals: locals.slice(params.length),
    code,
    grid,
    scratchBytes: emitter.scratchBytes(),
  };
}
