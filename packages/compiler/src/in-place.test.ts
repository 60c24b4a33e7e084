/** Results that lie where an operand lay: when they do, when they must not, and that the numbers stay. */
import type { Graph, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { expect, test } from 'vitest';
import { compile } from './compile.ts';
import { interpreter } from './loop/backend.ts';
import { makePlan } from './make-plan.ts';
import { numbers } from './models.test.kit.ts';
import type { Plan } from './plan.ts';

const backend = interpreter({}, { seed: 3, arena: true });
const a = ir.input('a', ['n', 20]);
const b = ir.input('b', [20, 24]);
const scores = ir.matmul(a, b) as Tensor;
const twice = ir.matmul(ir.softmax(scores), ir.transpose(b, [1, 0])) as Tensor;

/** The steps that read and write one scratch buffer, as names of kernels. */
function inPlace({ steps, kernels, buffers }: Plan): string[] {
  return steps.flatMap(({ kernel, buffers: bound }) => {
    const { name, buffers: own } = kernels[kernel]!;
    return own.some(({ access }, i) => access === 'update' && buffers[bound[i]!]!.role === 'scratch') ? [name] : [];
  });
}

async function agrees(g: Graph): Promise<void> {
  const inputs = {
    a: { data: numbers(7 * 20, 5), shape: [7, 20] },
    b: { data: numbers(20 * 24, 6), shape: [20, 24] },
  };
  await using program = await compile(g, backend);
  const wanted = ir.evaluate(g, inputs).outputs;
  for (let run = 0; run < 2; run++) {
    const got = await program.run(inputs);
    for (const [name, { data }] of Object.entries(wanted))
      data.forEach((x, i) => expect(got[name]!.data[i]).toBeCloseTo(x, 5));
  }
}

test('rows of scores become their softmax where they lie', async () => {
  const g = ir.graph('g', { outputs: { twice } });
  expect(inPlace(makePlan(g, backend.target).plan)).toEqual([expect.stringMatching(/^row_.*exp/)]);
  await agrees(g);
});

test('not where something reads the operand later', async () => {
  const g = ir.graph('g', { outputs: { twice, later: ir.matmul(ir.transpose(twice, [1, 0]), scores) as Tensor } });
  expect(inPlace(makePlan(g, backend.target).plan)).toEqual([]);
  await agrees(g);
});

test('nor where the operand is a result of the program, or handed in', async () => {
  const kept = ir.graph('g', { outputs: { scores, twice } });
  expect(inPlace(makePlan(kept, backend.target).plan)).toEqual([]);
  await agrees(kept);
  const given = ir.graph('g', { outputs: { y: ir.matmul(ir.softmax(a), b) as Tensor } });
  expect(inPlace(makePlan(given, backend.target).plan)).toEqual([]);
  await agrees(given);
});

test('nor where a row is read across: the mean of each row, beside every element', async () => {
  // A row's sum and its elements are both stored; the sum must not be written over what the elements still read.
  const centred = ir.sub(scores, ir.mean(scores, { axes: -1, keepdims: true })) as Tensor;
  const g = ir.graph('g', {
    outputs: { y: ir.matmul(ir.add(centred, ir.flip(scores, [1])) as Tensor, ir.transpose(b, [1, 0])) as Tensor },
  });
  expect(inPlace(makePlan(g, backend.target).plan)).toEqual([]);
  await agrees(g);
});

test('what is prepared once is not written over by a run', async () => {
  const w = ir.state('w', [24, 24]);
  const fixed = ir.matmul(w, w) as Tensor;
  const g = ir.graph('g', {
    outputs: { y: ir.add(ir.matmul(ir.tanh(ir.softmax(fixed)), ir.input('x', [24, 'n'])), 1) as Tensor },
  });
  const { plan } = makePlan(g, { ...backend.target, prepares: true });
  const { prepare = 0 } = plan;
  expect(prepare).toBeGreaterThan(0);
  plan.steps.slice(prepare).forEach(({ kernel, buffers }) =>
    plan.kernels[kernel]!.buffers.forEach(({ access }, i) => {
      const { role, live } = plan.buffers[buffers[i]!]!;
      if (access !== 'read' && role === 'scratch') expect(live[0]).toBeGreaterThanOrEqual(prepare);
    }),
  );
});
