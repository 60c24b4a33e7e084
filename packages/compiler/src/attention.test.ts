/** Attention whose scores are never stored: the same results and gradients, in memory that grows linearly with the sequence. */
import type { Data, Graph, Shape, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { explain } from './explain.ts';
import { interpreter } from './loop/backend.ts';
import { makePlan } from './make-plan.ts';
import { numbers } from './models.test.kit.ts';
import type { Target } from './target.ts';

type Mask = 'padding' | 'causal' | 'both';

/** Attention of two heads and, for training, its gradients: of a loss that weighs every element of the context. */
function attention(mask: Mask, options: { dropout?: number; training?: boolean; size?: number } = {}): Graph {
  const { dropout = 0, training = true, size = 4 } = options;
  const input = (name: string, seq: string): Tensor => ir.input(name, ['batch', seq, 2, size]);
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
  const loss = ir.sum(ir.mul(context, ir.input('weight', ['batch', 'seq', 2, size])));
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
  const at = { batch: 1, seq: 2048, keys: 2048 };
  const auto = explain(makePlan(g, target, { dims: at }));
  expect(auto.toString()).toContain('scores: contract f32[batch, 2, seq, keys] never stored (computed again');
  const short = makePlan(g, target, { dims: { ...at, seq: 256 } });
  expect(short.fused.transient.size).toBe(0);
  expect(explain(short).toString()).toContain('stored (quicker where there are fewer than 1024 × 1024)');
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
