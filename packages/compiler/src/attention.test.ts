/** Attention whose scores are never stored: the same results and gradients, in memory that grows linearly with the sequence. */
import type { Data, Graph, Shape, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { explain } from './explain.ts';
import { transientsRead } from './fuse/walk.ts';
import { interpreter } from './loop/backend.ts';
import { printKernel } from './loop/print.ts';
import type { PlanOptions } from './make-plan.ts';
import { makePlan } from './make-plan.ts';
import { numbers } from './models.test.kit.ts';
import type { Target } from './target.ts';

type Mask = 'padding' | 'causal' | 'both';

/** Attention of two heads, or more, and, for training, its gradients: of a loss that weighs every element of the context. */
function attention(
  mask: Mask,
  options: { dropout?: number; training?: boolean; size?: number; heads?: number } = {},
): Graph {
  const { dropout = 0, training = true, size = 4, heads = 2 } = options;
  const input = (name: string, seq: string): Tensor => ir.input(name, ['batch', seq, heads, size]);
  const [q, k, v] = [input('q', 'seq'), input('k', 'keys'), input('v', 'keys')];
  const biases: Tensor[] = [];
  if (mask === 'padding' || mask === 'both') biases.push(ir.input('mask', ['batch', 1, 1, 'keys']));
  if (mask === 'causal' || mask === 'both') {
    const past = ir.lessEqual(ir.iota(['seq', 'keys'], 1) as Tensor, ir.iota(['seq', 'keys'], 0) as Tensor);
    biases.push(ir.where(past as Tensor<Shape, 'bool'>, ir.full([], 0), ir.full([], -Infinity)) as Tensor);
  }
  const bias = biases.length > 0 ? biases.reduce((a, b) => ir.add(a, b) as Tensor) : undefined;
  const { context } = ir.attention(q, k, v, {
    ...(bias && { bias }),
    dropout: (p) => ir.dropout(p, dropout, ir.input('key', [2], 'u32'), 3),
  });
  if (!training) return ir.graph('attention', { outputs: { context } });
  const loss = ir.sum(ir.mul(context, ir.input('weight', ['batch', 'seq', heads, size])));
  const [dq, dk, dv] = ir.gradients(loss as Tensor, [q, k, v]) as [Tensor, Tensor, Tensor];
  return ir.graph('attention', { outputs: { context, dq, dk, dv } });
}

function inputsOf(g: Graph, sizes: Record<string, number>): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(g.inputs).map(([name, t], i) => {
      const shape = ir.shapeSize(t.shape, sizes);
      const count = shape.reduce((a, b) => a * b, 1);
      let data: Data = t.dtype === 'u32' ? Uint32Array.of(7, 9) : numbers(count, i + 1);
      // Whole blocks of padding, in front too.
      if (name === 'mask') data = data.map((_, j) => (j % 5 === 4 || j === 0 ? -1e9 : 0));
      return [name, { data, shape }];
    }),
  );
}

const { target } = interpreter();
/** A GPU that binds as much as is wanted, one that binds what every GPU does, and an emulated one. */
const gpu: Target = { ...target, kind: 'gpu', maxWorkgroup: 256, sharedBytes: 16384 };
const blockwise = { attention: 'blockwise' } as const;
describe('results and gradients', () => {
  const sizes = [
    { batch: 2, seq: 5, keys: 5 },
    { batch: 1, seq: 25, keys: 99 },
    { batch: 2, seq: 1, keys: 1 },
  ];
  test.each([
    ['padding', 'padding', 0],
    ['causal', 'causal', 0],
    ['padding, causal and dropout', 'both', 0.25],
  ] as const)('%s', async (_, mask, dropout) => {
    const g = attention(mask, { dropout });
    for (const fixed of [false, true])
      for (const at of fixed ? sizes.slice(0, 1) : sizes) {
        const inputs = inputsOf(g, at);
        const wanted = ir.evaluate(g, inputs).outputs;
        const options = { ...blockwise, ...(fixed && { dims: at }) };
        expect(makePlan(g, target, options).fused.transient.size).toBe(2);
        const program = await compile(g, interpreter(target, { seed: 5, arena: true }), options);
        const found = await program.run(inputs);
        for (const [name, { data }] of Object.entries(wanted)) {
          const apart = Math.max(...[...data].map((x, i) => Math.abs(x - found[name]!.data[i]!)));
          expect(apart, `${name} ${JSON.stringify(at)}`).toBeLessThan(1e-5);
        }
        program.close();
      }
  });
});

/** What programs compute, against the evaluator. */
async function expectSame(g: Graph, inputs: Record<string, TensorData>, options: PlanOptions): Promise<void> {
  const wanted = ir.evaluate(g, inputs).outputs;
  const program = await compile(g, interpreter(target, { seed: 5, arena: true }), options);
  const found = await program.run(inputs);
  for (const [name, { data }] of Object.entries(wanted)) {
    const apart = Math.max(...[...data].map((x, i) => Math.abs(x - found[name]!.data[i]!)));
    expect(apart, name).toBeLessThan(1e-5);
  }
  program.close();
}

/** The kernels that walk scores, by how many products with them each stores. */
function walksOf(g: Graph, options: PlanOptions = blockwise): number[] {
  const { fused, steps } = makePlan(g, target, options);
  const walks = new Set(steps.map((s) => s.group).filter((group) => transientsRead(group.members, fused).length > 0));
  return [...walks].map((group) => group.members.filter((t) => t.op.kind === 'contract').length);
}

