/** Artifacts whose WGSL is written by hand, so that the runtime can be tested without compiler and printer. */
import type { DType, Expr, Shape } from '@sinter/ir';
import { constantExpr, dataFrom, e, elements, variable } from '@sinter/ir';
import type { Artifact, BufferRole, DimRange, PlanBuffer, Port } from '@sinter/compiler/artifact';
import { packCode } from '../src/runtime/code.ts';

/** A buffer; those that are no constant or scratch are ports of the same name. */
export interface HandBuffer {
  readonly role: BufferRole;
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly values?: readonly number[];
}

/** A step: `grid` workgroups of one thread; `i` is the workgroup, buffers and sizes go by their names. */
export interface HandStep {
  readonly kernel: string;
  readonly grid: Expr;
  readonly body: string;
}

/** A program by hand. The names of `buffers` are numbered in order. */
export interface ByHand {
  readonly name: string;
  readonly dims?: Record<string, DimRange>;
  readonly buffers: Readonly<Record<string, HandBuffer>>;
  readonly steps: readonly HandStep[];
}

const types: Partial<Record<DType, string>> = { f32: 'f32', i32: 'i32', u32: 'u32', u8: 'u32', f16: 'u32' };

/** The artifact of a program by hand. */
export function byHand({ name, dims = {}, buffers, steps }: ByHand): Artifact {
  const named = Object.entries(buffers);
  const ports = (wanted: BufferRole): Record<string, Port> =>
    Object.fromEntries(
      named.flatMap(([key, { role, shape, dtype = 'f32' }], buffer) =>
        role === wanted ? [[key, { shape, dtype, buffer }]] : [],
      ),
    );
  const text = ({ kernel, body }: HandStep): string => `
struct Sizes { inf: u32, nan: u32, ${Object.keys(dims).map((d) => `${d}: i32,`)} }
@group(0) @binding(0) var<uniform> sizes: Sizes;
${named
  .map(
    ([key, { dtype = 'f32' }], i) =>
      `@group(0) @binding(${i + 1}) var<storage, read_write> ${key}: array<${types[dtype]}>;`,
  )
  .join('\n')}
@compute @workgroup_size(1) fn ${kernel}(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.y * groups.x + id.x;
  ${body}
}`;
  return {
    format: 1,
    backend: 'webgpu',
    name,
    dims,
    inputs: ports('input'),
    outputs: ports('output'),
    state: ports('state'),
    buffers: named.map(([key, { role, shape, dtype = 'f32' }]): PlanBuffer => ({
      name: key,
      role,
      dtype,
      length: elements(shape),
      live: [0, steps.length - 1],
    })),
    steps: steps.map((_, kernel) => ({ kernel, buffers: named.map((_, i) => i) })),
    kernels: steps.map(({ kernel }) => kernel),
    code: packCode(
      steps.map((step) => ({
        name: step.kernel,
        entry: step.kernel,
        text: text(step),
        workgroup: [1, 1, 1],
        grid: step.grid,
        bindings: named.length,
      })),
    ),
    constants: Object.fromEntries(
      named.flatMap(([key, { values, dtype = 'f32' }]) => (values ? [[key, dataFrom(dtype, values)]] : [])),
    ),
  };
}

const int = (value: number): Expr => constantExpr(value);
const n = variable('n');

/** State `x: f32[64]`; every run adds 1 to each element. */
export const increment = byHand({
  name: 'increment',
  buffers: { x: { role: 'state', shape: [64] } },
  steps: [{ kernel: 'add_one', grid: int(64), body: 'x[i] += 1.0;' }],
});

/** `b[n] = a[n] · k + x[0]`, in two steps through scratch; `k` is a constant, 2. */
export const affine = byHand({
  name: 'affine',
  dims: { n: { min: 0, max: 1 << 28 } },
  buffers: {
    a: { role: 'input', shape: ['n'] },
    k: { role: 'constant', shape: [1], values: [2] },
    x: { role: 'state', shape: [64] },
    t: { role: 'scratch', shape: ['n'] },
    b: { role: 'output', shape: ['n'] },
  },
  steps: [
    { kernel: 'scale', grid: n, body: 'if (i < u32(sizes.n)) { t[i] = a[i] * k[0]; }' },
    { kernel: 'shift', grid: n, body: 'if (i < u32(sizes.n)) { b[i] = t[i] + x[0]; }' },
  ],
});

/** `p[n] = a[n]`, and three tensors of scratch as large as `a` that live at the same time. */
export const wide = byHand({
  name: 'wide',
  dims: { n: { min: 1, max: 1 << 20 } },
  buffers: {
    a: { role: 'input', shape: ['n'] },
    p: { role: 'scratch', shape: ['n'] },
    q: { role: 'scratch', shape: ['n'] },
    r: { role: 'scratch', shape: ['n'] },
    b: { role: 'output', shape: ['n'] },
  },
  steps: [
    { kernel: 'out', grid: n, body: 'p[i] = a[i]; q[i] = a[i] + 1.0; r[i] = a[i] + 2.0;' },
    { kernel: 'back', grid: n, body: 'b[i] = p[i] + q[i] + r[i];' },
  ],
});

/** A program that does nothing, in one step. */
export const empty = byHand({ name: 'empty', buffers: {}, steps: [{ kernel: 'nothing', grid: int(0), body: '' }] });

/** Its kernel is no WGSL. */
export const broken = byHand({
  name: 'broken',
  buffers: { x: { role: 'state', shape: [64] } },
  steps: [
    { kernel: 'fine', grid: int(1), body: 'x[0] = 7.0;' },
    { kernel: 'wrong', grid: int(1), body: 'x[0] = y;' },
  ],
});

/** More workgroups than any device takes. */
export const endless = byHand({
  name: 'endless',
  dims: { n: { min: 1, max: 1 << 20 } },
  buffers: { a: { role: 'input', shape: ['n'] } },
  steps: [{ kernel: 'never', grid: e.mul(n, int(1 << 30)), body: 'a[i] = 1.0;' }],
});

/** State of packed elements. */
export const packed = byHand({
  name: 'packed',
  buffers: { bytes: { role: 'state', shape: [11], dtype: 'u8' }, halves: { role: 'state', shape: [7], dtype: 'f16' } },
  steps: [],
});
