import type { Graph, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { expect, test } from 'vitest';
import { passes, simplifyGraph } from '../pipeline.ts';

const ops = (g: Graph): string[] => ir.topological(ir.graphRoots(simplifyGraph(g))).map((t) => t.op.name);
const x = ir.input('x', ['batch', 4]) as Tensor;
const one = (y: Tensor): Graph => ir.graph('g', { outputs: { y } });

test('identities go', () => {
  expect(ops(one(ir.mul(ir.add(ir.stopGradient(x), 0), 1)))).toEqual(['input']);
  expect(ops(one(ir.neg(ir.neg(x))))).toEqual(['input']);
});
test('an identity that broadcasts stays', () => {
  expect(ops(one(ir.add(ir.input('s', [1]) as Tensor, ir.full([2, 3], 0))))).toContain('add');
});
test('maps over constants are constants', () => {
  expect(ops(one(ir.add(x, ir.exp(ir.mul(ir.full([], 2), ir.full([], 3))))))).toEqual(['input', 'full', 'add']);
});
test('views of like views join', () => {
  expect(ops(one(ir.transpose(ir.transpose(x, [1, 0]), [1, 0])))).toEqual(['input']);
  expect(ops(one(ir.exp(ir.reshape(ir.reshape(x, ['batch', 2, 2]), ['batch', 4]))))).toEqual(['input', 'exp']);
});
test('an explicit broadcast of an operand goes where the shape stays', () => {
  const row = ir.input('row', [4]) as Tensor;
  expect(ops(one(ir.add(x, ir.broadcastTo(row, ['batch', 4]) as Tensor)))).not.toContain('broadcastTo');
  expect(ops(one(ir.exp(ir.broadcastTo(row, ['batch', 4]) as Tensor)))).toContain('broadcastTo');
});
test('equal nodes become one', () => {
  expect(ops(one(ir.add(ir.exp(x), ir.exp(x)))).filter((o) => o === 'exp')).toHaveLength(1);
});
test('a reduction over the innermost axis and others is two', () => {
  expect(ops(one(ir.sum(x))).filter((o) => o === 'reduceSum')).toHaveLength(2);
  expect(ops(one(ir.sum(x, { axes: 0 }))).filter((o) => o === 'reduceSum')).toHaveLength(1);
});
test('a product with a vector is a sum of products, unless it reads a matrix that lies in memory on a CPU', () => {
  const y = ir.matmul(ir.exp(x), ir.input('v', [4]) as Tensor) as Tensor;
  expect(ops(one(y))).not.toContain('contract');
  const stored = one(ir.matmul(x, ir.input('v', [4]) as Tensor) as Tensor);
  expect(ops(stored)).toContain('contract');
  expect(ir.topological(ir.graphRoots(simplifyGraph(stored, undefined, 'gpu'))).map((t) => t.op.name)).not.toContain(
    'contract',
  );
  expect(ops(one(ir.matmul(x, ir.input('w', [4, 2]) as Tensor) as Tensor))).toContain('contract');
});
test('a sum over the columns of a product is one over its inner axis, where the other product is there', async () => {
  const input = (name: string, rows: string): Tensor => ir.input(name, ['batch', rows, 3]) as Tensor;
  const [a, b] = [input('a', 'm'), input('b', 'n')];
  const weight = ir.input('weight', ['batch', 'm', 'n']) as Tensor;
  const rows = ir.input('rows', ['batch', 'm', 1]) as Tensor;
  const whole = ir.div(ir.full([], 1) as Tensor, rows) as Tensor;
  const keep = ir.less(weight, 0.5) as Tensor<ir.Shape, 'bool'>;
  const dropped = (x: Tensor): Tensor => ir.where(keep, x, ir.full([], 0)) as Tensor;
  const out = ir.contract('bmn,bnd->bmd', dropped(ir.mul(ir.mul(weight, whole), 2) as Tensor), b);
  const product = dropped(ir.contract('bmd,bnd->bmn', a, b));
  const y = ir.div(ir.sum(ir.mul(ir.mul(product, 2), weight), { axes: 2, keepdims: true }), rows) as Tensor;
  const g = ir.graph('g', { outputs: { out, y } });
  const simple = simplifyGraph(g);
  expect(ir.topological(ir.graphRoots(simple)).filter((t) => t.op.kind === 'contract')).toHaveLength(1);
  const noise = (n: number, seed: number): Float32Array =>
    Float32Array.from({ length: n }, (_, i) => Math.sin(i * seed));
  const inputs = {
    a: { data: noise(12, 1), shape: [1, 4, 3] },
    b: { data: noise(15, 2), shape: [1, 5, 3] },
    weight: { data: noise(20, 3), shape: [1, 4, 5] },
    rows: { data: Float32Array.of(1, 2, 3, 4), shape: [1, 4, 1] },
  };
  const [wanted, found] = [g, simple].map((graph) => ir.evaluate(graph, inputs).outputs['y']!.data);
  wanted!.forEach((x, i) => {
    expect(found![i]).toBeCloseTo(x, 5);
  });
  // Another weight is another product.
  const other = ir.sum(ir.mul(product, ir.exp(weight)), { axes: 2 }) as Tensor;
  const apart = simplifyGraph(ir.graph('g', { outputs: { out, other } }));
  expect(ir.topological(ir.graphRoots(apart)).filter((t) => t.op.kind === 'contract')).toHaveLength(2);
});
test('every pass leaves a graph that is well formed', () => {
  const gamma = ir.state('gamma', [4]);
  const y = ir.softmax(ir.layerNorm(ir.gelu(x), gamma, ir.state('beta', [4])));
  const loss = ir.mean(ir.square(y)) as ir.Tensor<readonly [], 'f32'>;
  const [g] = ir.gradients(loss, [gamma]);
  let seen = 0;
  simplifyGraph(ir.graph('g', { outputs: { loss }, updates: { gamma: ir.sub(gamma, g) } }), (_, after) => {
    ir.verifyGraph(after);
    seen++;
  });
  expect(seen).toBe(passes.length + 1);
});
