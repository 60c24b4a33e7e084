/** Regions: what a backend may claim, and that the plan means the same whether it does or not. */
import type { Graph, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { expect, test } from 'vitest';
import { compile } from './compile.ts';
import { interpreter } from './loop/backend.ts';
import { verifyPlan } from './loop/verify.ts';
import { makePlan } from './make-plan.ts';
import { numbers } from './models.test.kit.ts';
import type { Region } from './region.ts';
import { simplifyGraph } from './pipeline.ts';
import type { Target } from './target.ts';

/** A layer of BERT: projections with bias, heads, attention, a feed-forward block, residuals and norms. */
function layer(): Graph {
  const x = ir.input('x', ['batch', 'seq', 16]);
  const linear = (t: Tensor, name: string, to: number): Tensor =>
    ir.linear(t, ir.state(`${name}.weight`, [to, t.shape.at(-1) as number]), ir.state(`${name}.bias`, [to]));
  const heads = (t: Tensor): Tensor => ir.reshape(t, ['batch', 'seq', 2, 8]);
  const [q, k, v] = ['query', 'key', 'value'].map((name) => heads(linear(x, name, 16))) as [Tensor, Tensor, Tensor];
  const context = ir.reshape(ir.attention(q, k, v).context, ['batch', 'seq', 16]);
  const norm = (t: Tensor, name: string): Tensor =>
    ir.layerNorm(t, ir.state(`${name}.gamma`, [16]), ir.state(`${name}.beta`, [16]));
  const attended = norm(ir.add(linear(context, 'output', 16), x) as Tensor, 'norm1');
  const y = norm(ir.add(linear(ir.gelu(linear(attended, 'up', 32)), 'down', 16), attended) as Tensor, 'norm2');
  return ir.graph('layer', { outputs: { y } });
}

/** The layer with the gradients of its weights as updates. */
function training(): Graph {
  const g = layer();
  const states = Object.values(g.state);
  const found = ir.gradients(ir.mean(ir.square(g.outputs['y']!)) as Tensor, states);
  return ir.graph('training', {
    outputs: g.outputs,
    updates: Object.fromEntries(
      Object.keys(g.state).map((name, i) => [name, ir.sub(states[i]!, ir.mul(found[i]!, 0.1))]),
    ),
  });
}

const { target } = interpreter();
const gpu: Target = { ...target, kind: 'gpu', maxBindings: 8, sharedBytes: 16384, maxWorkgroup: 256 };
const all = (): boolean => true;

test('operands of contractions are never transposed', () => {
  const specs = ir.topological(ir.graphRoots(simplifyGraph(training()))).flatMap((t) => {
    if (t.op.kind !== 'contract') return [];
    expect(t.inputs.map((x) => x.op.name)).not.toContain('transpose');
    return [(t.attrs as { spec: string }).spec];
  });
  expect(specs.length).toBeGreaterThan(20);
});

test.each(['cpu', 'gpu'] as const)(
  'on a %s every contraction is a kernel by itself, of what lies in buffers',
  (kind) => {
    const asked: Region[] = [];
    const { plan } = makePlan(training(), kind === 'cpu' ? target : gpu, {
      claims: (region) => asked.push(region) > 0,
    });
    verifyPlan(plan);
    const steps = plan.steps.filter(({ kernel }) => plan.kernels[kernel]!.region);
    expect(asked).toHaveLength(steps.length);
    for (const { kernel, buffers } of steps) {
      const { region, ...made } = plan.kernels[kernel]!;
      expect(made.buffers.map((b) => b.access)).toEqual(['read', 'read', 'write']);
      const labels = ir.parseSpec(region!.spec);
      ir.labelSizes(region!.spec, labels, region!.a, region!.b);
      // Elements of the buffers are those of the tensors: nothing is padded or packed.
      const sizes = { batch: 3, seq: 5 };
      [region!.a, region!.b, region!.out].forEach((t, i) => {
        const { length } = plan.buffers[buffers[i]!]!;
        const value = ir.simplifier({ range: (name) => ({ min: sizes[name as 'seq'], max: sizes[name as 'seq'] }) });
        const substituted = value(ir.substitute(length, (v) => ir.constantExpr(sizes[(v as { name: 'seq' }).name])));
        expect(substituted).toMatchObject({
          k: 'const',
          value: ir.shapeSize(t.shape, sizes).reduce((a, b) => a * b, 1),
        });
      });
    }
    // What others inline into a contraction, or store for it, runs in kernels without contractions.
    expect(plan.kernels.filter((k) => !k.region && k.name.includes('contract'))).toEqual([]);
  },
);

test('what is refused is fused as ever', () => {
  const plain = makePlan(training(), target).plan;
  const refused = makePlan(training(), target, { claims: () => false }).plan;
  expect(refused).toEqual(plain);
  expect(plain.kernels.every((k) => !('region' in k))).toBe(true);
});

test.each([
  ['a layer of BERT', layer()],
  ['its training', training()],
])('%s gives the same, claimed or not', async (_, g) => {
  const sizes = { batch: 2, seq: 3 };
  const inputs = { x: { data: numbers(96), shape: [2, 3, 16] } };
  const state = Object.fromEntries(
    Object.entries(g.state).map(([name, t], i) => {
      const shape = ir.shapeSize(t.shape, sizes);
      return [
        name,
        {
          data: numbers(
            shape.reduce((a, b) => a * b, 1),
            i + 2,
          ),
          shape,
        },
      ];
    }),
  );
  const wanted = ir.evaluate(g, inputs, state);
  for (const kind of ['cpu', 'gpu'] as const) {
    const backend = { ...interpreter(kind === 'cpu' ? {} : gpu, { arena: true, seed: 5 }), claims: all };
    const program = await compile(g, backend);
    for (const [name, { data }] of Object.entries(state)) await program.state.write(name, data);
    const { y } = await program.run(inputs);
    const largest = Math.max(...[...y!.data].map((v, i) => Math.abs(v - wanted.outputs['y']!.data[i]!)));
    expect(largest).toBeLessThan(1e-5);
    for (const [name, { data }] of Object.entries(wanted.updates)) {
      const found = await program.state.read(name);
      expect(Math.max(...[...found].map((v, i) => Math.abs(v - data[i]!)))).toBeLessThan(1e-5);
    }
    program.close();
  }
});

test('one tensor as both operands, one that is updated by its own product, a gathered one', async () => {
  const [m, ids] = [ir.state('m', [4, 4]), ir.constant(Int32Array.of(2, 0), [2], 'i32')];
  const g = ir.graph('odd', {
    outputs: {
      gram: ir.matmul(m, ir.transpose(m, [1, 0])),
      rows: ir.matmul(ir.gather(m, ids), ir.flip(m, [0])),
      chain: ir.matmul(ir.matmul(m, m), m),
    },
    updates: { m: ir.matmul(m, m) },
  });
  const state = { m: { data: numbers(16), shape: [4, 4] } };
  const wanted = ir.evaluate(g, {}, state);
  const program = await compile(g, { ...interpreter({}, { arena: true }), claims: all });
  await program.state.write('m', state.m.data);
  const found = await program.run();
  for (const [name, { data }] of Object.entries(wanted.outputs))
    found[name]!.data.forEach((v, i) => {
      expect(v).toBeCloseTo(data[i]!, 5);
    });
  (await program.state.read('m')).forEach((v, i) => {
    expect(v).toBeCloseTo(wanted.updates['m']!.data[i]!, 5);
  });
  program.close();
});
