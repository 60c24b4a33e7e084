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
