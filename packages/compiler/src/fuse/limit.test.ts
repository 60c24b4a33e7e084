import * as ir from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { expect, test } from 'vitest';
import { interpreter } from '../loop/backend.ts';
import { compile } from '../compile.ts';
import { makePlan } from '../make-plan.ts';

const count = 40;
const names = Array.from({ length: count }, (_, i) => `w${i}`);
/** A momentum step for many parameters of one shape, all scaled by one number: they could be one kernel, were it not for the buffers. */
const scale = ir.sum(ir.input('x', [9]));
const updates = Object.fromEntries(
  names.flatMap((name, i) => {
    const [w, m] = [ir.state(name, [16]), ir.state(`m.${name}`, [16])];
    const momentum = ir.add(ir.mul(m, 0.9), ir.mul(ir.mul(w, scale) as Tensor, i + 1));
    return [
      [name, ir.sub(w, ir.mul(momentum, 0.1))],
      [`m.${name}`, momentum],
    ];
  }),
);
const g = ir.graph('many', { outputs: { scale }, updates });

test.each([4, 8, 12, 256])(
  'with %i buffers a kernel updates as many parameters as fit, each whole and in place',
  (most) => {
    const { plan } = makePlan(g, { ...interpreter().target, maxBindings: most });
    const each = Math.floor((most - 1) / 2); // w and m of each, and the scale that they share
    expect(Math.max(...plan.kernels.map((k) => k.buffers.length))).toBeLessThanOrEqual(most);
    expect(plan.steps).toHaveLength(1 + Math.ceil(count / each));
    expect(plan.buffers.filter((b) => b.role === 'scratch')).toHaveLength(0);
  },
);

test('state that a later kernel reads is copied, and counted so', async () => {
  const [w, s] = [ir.state('w', [16]), ir.state('s', [16])];
  const next = ir.add(w, ir.input('x', [16]));
  const late = ir.matmul(ir.reshape(next, [4, 4]), ir.reshape(w, [4, 4]));
  const hazard = ir.graph('hazard', { outputs: { late }, updates: { w: next, s: ir.add(s, next) } });
  for (const most of [4, 8]) {
    await using program = await compile(hazard, interpreter({ maxBindings: most }));
    const ones = new Float32Array(16).fill(1);
    await program.state.write('w', ones);
    const { late: got } = await program.run({ x: { data: ones, shape: [16] } });
    expect([...new Set(got!.data)]).toEqual([8]);
    expect([...new Set(await program.state.read('w'))]).toEqual([2]);
    expect([...new Set(await program.state.read('s'))]).toEqual([2]);
  }
});
