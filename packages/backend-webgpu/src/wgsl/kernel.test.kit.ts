/** Runs single kernels on the device and in the interpreter, for tests. */
import type { Kernel, Plan, Stmt } from '@sinter/compiler';
import type { Data, DType } from '@sinter/ir';
import { constantExpr } from '@sinter/ir';
import { buildArtifact } from '../build.ts';
import { describeGpu } from '../describe.ts';
import { webgpuRuntime } from '../runtime/index.ts';

const runtime = webgpuRuntime();

/** A buffer by name: its dtype and data. */
export type Buffers = Readonly<Record<string, { readonly dtype: DType; readonly data: Data }>>;

/** A kernel that may read and write all of its buffers. */
export function kernelOver(
  buffers: Readonly<Record<string, DType>>,
  body: readonly Stmt[],
  threads = 1,
  dims: readonly string[] = [],
): Kernel {
  return {
    name: 'kernel',
    dims,
    workgroup: [threads, 1, 1],
    body,
    cost: { flops: constantExpr(0), bytes: constantExpr(0) },
    buffers: Object.entries(buffers).map(([name, dtype]) => ({ name, dtype, access: 'update' as const })),
  };
}

/** A plan with one step, whose buffers are state. */
export function planOf(kernel: Kernel, buffers: Buffers, sizes: Readonly<Record<string, number>> = {}): Plan {
  return {
    name: 'test',
    dims: Object.fromEntries(Object.entries(sizes).map(([d, size]) => [d, { min: size, max: size }])),
    inputs: {},
    outputs: {},
    state: Object.fromEntries(
      kernel.buffers.map((b, buffer) => [b.name, { shape: [buffers[b.name]!.data.length], dtype: b.dtype, buffer }]),
    ),
    constants: {},
    kernels: [kernel],
    buffers: kernel.buffers.map((b) => ({
      name: b.name,
      dtype: b.dtype,
      length: constantExpr(buffers[b.name]!.data.length),
      role: 'state' as const,
      live: [0, 0] as const,
    })),
    steps: [{ kernel: 0, buffers: kernel.buffers.map((_, i) => i) }],
  };
}

/** What is in the buffers after the kernel has run on the device. */
export async function runOnDevice(
  kernel: Kernel,
  buffers: Buffers,
  sizes: Readonly<Record<string, number>> = {},
): Promise<Record<string, Data>> {
  await using program = await runtime.load(buildArtifact(planOf(kernel, buffers, sizes), describeGpu()));
  for (const { name } of kernel.buffers) await program.state.write(name, buffers[name]!.data);
  await program.run();
  const out: Record<string, Data> = {};
  for (const { name } of kernel.buffers) out[name] = await program.state.read(name);
  return out;
}
