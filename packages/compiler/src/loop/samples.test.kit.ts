/** Kernels that the tests of the loop language share. */
import { constantExpr, e, variable } from '@sinter/ir';
import type { Kernel, LoadExpr, LoopExpr, Stmt } from './language.ts';
import { load, loop, store } from './language.ts';
import type { Plan } from '../plan.ts';

/** Scalar ops on expressions that may hold loads. */
export const op = {
  add: e.add<LoadExpr>,
  sub: e.sub<LoadExpr>,
  mul: e.mul<LoadExpr>,
  div: e.div<LoadExpr>,
  max: e.max<LoadExpr>,
  min: e.min<LoadExpr>,
  mod: e.mod<LoadExpr>,
  exp: e.exp<LoadExpr>,
  fma: e.fma<LoadExpr>,
  shr: e.shr<LoadExpr>,
  lt: e.lt<LoadExpr>,
  eq: e.eq<LoadExpr>,
  cast: e.cast<LoadExpr>,
  select: e.select<LoadExpr>,
};
/** An integer constant. */
export const i = (value: number): LoopExpr => constantExpr(value);
/** A float constant. */
export const f = (value: number): LoopExpr => constantExpr(value, 'f32');
/** A named value of a `let`. */
export const v = (name: string, dtype: 'f32' | 'i32' = 'f32'): LoopExpr => variable(name, dtype);

/** A kernel with what the tests do not care about filled in. */
export function kernelOf(
  name: string,
  buffers: Kernel['buffers'],
  dims: readonly string[],
  body: readonly Stmt[],
): Kernel {
  return { name, buffers, dims, workgroup: [1, 1, 1], body, cost: { flops: constantExpr(0), bytes: constantExpr(0) } };
}

/** Softmax over the rows of `x[rows, 8]`. */
export function softmax(): Kernel {
  const n = i(8);
  return kernelOf(
    'softmax',
    [
      { name: 'x', dtype: 'f32', access: 'read' },
      { name: 'y', dtype: 'f32', access: 'write' },
    ],
    ['rows'],
    [
      loop('grid', 'row', variable('rows'), (row) => {
        const at = (c: LoopExpr): LoopExpr => op.add(op.mul(row, n), c);
        const x = (c: LoopExpr): LoopExpr => load('x', at(c), 'f32');
        return [
          { k: 'alloc', name: 'acc', dtype: 'f32', length: 2, memory: 'register' },
          store('acc', i(0), f(-Infinity)),
          store('acc', i(1), f(0)),
          loop('serial', 'a', n, (c) => [store('acc', i(0), op.max(load('acc', i(0), 'f32'), x(c)))]),
          { k: 'let', name: 'top', value: load('acc', i(0), 'f32') },
          loop('serial', 'b', n, (c) => [
            store('acc', i(1), op.add(load('acc', i(1), 'f32'), op.exp(op.sub(x(c), v('top'))))),
          ]),
          loop('vector', 'c', n, (c) => [
            store('y', at(c), op.div(op.exp(op.sub(x(c), v('top'))), load('acc', i(1), 'f32'))),
          ]),
        ];
      }),
    ],
  );
}

/** `c[m, 8] = a[m, k] · b[k, 8]` with a tile of 1 × 8 in registers. */
export function matmul(): Kernel {
  const [m, k] = [variable('m'), variable('k')];
  return kernelOf(
    'matmul',
    [
      { name: 'a', dtype: 'f32', access: 'read' },
      { name: 'b', dtype: 'f32', access: 'read' },
      { name: 'c', dtype: 'f32', access: 'write' },
    ],
    ['m', 'k'],
    [
      loop('grid', 'row', m, (row) => [
        { k: 'alloc', name: 'acc', dtype: 'f32', length: 8, memory: 'register' },
        loop('unroll', 'z', i(2), (z) => [
          loop('vector', 'l', i(4), (l) => [store('acc', op.add(op.mul(z, i(4)), l), f(0))]),
        ]),
        loop('serial', 'p', k, (p) => [
          loop('unroll', 'u', i(2), (u) => [
            loop('vector', 'l', i(4), (l) => {
              const lane = op.add(op.mul(u, i(4)), l);
              return [
                store(
                  'acc',
                  lane,
                  op.fma(
                    load('a', op.add(op.mul(row, k), p), 'f32'),
                    load('b', op.add(op.mul(p, i(8)), lane), 'f32'),
                    load('acc', lane, 'f32'),
                  ),
                ),
              ];
            }),
          ]),
        ]),
        loop('unroll', 'w', i(2), (w) => [
          loop('vector', 'l', i(4), (l) => {
            const lane = op.add(op.mul(w, i(4)), l);
            return [store('c', op.add(op.mul(row, i(8)), lane), load('acc', lane, 'f32'))];
          }),
        ]),
      ]),
    ],
  );
}

/** Two steps: `h = softmax(x)`, `y = h · w`, and the state `count` goes up by one. */
export function samplePlan(): Plan {
  const rows = variable('m');
  const counter = kernelOf(
    'count',
    [{ name: 'n', dtype: 'f32', access: 'update' }],
    [],
    [store('n', i(0), op.add(load('n', i(0), 'f32'), f(1)))],
  );
  const first = {
    ...softmax(),
    dims: ['m'],
    body: softmax().body.map((s) => (s.k === 'for' ? { ...s, count: rows } : s)),
  };
  return {
    name: 'sample',
    dims: { m: { min: 1, max: 16 }, k: { min: 8, max: 8 } },
    inputs: { x: { shape: ['m', 8], dtype: 'f32', buffer: 0 } },
    state: { w: { shape: [8, 8], dtype: 'f32', buffer: 1 }, count: { shape: [1], dtype: 'f32', buffer: 2 } },
    outputs: { y: { shape: ['m', 8], dtype: 'f32', buffer: 4 } },
    buffers: [
      { name: 'x', dtype: 'f32', length: e.mul(rows, constantExpr(8)), role: 'input', live: [0, 0] },
      { name: 'w', dtype: 'f32', length: constantExpr(64), role: 'state', live: [0, 2] },
      { name: 'count', dtype: 'f32', length: constantExpr(1), role: 'state', live: [0, 2] },
      { name: 'h', dtype: 'f32', length: e.mul(rows, constantExpr(8)), role: 'scratch', live: [0, 1] },
      { name: 'y', dtype: 'f32', length: e.mul(rows, constantExpr(8)), role: 'output', live: [1, 2] },
    ],
    kernels: [first, matmul(), counter],
    steps: [
      { kernel: 0, buffers: [0, 3] },
      { kernel: 1, buffers: [3, 1, 4] },
      { kernel: 2, buffers: [2] },
    ],
    constants: {},
  };
}
