import type { Dim, Tensor } from '@sinter/ir';
import { evaluate, exp, gradients, graph, input, log, max, mul, softmax, sub, sum } from '@sinter/ir';
import { expect, test } from 'vitest';
import { compile } from '../../compile.ts';
import { interpreter } from '../../loop/backend.ts';
import { eachExprOf } from '../../loop/walk.ts';
import { makePlan } from '../../make-plan.ts';

const backend = interpreter();

/** How often a plan's kernels spell `exp`. */
function exps(result: Tensor): number {
  let count = 0;
  for (const { body } of makePlan(graph('g', { outputs: { y: result } }), backend.target).plan.kernels)
    eachExprOf(body, (x) => (count += Number(x.k === 'op' && x.op === 'exp')));
  return count;
}
const rows = (width: Dim): Tensor => input('x', [6, width]) as Tensor;

test('a row of known length is exponentiated once', () => {
  expect(exps(softmax(rows(64)))).toBe(1);
  // The length is not known, or too long to stay near.
  expect(exps(softmax(rows('n')))).toBeGreaterThan(1);
  expect(exps(softmax(rows(8192)))).toBeGreaterThan(1);
});

test.each([3, 8, 37, 64])(
  'softmax, log-softmax and gradients over %i columns are what the evaluator says',
  async (width) => {
    const x = rows(width);
    const y = softmax(x);
    const shifted = sub(x, max(x, { axes: [-1], keepdims: true }));
    const logits = sub(shifted, log(sum(exp(shifted), { axes: [-1], keepdims: true })));
    const [dx] = gradients(sum(mul(mul(y, y), logits)) as Tensor, [x]);
    const g = graph('g', { outputs: { y, logits, dx: dx! } });
    const data = Float32Array.from({ length: 6 * width }, (_, i) => Math.sin(i * 1.7) * 3);
    const inputs = { x: { shape: [6, width], data } };
    const wanted = evaluate(g, inputs).outputs;
    await using program = await compile(g, backend);
    const got = await program.run(inputs);
    for (const name of Object.keys(got)) {
      const [a, b] = [got[name]!.data, wanted[name]!.data];
      a.forEach((v, i) => expect(Math.abs(v - b[i]!)).toBeLessThan(2e-5));
    }
  },
);
