import type { Graph, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { compile } from './compile.ts';
import { explain } from './explain.ts';
import { interpreter } from './loop/backend.ts';
import { printKernel } from './loop/print.ts';
import { verifyPlan } from './loop/verify.ts';
import { makePlan } from './make-plan.ts';
import { adam, feedForward, layerNormGradients, maskedSoftmax, numbers, trainingStep } from './models.test.kit.ts';
import type { Tile } from './schedule/tiles.ts';
import type { Target } from './target.ts';

const { target } = interpreter();
/** What every WebGPU device has. */
const gpu: Target = { ...target, kind: 'gpu', maxBindings: 8, maxWorkgroup: 256, sharedBytes: 16384 };

describe('kernels of a few models, as text', () => {
  test.each([feedForward, maskedSoftmax, layerNormGradients, adam])('%o', async (make) => {
    const { plan } = makePlan(make(), target);
    await expect(plan.kernels.map(printKernel).join('\n')).toMatchFileSnapshot(
      `../test/kernels/${plan.name.replaceAll(' ', '-')}.txt`,
    );
  });
});

describe('kernels for a GPU, as text', () => {
  test.each([feedForward, maskedSoftmax, layerNormGradients, adam])('%o', async (make) => {
    const { plan } = makePlan(make(), gpu);
    await expect(plan.kernels.map(printKernel).join('\n')).toMatchFileSnapshot(
      `../test/kernels/gpu/${plan.name.replaceAll(' ', '-')}.txt`,
    );
  });
});

describe('a training step on every kind of target', () => {
  const g = trainingStep();
  const inputs = {
    ids: { data: Int32Array.of(1, 2, 3, 4, 5, 5, 4, 3, 3, 10), shape: [2, 5] },
    mask: { data: Float32Array.of(0, 0, 0, 0, -1e9, 0, 0, 0, 0, 0), shape: [2, 1, 1, 5] },
    labels: { data: Int32Array.of(0, 1, 2, -100, 0, 1, 2, 0, 1, 2), shape: [2, 5] },
    key: { data: Uint32Array.of(7, 9), shape: [2] },
  };
  const state = Object.fromEntries(
    Object.entries(g.state).map(([name, t], i) => {
      const shape = t.shape as number[];
      const data = numbers(
        shape.reduce((a, b) => a * b, 1),
        i + 1,
      );
      return [name, { data: name.endsWith(' v') ? data.map((x) => x * x + 0.1) : data, shape }];
    }),
  );
  const wanted = ir.evaluate(g, inputs, state);
  test.each([
    ['a CPU', target],
    ['a GPU', gpu],
    ['a GPU with the fewest bindings', { ...gpu, maxBindings: 4 }],
    ['an emulated GPU', { ...gpu, software: true }],
    ['a GPU, always cut', { ...gpu, tile: { mb: 2, nb: 2, mr: 1, nr: 1, kb: 2, groups: 1000 } }],
  ])('%s', async (_, { tile, ...on }: Target & { tile?: Partial<Tile> }) => {
    const options = tile ? { tile } : {};
    const { plan } = makePlan(g, on, options);
    expect(Math.max(...plan.kernels.map((k) => k.buffers.length))).toBeLessThanOrEqual(on.maxBindings);
    const program = await compile(g, interpreter(on, { seed: 5, arena: true }), options);
    for (const [name, { data }] of Object.entries(state)) await program.state.write(name, data);
    const { loss } = await program.run(inputs);
    expect(loss!.data[0]).toBeCloseTo(wanted.outputs['loss']!.data[0]!, 5);
    for (const [name, t] of Object.entries(wanted.updates)) {
      const found = await program.state.read(name);
      const apart = Math.max(...found.map((x, i) => Math.abs(x - t.data[i]!)));
      expect(apart, name).toBeLessThan(1e-5);
    }
    program.close();
  });
  test('fewer bindings, more kernels', () => {
    const steps = (maxBindings: number): number => makePlan(g, { ...gpu, maxBindings }).plan.steps.length;
    expect(steps(4)).toBeGreaterThan(steps(8));
    expect(steps(8)).toBeGreaterThanOrEqual(steps(64));
  });
});

test('a tile that no workgroup can compute is an error', () => {
  expect(() => makePlan(feedForward(), gpu, { tile: { mr: 3 } })).toThrow(/64 × 64 in register tiles of 3 × 4/);
  expect(() => makePlan(feedForward(), gpu, { tile: { mr: 1 } })).toThrow(/1024 threads/);
  expect(() => makePlan(feedForward(), gpu, { tile: { kb: 64 } })).toThrow(/33280 bytes of shared memory/);
});

test('what one kernel cannot bind is an error', () => {
  const parts = Array.from({ length: 3 }, (_, i) => ir.input(`x${i}`, [4]));
  const g = ir.graph('wide', {
    outputs: { y: ir.where(ir.greater(parts[0]!, 0) as never, parts[1]!, parts[2]!) as ir.Tensor },
  });
  expect(makePlan(g, { ...target, maxBindings: 4 }).plan.steps).toHaveLength(1);
  expect(() => makePlan(g, { ...target, maxBindings: 2 })).toThrow(/the target binds 2/);
});

describe('what is fused', () => {
  const kinds = (g: Graph): string[] =>
    makePlan(g, target).fused.groups.map((x) => `${x.kind} → ${x.outputs.map((t) => t.op.name).join(', ')}`);

  test('bias and gelu are the epilogue of a linear layer', () => {
    expect(kinds(feedForward())).toEqual(['contract → mul']);
  });
  test('softmax with its mask is one kernel', () => {
    expect(kinds(maskedSoftmax())).toEqual(['row → mul']);
  });
  test('layer norm: its forward and its gradient in rows, the gradients of its parameters in columns', () => {
    const groups = kinds(layerNormGradients());
    expect(groups.filter((g) => g.startsWith('column'))).toHaveLength(1);
    expect(groups.length).toBeLessThanOrEqual(3);
  });
  test('an optimizer step updates three states in one kernel, in place', () => {
    const { plan } = makePlan(adam(), target);
    expect(plan.kernels).toHaveLength(1);
    expect(plan.kernels[0]!.buffers.map((b) => b.access).sort()).toEqual(['read', 'update', 'update', 'update']);
    expect(plan.buffers.every((b) => b.role !== 'scratch')).toBe(true);
  });
});

describe('state', () => {
  async function run(
    g: Graph,
    state: Record<string, TensorData>,
    inputs: Record<string, TensorData> = {},
  ): Promise<Record<string, number[]>> {
    const program = await compile(g, interpreter());
    for (const [name, { data }] of Object.entries(state)) if (name in g.state) await program.state.write(name, data);
    const outputs = await program.run(inputs);
    const expected = ir.evaluate(
      g,
      inputs,
      Object.fromEntries(Object.entries(state).filter(([name]) => name in g.state)),
    );
    const got: Record<string, number[]> = {};
    for (const name of Object.keys(g.updates)) {
      got[name] = [...(await program.state.read(name))];
      expect(got[name]).toEqual([...expected.updates[name]!.data]);
    }
    for (const [name, t] of Object.entries(outputs)) expect([...t.data]).toEqual([...expected.outputs[name]!.data]);
    program.close();
    return got;
  }
  const [a, b] = [ir.state('a', [3]), ir.state('b', [3])];
  const values = {
    a: { data: Float32Array.of(1, 2, 3), shape: [3] },
    b: { data: Float32Array.of(4, 5, 6), shape: [3] },
  };

  test('two states change places', async () => {
    expect(await run(ir.graph('swap', { updates: { a: b, b: a } }), values)).toEqual({ a: [4, 5, 6], b: [1, 2, 3] });
  });
  test('a state that is read elsewhere after its update keeps its old value there', async () => {
    await run(
      ir.graph('old', {
        outputs: { flipped: ir.flip(a, [0]), doubled: ir.mul(a, 2) },
        updates: {
          a: ir.add(ir.flip(a, [0]), b),
          b: ir.sum(ir.mul(ir.reshape(a, [3, 1]), ir.reshape(b, [1, 3])), { axes: 0 }),
        },
      }),
      values,
    );
  });
  test('an update is an output too, and an output is a state as it was', async () => {
    const more = ir.add(a, 1);
    await run(ir.graph('both', { outputs: { more, before: a, again: more }, updates: { a: more } }), values);
  });
  test('a state with a run-time size is refused', () => {
    const s = ir.state('cache', ['batch', 3]);
    expect(() => makePlan(ir.graph('g', { updates: { cache: ir.add(s, 1) } }), target)).toThrow(
      /state 'cache' has the run-time size/,
    );
  });
});

test('a size that is fixed is a constant of the kernels', () => {
  const g = feedForward();
  expect(makePlan(g, target).plan.kernels.some((k) => k.dims.includes('seq'))).toBe(true);
  const { plan } = makePlan(g, target, { dims: { batch: 2, seq: 5 } });
  expect(plan.kernels.flatMap((k) => k.dims)).toEqual([]);
  expect(plan.dims).toEqual({ batch: { min: 2, max: 2 }, seq: { min: 5, max: 5 } });
  expect(() => makePlan(g, target, { dims: { sequence: 5 } })).toThrow(
    /no run-time size 'sequence'; the graph has batch, seq/,
  );
});

test('dims may have any name', async () => {
  const [x, y] = [ir.input('x', ['g', 'k', 'm']), ir.input('y', ['g', 'm', 'n'])];
  const g = ir.graph('names', { outputs: { z: ir.softmax(ir.matmul(x, y) as ir.Tensor) } });
  const inputs = {
    x: { data: numbers(2 * 5 * 3), shape: [2, 5, 3] },
    y: { data: numbers(2 * 3 * 7, 9), shape: [2, 3, 7] },
  };
  const program = await compile(g, interpreter());
  const { z } = await program.run(inputs);
  const expected = ir.evaluate(g, inputs).outputs.z!.data;
  z!.data.forEach((v, i) => {
    expect(v).toBeCloseTo(expected[i]!, 6);
  });
});

test('kernels that do the same are made once', () => {
  let x: ir.Tensor = ir.input('x', ['batch', 16]);
  for (let i = 0; i < 5; i++) x = ir.gelu(ir.linear(x, ir.state(`w${i}`, [16, 16]), ir.state(`b${i}`, [16])));
  const { plan } = makePlan(ir.graph('deep', { outputs: { x } }), target);
  expect(plan.steps).toHaveLength(10);
  expect(plan.kernels.length).toBeLessThanOrEqual(4);
});

test('an operand that several contractions pack is packed once', () => {
  const x = ir.tanh(ir.matmul(ir.input('x', ['batch', 8]), ir.state('w', [8, 16])));
  const weights = ['q', 'k', 'v'].map((name) => ir.contract('bi,bo->io', ir.input(name, ['batch', 24]), x));
  const { plan } = makePlan(
    ir.graph('shared', { outputs: Object.fromEntries(weights.map((w, i) => [`w${i}`, w])) }),
    target,
  );
  const packed = plan.steps.filter((s) => plan.kernels[s.kernel]!.name.startsWith('pack_b'));
  // One for the weight, one for what the three share.
  expect(packed).toHaveLength(2);
});

test('a chain of 20,000 maps compiles', () => {
  let x: ir.Tensor = ir.input('x', [4]);
  for (let i = 0; i < 20_000; i++) x = ir.add(x, ir.input('y', [4]));
  const { plan } = makePlan(ir.graph('chain', { outputs: { x } }), target);
  expect(plan.steps.length).toBeGreaterThan(50);
}, 120_000);

test('explain says what was stored and why, and what it costs', () => {
  const planned = makePlan(feedForward(), target);
  const e = explain(planned, { batch: 2, seq: 5 });
  expect(e.steps.map((s) => s.kernel)).toEqual(planned.plan.steps.map((s) => planned.plan.kernels[s.kernel]!.name));
  expect(e.flops).toBeGreaterThan(2 * 10 * 24 * 36);
  expect(e.arenaBytes).toBeGreaterThanOrEqual(e.arenaLowerBound);
  expect(String(e)).toMatch(/erf/);
  const steps = planned.plan.steps.slice(planned.plan.prepare).map((_, step) => ({ step, kernel: '', ms: 2 }));
  const timed = explain(planned, { batch: 2, seq: 5 }, { times: steps });
  expect(timed.steps.every((s) => s.ms === (s.once ? undefined : 2))).toBe(true);
  expect(String(timed)).toMatch(/ ms +GFLOP\/s /);
  expect(() => explain(planned, { batch: 2, seq: 5 }, { times: [...steps, ...steps] })).toThrow(/the times are of/);
  expect(() => explain(planned)).toThrow(/give a value for the run-time size/);
});

test('what gives the same in every run is run once, and explain says what is kept', () => {
  const [w, v] = [ir.state('w', [8, 16]), ir.state('v', [16, 8])];
  const hidden = ir.matmul(ir.input('x', ['batch', 8]), ir.mul(w, 0.5)) as ir.Tensor;
  const rows = ir.embedding(ir.input('ids', ['ids'], 'i32'), ir.state('table', [5, 8]));
  const g = ir.graph('prepared', {
    outputs: { y: ir.matmul(hidden, v), gathered: ir.contract('id,ie->de', rows, rows) },
    updates: { v: ir.add(v, 1) },
  });
  const planned = makePlan(g, target);
  const { plan } = planned;
  const once = plan.steps.slice(0, plan.prepare).map(({ kernel }) => plan.kernels[kernel]!.name);
  // The scaled weight and its packing; what is updated, or comes from inputs, is packed in every run.
  expect(once).toEqual(['map_mul', 'pack_b']);
  const e = explain(planned, { batch: 4, ids: 3 });
  expect(e.steps.map((s) => s.once ?? false)).toEqual(plan.steps.map((_, i) => i < 2));
  const [packed] = e.steps.filter((s) => s.kernel === 'pack_b');
  expect(packed!.stores).toEqual(['mul f32[8, 16] (packed)']);
  expect(e.steps.some((s) => s.stores.join().includes('gather') && s.inlines.includes('gather'))).toBe(true);
  expect(e.preparedBytes).toBe(4 * 8 * 16);
  expect(e.stateBytes).toBe(4 * (8 * 16 + 16 * 8 + 5 * 8));
  expect(String(e)).toMatch(/0\.0 MiB prepared from them/);
  // Not kept: the scaled weight, which only the packing reads.
  const bare = explain(makePlan(g, target, { prepare: false }), { batch: 4, ids: 3 });
  expect(bare.preparedBytes).toBe(0);
  expect(bare.flops).toBeGreaterThan(e.flops);
  expect(makePlan(g, { ...target, prepares: false }).plan.prepare).toBeUndefined();
});

test('a plan that would keep what changes is refused', () => {
  const w = ir.state('w', [4, 16]);
  const { plan } = makePlan(
    ir.graph('g', { outputs: { y: ir.matmul(ir.input('x', ['n', 4]), w) }, updates: { w: ir.add(w, 1) } }),
    target,
  );
  expect(plan.prepare).toBeUndefined();
  expect(() => verifyPlan({ ...plan, prepare: 1 })).toThrow(/writes 'w', which steps that are run once depend on/);
  expect(() => verifyPlan({ ...plan, prepare: 9 })).toThrow(/prepare is 9, the plan has \d steps/);
  const read = makePlan(ir.graph('g', { outputs: { y: ir.matmul(ir.input('x', [20, 4]), w) } }), target).plan;
  expect(() => verifyPlan({ ...read, prepare: 2 })).toThrow(/is run once and reads 'x', whose role is input/);
});

test('the trace sees every stage', () => {
  const stages: string[] = [];
  makePlan(feedForward(), target, { trace: (stage) => stages.push(stage) });
  expect(stages).toEqual([
    'input',
    'merge equal',
    'algebra',
    'fold transposes',
    'recognise',
    'reorder sums',
    'algebra again',
    'merge again',
    'fuse',
    'schedule',
    'plan',
  ]);
});
