/** Runs single kernels through the code generator, for tests. */
import type { Kernel, Plan, Stmt } from '@sinter/compiler';
import type { Data, DType } from '@sinter/ir';
import { constantExpr, dataFor, dataView, dtypeBytes } from '@sinter/ir';
import { relaxedSimd } from '../runtime/host.ts';
import { headerLayout } from '../runtime/layout.ts';
import { emitModule } from './module.ts';

relaxedSimd();

/** A buffer by name: its dtype and data. */
export type Buffers = Readonly<Record<string, { readonly dtype: DType; readonly data: Data }>>;

/** A kernel that may read and write all of its buffers. */
export function kernelOver(
  buffers: Readonly<Record<string, DType>>,
  dims: readonly string[],
  body: readonly Stmt[],
): Kernel {
  return {
    name: 'kernel',
    dims,
    workgroup: [1, 1, 1],
    body,
    cost: { flops: constantExpr(0), bytes: constantExpr(0) },
    buffers: Object.entries(buffers).map(([name, dtype]) => ({ name, dtype, access: 'update' as const })),
  };
}

/** A plan that runs kernels one after the other on the same buffers. */
export function planOf(kernels: readonly Kernel[], lengths: readonly number[], dims: readonly string[]): Plan {
  const [first] = kernels as [Kernel];
  return {
    name: 'test',
    dims: Object.fromEntries(dims.map((d) => [d, { min: 0, max: 1 << 20 }])),
    inputs: {},
    outputs: {},
    state: {},
    constants: {},
    kernels,
    buffers: first.buffers.map((b, i) => ({
      name: b.name,
      dtype: b.dtype,
      length: constantExpr(lengths[i]!),
      role: 'input' as const,
      live: [0, 0] as const,
    })),
    steps: kernels.map((_, kernel) => ({ kernel, buffers: first.buffers.map((__, i) => i) })),
  };
}

const guard = 64;

/** A plan in memory, ready to be called. */
export interface Instance {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly base: number;
  /** Where each thread's scratch memory begins. */ readonly scratch: readonly number[];
  /** Copies of the buffers. */ read(): Record<string, Data>;
  /** Throws if a byte outside of the buffers has changed. */ checkGuards(): void;
  run(): void;
}

/** Puts a plan and its buffers (at addresses beyond `from`) into memory; bytes around the buffers are guarded. */
export function place(
  kernels: readonly Kernel[],
  buffers: Buffers,
  sizes: Readonly<Record<string, number>> = {},
  fma = false,
  threads = 1,
  from = 0,
): Instance {
  const [first] = kernels as [Kernel];
  const names = first.buffers.map((b) => b.name);
  const dims = Object.keys(sizes);
  const plan = planOf(
    kernels,
    names.map((n) => buffers[n]!.data.length),
    dims,
  );
  const { code, scratchBytes } = emitModule(plan, { fma });
  const layout = headerLayout({ steps: plan.steps.length, dims: dims.length, buffers: plan.buffers.length });
  const base = 1024;
  let top = base + layout.counters + threads * layout.stride;
  const scratch = Array.from({ length: threads }, () => (top += scratchBytes) - scratchBytes);
  top = Math.max(top, from);
  const at = names.map((n) => {
    const { data } = buffers[n]!;
    const start = Math.ceil((top + guard) / 64) * 64;
    top = start + data.byteLength + guard;
    return start;
  });
  const memory = new WebAssembly.Memory({ initial: Math.ceil(top / 65536), maximum: 65536, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  names.forEach((n, i) => {
    const { data } = buffers[n]!;
    bytes.fill(0xa5, at[i]! - guard, at[i]! + data.byteLength + guard);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at[i]!);
  });
  const words = new Int32Array(memory.buffer);
  at.forEach((address, i) => {
    words[(base + layout.addresses) / 4 + i] = address;
  });
  dims.forEach((d, i) => {
    words[(base + layout.dims) / 4 + i] = sizes[d]!;
  });
  const module = new WebAssembly.Module(code);
  const global = (value: number): WebAssembly.Global => new WebAssembly.Global({ value: 'i32' }, value);
  const { exports } = new WebAssembly.Instance(module, {
    env: { memory, base: global(base), scratch: global(scratch[0]!), now: () => performance.now() },
  });
  return {
    module,
    memory,
    base,
    scratch,
    run: () => {
      words.fill(0, (base + layout.counters) / 4, (base + layout.counters + layout.stride) / 4);
      (exports['run'] as (thread: number, threads: number) => void)(0, 1);
    },
    read: () =>
      Object.fromEntries(
        names.map((n, i) => {
          const { dtype, data } = buffers[n]!;
          const copy = dataFor(dtype, data.length);
          copy.set(dataView(dtype, memory.buffer, at[i]!, data.length));
          return [n, copy];
        }),
      ),
    checkGuards: () => {
      names.forEach((n, i) => {
        const end = at[i]! + buffers[n]!.data.length * dtypeBytes[buffers[n]!.dtype];
        for (let k = 0; k < guard; k++) {
          if (bytes[at[i]! - 1 - k] !== 0xa5 || bytes[end + k] !== 0xa5)
            throw new Error(`memory around '${n}' was overwritten`);
        }
      });
    },
  };
}

/** Runs a kernel once and gives all of its buffers. */
export function runOnWasm(
  kernel: Kernel,
  buffers: Buffers,
  sizes: Readonly<Record<string, number>> = {},
  fma = false,
): Record<string, Data> {
  const instance = place([kernel], buffers, sizes, fma);
  instance.run();
  instance.checkGuards();
  return instance.read();
}
