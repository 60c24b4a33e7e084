/**
 * Every differentiable op against finite differences. The derivative is taken of the evaluator (five-point stencil, in
 * which the error of `f32` and that of the formula are both below 1e-4), the gradient is computed by the backend.
 */
import type { DType, Shape, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { assert, compareAll, withProgram } from '../check.ts';
import { noise, random, tensorOf } from '../data.ts';
import type { Suite } from '../suite.ts';

/** A function of real tensors, and the values at which its derivative is taken: away from kinks. */
interface Sample {
  readonly f: (x: readonly Tensor[]) => Tensor;
  readonly at: readonly TensorData[];
}

const ids = (values: readonly number[], ...shape: number[]): Tensor<Shape, 'i32'> =>
  ir.constant(Int32Array.from(values), shape, 'i32');
/** Values 0.12 apart and 0.06 from zero, in a shuffled order: no ties, no kinks within the stencil. */
function spread(...shape: number[]): TensorData {
  const n = shape.reduce((a, b) => a * b, 1);
  const next = random(n);
  const order = Array.from({ length: n }, (_, i) => ({ i, at: next() })).sort((a, b) => a.at - b.at);
  return tensorOf(
    shape,
    order.map(({ i }) => (i - Math.floor(n / 2) + 0.5) * 0.12),
  );
}
const positive = (...shape: number[]): TensorData => noise(shape, { low: 0.5, high: 1.5 });
const any = (...shape: number[]): TensorData => noise(shape, { seed: shape.length + (shape[0] ?? 0) });
const one = (f: (x: Tensor) => Tensor, at = spread(7)): Sample => ({ f: ([x]) => f(x!), at: [at] });
const two = (f: (a: Tensor, b: Tensor) => Tensor, a: TensorData, b: TensorData): Sample => ({
  f: ([x, y]) => f(x!, y!),
  at: [a, b],
});

const samples: Readonly<Record<string, Sample>> = {
  'add, broadcast': two(ir.add, any(3, 1), any(1, 4)),
  'sub, broadcast': two(ir.sub, any(4), any(3, 4)),
  'mul, broadcast': two(ir.mul, any(3, 1), any(4)),
  'div, broadcast': two(ir.div, any(2, 3), positive(3)),
  pow: two(ir.pow, positive(5), any(5)),
  'a square': one((x) => ir.mul(x, x)),
  minimum: two(ir.minimum, spread(6), tensorOf([6], [0.5, -0.5, 0.24, -0.24, 0.8, -0.8])),
  maximum: two(ir.maximum, spread(6), tensorOf([6], [0.5, -0.5, 0.24, -0.24, 0.8, -0.8])),
  neg: one(ir.neg),
  abs: one(ir.abs),
  exp: one(ir.exp),
  log: one(ir.log, positive(5)),
  sqrt: one(ir.sqrt, positive(5)),
  sin: one(ir.sin),
  cos: one(ir.cos),
  tanh: one(ir.tanh),
  erf: one(ir.erf),
  rsqrt: one(ir.rsqrt, positive(5)),
  reciprocal: one(ir.reciprocal, positive(5)),
  relu: one(ir.relu),
  sigmoid: one(ir.sigmoid),
  silu: one(ir.silu),
  softplus: one(ir.softplus),
  gelu: one((x) => ir.gelu(x)),
  'gelu by tanh': one((x) => ir.gelu(x, { approximate: 'tanh' })),
  clamp: one((x) => ir.clamp(x, -0.3, 0.3), tensorOf([4], [-0.7, -0.1, 0.15, 0.6])),
  where: two((a, b) => ir.where(ir.constant(Uint8Array.of(1, 0, 0), [3], 'bool'), a, b), any(2, 3), any(3)),
  'cast to itself and back': one(
    (x) => ir.add(ir.cast(x, 'f32'), ir.cast(ir.cast(ir.stopGradient(x), 'i32'), 'f32')),
    tensorOf([3], [0.4, -0.5, 1.5]),
  ),
  'sum over all': one((x) => ir.sum(x), any(3, 4)),
  'sum over the middle': one((x) => ir.sum(x, { axes: 1 }), any(2, 3, 2)),
  mean: one((x) => ir.mean(x, { axes: [0, 2], keepdims: true }), any(2, 3, 2)),
  max: one((x) => ir.max(x, { axes: 1 }), spread(3, 5)),
  min: one((x) => ir.min(x, { axes: 0 }), spread(3, 5)),
  reshape: one((x) => ir.reshape(x, [3, 4]), any(2, 6)),
  transpose: one((x) => ir.transpose(x, [2, 0, 1]), any(2, 3, 2)),
  broadcastTo: one((x) => ir.broadcastTo(x, [2, 3, 4]), any(3, 1)),
  slice: one((x) => ir.slice(x, { starts: [1, 0], ends: [undefined, 4], steps: [1, 3] }), any(3, 5)),
  pad: one((x) => ir.pad(x, [1, 0], [2, 3], 7), any(2, 3)),
  'padding taken off': one((x) => ir.slice(ir.pad(x, [2, 1], [0, 1]), { starts: [1, 0], ends: [4, 4] }), any(2, 3)),
  concat: two((a, b) => ir.concat([a, b, a], 1), any(2, 1), any(2, 3)),
  stack: two((a, b) => ir.stack([a, b], 1), any(3), spread(3)),
  barrier: two((a, b) => ir.mul(ir.barrier(a, b), b), any(2, 3), any(3)),
  checkpoint: one((x) => ir.checkpoint((a: Tensor) => ir.mul(ir.sin(a), ir.exp(ir.sin(a))))(x), any(2, 3)),
  flip: one((x) => ir.flip(x, [0, 1]), any(2, 3)),
  windows: one((x) => ir.windows(x, 1, { size: 3, stride: 2, dilation: 2, padding: 1 }), any(2, 9)),
  'windows of windows': one((x) => ir.windows(ir.windows(x, 0, { size: 2 }), 0, { size: 2, stride: 2 }), any(7)),
  matmul: two(ir.matmul, any(3, 4), any(4, 2)),
  'matmul, batch broadcast': two(ir.matmul, any(2, 1, 2, 3), any(3, 3, 2)),
  'matrix times vector': two(ir.matmul, any(3, 4), any(4)),
  'contract, heads': two((a, b) => ir.contract('bqhd,bkhd->bhqk', a, b), any(1, 3, 2, 2), any(1, 2, 2, 2)),
  'outer product': two((a, b) => ir.contract('i,j->ji', a, b), any(3), any(2)),
  gather: one((x) => ir.gather(x, ids([2, 0, 2, 1], 2, 2)), any(3, 2)),
  scatterAdd: one((x) => ir.scatterAdd(ids([1, 0, 1], 3), x, 3), any(3, 2)),
  takeAlongAxis: one((x) => ir.takeAlongAxis(x, ids([1, 0, 2, 2], 2, 2)), any(2, 3)),
  softmax: one((x) => ir.softmax(x), any(2, 4)),
  'softmax over rows': one((x) => ir.softmax(x, 0), any(3, 2)),
  logSoftmax: one((x) => ir.logSoftmax(x), any(2, 4)),
  logSumExp: one((x) => ir.logSumExp(x), any(2, 4)),
  layerNorm: { f: ([x, gamma, beta]) => ir.layerNorm(x!, gamma!, beta!, 0.1), at: [any(2, 4), any(4), spread(4)] },
  rmsNorm: two((x, gamma) => ir.rmsNorm(x, gamma, 0.1), any(2, 4), any(4)),
  linear: { f: ([x, weight, bias]) => ir.linear(x!, weight!, bias), at: [any(2, 3), any(4, 3), any(4)] },
  crossEntropy: one((x) => ir.crossEntropy(x, ids([1, -100, 2], 3), { labelSmoothing: 0.1 }), any(3, 4)),
  attention: {
    f: ([q, k, v]) => ir.attention(q!, k!, v!).context,
    at: [any(1, 2, 2, 2), any(1, 3, 2, 2), noise([1, 3, 2, 2], { seed: 9 })],
  },
  conv1d: {
    f: ([x, w, b]) => ir.conv1d(x!, w!, b, { stride: 2, padding: 1 }),
    at: [any(1, 2, 5), any(2, 2, 3), any(2)],
  },
  conv2d: {
    f: ([x, w, b]) => ir.conv2d(x!, w!, b, { padding: 1, dilation: 2 }),
    at: [any(1, 2, 4, 4), any(2, 2, 2, 2), any(2)],
  },
  maxPool2d: one((x) => ir.maxPool2d(x, 2, { stride: 1, padding: 1 }), spread(1, 1, 3, 3)),
  avgPool2d: one((x) => ir.avgPool2d(x, 2, { stride: 1 }), any(1, 2, 3, 3)),
};

/** Ops that have no gradient; every other row of the table must be reached by a sample. */
const none = new Set([
  'mod',
  'eq',
  'lt',
  'le',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'floor',
  'round',
  'updateSlice',
  'uniform',
]);

const step = 2 ** -5;

/** One test per sample, and one that no op was forgotten. */
export function gradientTests({ describe, test, backend }: Suite): void {
  describe('gradients against finite differences', () => {
    test('every differentiable op has a sample', async () => {
      const reached = new Set<string>();
      for (const { f, at } of Object.values(samples)) {
        const x = at.map((v, i) => ir.input(`x${i}`, v.shape));
        for (const t of ir.topological([f(x), ...gradientsOf(f(x), x)])) reached.add(t.op.name);
      }
      const forgotten = [...ir.ops.values()]
        .filter((op) => op.kind !== 'source' && !none.has(op.name) && !reached.has(op.name))
        .map((op) => op.name);
      assert(forgotten.length === 0, `no sample of ${forgotten.join(', ')}`);
    });
    for (const [name, sample] of Object.entries(samples)) test(name, () => checkSample(name, sample), 60_000);
  });

  async function checkSample(name: string, { f, at }: Sample): Promise<void> {
    const given: Record<string, TensorData> = Object.fromEntries(at.map((v, i) => [`x${i}`, v]));
    const x = at.map((v, i) => ir.input(`x${i}`, v.shape));
    const out = weighted(f(x));
    const forward = ir.graph(name, { outputs: { out } });
    const g = ir.graph(`gradient of ${name}`, {
      outputs: Object.fromEntries(gradientsOf(f(x), x).map((t, i) => [`x${i}`, t])),
    });
    const value = (input: string, i: number, delta: number): number => {
      const data = (given[input]!.data as Float32Array).slice();
      data[i]! += delta;
      // The step that f32 made of it.
      const made = data[i]! - given[input]!.data[i]!;
      const result = ir.evaluate(forward, { ...given, [input]: { ...given[input]!, data } }).outputs['out']!.data;
      return made === 0 ? NaN : [...result].reduce((a, b) => a + b, 0);
    };
    const wanted = Object.fromEntries(
      at.map((v, n): [string, TensorData] => [
        `x${n}`,
        tensorOf(
          v.shape,
          Array.from(v.data, (_, i) => {
            const d = (h: number): number => (value(`x${n}`, i, h) - value(`x${n}`, i, -h)) / (2 * h);
            return (4 * d(step / 2) - d(step)) / 3;
          }),
        ),
      ]),
    );
    await withProgram(g, await backend(), {}, async (program) => {
      const inputs = Object.fromEntries(Object.keys(g.inputs).map((key) => [key, given[key]!]));
      compareAll(g, g.outputs, await program.run(inputs), wanted, {
        scale: 1,
        tolerance: { relative: 1e-3, absolute: 5e-4 },
      });
    });
  }
}

/** Every element of the result weighted differently, so that no error hides in a sum; not summed, which would round. */
function weighted(out: Tensor): Tensor {
  return ir.mul(out, weights(out));
}
function gradientsOf(out: Tensor, x: readonly Tensor[]): readonly Tensor[] {
  return ir.vjp([out], [weights(out)], x);
}
function weights(out: Tensor): Tensor {
  const shape = out.shape as readonly number[];
  return ir.constant(noise(shape, { seed: 5, low: 0.5, high: 1.5, dtype: out.dtype satisfies DType }).data, shape);
}
