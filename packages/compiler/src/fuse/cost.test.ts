import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { expect, test } from 'vitest';
import { interpreter } from '../loop/backend.ts';
import { makePlan } from '../make-plan.ts';
import { elementCost } from './cost.ts';

const x = ir.input('x', [8, 6]);
const cost = elementCost((t) => t === x);

test('what parts share is computed once', () => {
  const shared = ir.exp(x) as Tensor;
  expect(cost(shared)).toBe(5);
  expect(cost(ir.mul(shared, shared))).toBe(6);
  expect(cost(ir.add(ir.mul(shared, x), shared) as Tensor)).toBe(7);
});

test('what is read through a view is another element: repeated, its cost doubles', () => {
  let t: Tensor = ir.exp(x);
  const costs = [cost(t)];
  for (let i = 0; i < 3; i++) costs.push(cost((t = ir.add(t, ir.flip(t, [1])) as Tensor)));
  expect(costs).toEqual([5, 11, 23, 47]);
});

test.each([
  ['none', []],
  ['tanh', ['add']],
] as const)(
  'of gelu (approximate: %s) a training step keeps its argument, and by tanh 1 + tanh',
  (approximate, more) => {
    const [w0, w1, w2] = [ir.state('w0', [6, 6]), ir.state('w1', [6, 24]), ir.state('w2', [24, 6])];
    const inner = ir.gelu(ir.matmul(ir.matmul(x, w0), w1), { approximate }) as Tensor;
    const y = ir.matmul(inner, w2) as Tensor;
    const weights: Readonly<Record<string, Tensor>> = { w0, w1, w2 };
    const gradients = ir.gradients(ir.sum(ir.mul(y, y)) as Tensor, Object.values(weights));
    const updates = Object.entries(weights).map(([name, w], i) => [name, ir.sub(w, gradients[i]!)] as const);
    const g = ir.graph('g', { updates: Object.fromEntries(updates) });
    const { fused } = makePlan(g, interpreter().target);
    const kept = [...fused.stored.keys()].filter((t) => t.shape.join() === '8,24' && t.op.kind === 'map');
    // The results of gelu and of its gradient are operands; the argument is a product itself.
    const others = kept.filter((t) => fused.stored.get(t) !== 'operand of a contraction');
    expect(others.map((t) => t.op.name)).toEqual(more);
  },
);