describe('walks', () => {
  test('one forward, with softmax and values; one backward, with all gradients', () => {
    expect(walksOf(attention('both', { training: false, dropout: 0.1 }))).toEqual([1]);
    expect(walksOf(attention('both', { heads: 4, dropout: 0.1 }))).toEqual([1, 3]);
    expect(walksOf(attention('padding', { heads: 4 }))).toEqual([1, 3]);
  });
  test('few matrices: the gradients of queries apart, so that threads share a matrix', () => {
    expect(walksOf(attention('both', { heads: 2 })).sort()).toEqual([1, 1, 2]);
  });
  test('row sums of the gradient are those of context and its gradient: no sum over scores is left', () => {
    const { fused } = makePlan(attention('both', { heads: 4, dropout: 0.1 }), target, blockwise);
    const sums = [...fused.stored.keys()].filter((t) => t.op.name === 'reduceSum' && t.shape.length === 3);
    expect(sums.map((t) => String(t.inputs[0]!.shape))).toEqual(['batch,4,seq,keys', 'batch,seq,4,4']);
  });
  test('four matrices and more: results and gradients of all sides in one kernel', async () => {
    const g = attention('both', { heads: 4, dropout: 0.25 });
    await expectSame(g, inputsOf(g, { batch: 1, seq: 53, keys: 99 }), blockwise);
  });
  test('the largest score grows from block to block', async () => {
    const g = attention('padding', { training: false });
    const inputs = inputsOf(g, { batch: 1, seq: 3, keys: 300 });
    const k = inputs['k']!;
    inputs['k'] = { ...k, data: (k.data as Float32Array).map((x, i) => (x * (1 + i)) / 100) };
    await expectSame(g, inputs, blockwise);
  });
  test('blocks that a causal mask hides are passed over', async () => {
    const conditions = (mask: Mask): number => {
      const { kernels } = makePlan(attention(mask, { training: false }), target, blockwise).plan;
      const walk = kernels.find((kernel) => kernel.name.startsWith('blockwise'))!;
      return printKernel(walk).match(/\bif\b/g)!.length;
    };
    // Sums are scaled under one condition.
    expect([conditions('padding'), conditions('causal'), conditions('both')]).toEqual([1, 2, 2]);
    const g = attention('causal');
    await expectSame(g, inputsOf(g, { batch: 1, seq: 110, keys: 110 }), blockwise);
  });
});

test.each([
  ['many bindings', gpu, true],
  ['an emulated one', { ...gpu, software: true }, true],
  ['few bindings: gradients bind more, so scores are stored', { ...gpu, maxBindings: 8 }, false],
] as const)('a GPU: %s', async (_, on, transient) => {
  const g = attention('both', { dropout: 0.25 });
  const inputs = inputsOf(g, { batch: 2, seq: 5, keys: 7 });
  const wanted = ir.evaluate(g, inputs).outputs;
  const planned = makePlan(g, on, blockwise);
  expect(planned.fused.transient.size).toBe(transient ? 2 : 0);
  if (!transient)
    expect(explain(planned, { batch: 1, seq: 9, keys: 9 }).toString()).toContain('would bind more than 8 buffers');
  const forward = makePlan(attention('both', { training: false }), on, blockwise);
  expect(forward.fused.transient.size).toBe(1);
  const program = await compile(g, interpreter(on, { seed: 5, arena: true }), blockwise);
  const found = await program.run(inputs);
  for (const [name, { data }] of Object.entries(wanted)) {
    const apart = Math.max(...[...data].map((x, i) => Math.abs(x - found[name]!.data[i]!)));
    expect(apart, name).toBeLessThan(1e-5);
  }
  program.close();
});

test('memory grows linearly with the sequence', () => {
  const g = attention('both', { dropout: 0.1, size: 16 });
  const bytes = (attention: 'stored' | 'blockwise', seq: number): number =>
    explain(makePlan(g, target, { attention }), { batch: 1, seq, keys: seq }).arenaBytes;
  const sizes = [1024, 2048, 4096, 8192, 16384];
  const found = sizes.map((seq) => bytes('blockwise', seq));
  for (const [i, seq] of sizes.entries()) expect(found[i]! / seq).toBeLessThan((1.05 * found[0]!) / 1024);
  expect(bytes('stored', 16384)).toBeGreaterThan(100 * found[4]!);
});

test('explain tells what is never stored, and what is stored because it is small', () => {
  const g = attention('causal');
  const at = { batch: 1, seq: 1024, keys: 1024 };
  const auto = explain(makePlan(g, target, { dims: at }));
  expect(auto.toString()).toContain('scores: contract f32[batch, 2, seq, keys] never stored (computed again');
  for (const small of [{ seq: 255, keys: 255, batch: 64 }, { seq: 512 }]) {
    const plan = makePlan(g, target, { dims: { ...at, ...small } });
    expect(plan.fused.transient.size).toBe(0);
    expect(explain(plan).toString()).toContain('stored (quicker where they are small or few)');
  }
});

test.each([
  ['probabilities that are an output', (p: Tensor) => p],
  ['a sum over queries', (p: Tensor) => ir.sum(p, { axes: 2 }) as Tensor],
  ['a view', (p: Tensor) => ir.transpose(p, [0, 1, 3, 2]) as Tensor],
])('scores are stored for %s', (_, extra) => {
  const input = (name: string): Tensor => ir.input(name, ['batch', 'seq', 2, 4]);
  const { context, probs } = ir.attention(input('q'), input('k'), input('v'));
  const plan = makePlan(ir.graph('g', { outputs: { context, extra: extra(probs) } }), target, blockwise);
  expect(plan.fused.transient.size).toBe(0);
});

test('layers are no scores: their matrices have no batch', () => {
  const x = ir.input('x', ['batch', 4]);
  const y = ir.softmax(ir.linear(x, ir.state('w', [8, 4])));
  const z = ir.linear(y, ir.state('u', [4, 8]));
  expect(makePlan(ir.graph('g', { outputs: { z } }), target, blockwise).fused.transient.size).toBe(0);
});
