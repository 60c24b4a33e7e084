import { describe, expect, test } from 'vitest';
import type { Tensor } from './index.ts';
import {
  abs,
  add,
  argmax,
  attention,
  avgPool2d,
  barrier,
  broadcastTo,
  cast,
  ceil,
  checkpoint,
  clamp,
  concat,
  constant,
  contract,
  conv1d,
  conv2d,
  cos,
  crossEntropy,
  div,
  dropout,
  embedding,
  equal,
  erf,
  evaluate,
  exp,
  expandDims,
  flip,
  floor,
  full,
  gather,
  gelu,
  gradients,
  graph,
  input,
  iota,
  layerNorm,
  less,
  linear,
  log,
  logSoftmax,
  logSumExp,
  matmul,
  max,
  maximum,
  maxPool2d,
  mean,
  min,
  minimum,
  mod,
  mul,
  neg,
  ops,
  pad,
  pow,
  reciprocal,
  relu,
  reshape,
  rmsNorm,
  round,
  rsqrt,
  scatterAdd,
  sigmoid,
  sign,
  silu,
  sin,
  slice,
  softmax,
  softplus,
  sqrt,
  square,
  squeeze,
  stack,
  stopGradient,
  sub,
  sum,
  takeAlongAxis,
  tanh,
  topological,
  transpose,
  updateSlice,
  vjp,
  where,
  windows,
} from './index.ts';
import { sampleData } from './samples.test.kit.ts';

type Make = (...operands: Tensor[]) => Tensor;
type Case = readonly [
  name: string,
  make: Make,
  shapes: readonly (readonly number[])[],
  range?: readonly [low: number, high: number],
];

const ids = constant(Int32Array.of(2, 0, 2, 3), [4], 'i32');
const labels = constant(Int32Array.of(1, -100, 0), [3], 'i32');
const condition = constant(Uint8Array.of(1, 0, 1), [3, 1], 'bool');
const key = constant(Uint32Array.of(7, 1), [2], 'u32');
const part = (x: Tensor) => slice(x, { starts: [0, 1], ends: [undefined, 6], steps: [2, 2] });

/** Functions of real operands, each with shapes, and a range (−2 to 2) in which they are smooth. */
const cases: readonly Case[] = [
  [
    'add, broadcast',
    add,
    [
      [3, 1, 2],
      [4, 1],
    ],
  ],
  ['sub', sub, [[3], [2, 3]]],
  ['mul', mul, [[2, 3], [3]]],
  [
    'div',
    div,
    [
      [2, 3],
      [2, 1],
    ],
    [0.5, 2],
  ],
  ['pow', pow, [[2, 3], [3]], [0.5, 2]],
  ['minimum', minimum, [[3, 2], [2]]],
  ['maximum', maximum, [[3, 2], [2]]],
  ['neg', neg, [[3]]],
  ['abs', abs, [[2, 3]]],
  ['exp', exp, [[5]]],
  ['log', log, [[5]], [0.3, 3]],
  ['sqrt', sqrt, [[5]], [0.3, 3]],
  ['sin', sin, [[5]]],
  ['cos', cos, [[5]]],
  ['tanh', tanh, [[5]]],
  ['erf', erf, [[5]]],
  ['rsqrt', rsqrt, [[5]], [0.5, 3]],
  ['reciprocal', reciprocal, [[5]], [0.5, 2]],
  ['square', square, [[5]]],
  ['sigmoid', sigmoid, [[5]]],
  ['relu', relu, [[5]]],
  ['silu', silu, [[5]]],
  ['softplus', softplus, [[5]]],
  ['gelu', (x) => gelu(x), [[5]]],
  ['gelu by tanh', (x) => gelu(x, { approximate: 'tanh' }), [[5]]],
  ['clamp', (x) => clamp(x, -1, 1), [[7]]],
  ['where', (a, b) => where(condition, a, b), [[3, 2], [2]]],
  ['cast', (x) => mul(cast(cast(x, 'f32'), 'f32'), 2), [[3]]],
  ['sum', (x) => sum(x, { axes: [0, 2] }), [[2, 3, 2]]],
  ['mean', (x) => mean(x, { axes: 1, keepdims: true }), [[2, 3]]],
  ['max', (x) => max(x, { axes: 1 }), [[3, 4]]],
  ['min', (x) => min(x), [[2, 3]]],
  ['reshape', (x) => reshape(x, [3, 4]), [[2, 6]]],
  ['transpose', (x) => transpose(x, [2, 0, 1]), [[2, 3, 4]]],
  ['broadcastTo', (x) => broadcastTo(x, [2, 3, 4]), [[3, 1]]],
  ['slice', part, [[3, 7]]],
  ['pad', (x) => pad(x, [1, 0], [0, 2], 5), [[2, 3]]],
  [
    'concat',
    (a, b) => concat([a, b, a], 1),
    [
      [2, 1],
      [2, 3],
    ],
  ],
  [
    'stack',
    (a, b) => stack([a, b], 1),
    [
      [2, 3],
      [2, 3],
    ],
  ],
  ['barrier', (a) => barrier(a, full([2], 1)), [[3]]],
  ['checkpoint', (a) => checkpoint((x: Tensor) => sin(mul(x, x)))(a), [[2, 3]]],
  ['flip', (x) => flip(x, [1]), [[2, 3]]],
  ['expandDims and squeeze', (x) => squeeze(expandDims(x, 1), 1), [[2, 3]]],
  ['windows', (x) => windows(x, 1, { size: 3, stride: 2, dilation: 1, padding: 1 }), [[2, 7]]],
  [
    'matmul',
    matmul,
    [
      [2, 3],
      [3, 4],
    ],
  ],
  ['matmul of vectors', matmul, [[3], [3]]],
  [
    'matmul of batches',
    matmul,
    [
      [2, 1, 2, 3],
      [4, 3, 2],
    ],
  ],
  ['matmul, vector by batch', matmul, [[3], [2, 3, 4]]],
  [
    'contract',
    (a, b) => contract('bij,bkj->kbi', a, b),
    [
      [2, 3, 4],
      [2, 5, 4],
    ],
  ],
  ['a square of itself', (a) => matmul(a, a), [[3, 3]]],
  ['gather', (t) => gather(t, ids), [[4, 3]]],
  ['scatterAdd', (u) => scatterAdd(ids, u, 5), [[4, 2]]],
  ['embedding', (t) => embedding(ids, t), [[4, 3]]],
  ['takeAlongAxis', (x) => takeAlongAxis(x, constant(Int32Array.of(1, 0, 2, 1), [2, 2], 'i32')), [[2, 3]]],
  ['softmax', (x) => softmax(x, 0), [[3, 2]]],
  ['logSoftmax', (x) => logSoftmax(x), [[2, 3]]],
  ['logSumExp', (x) => logSumExp(x, 0), [[3, 2]]],
  ['layerNorm', (x, g, b) => layerNorm(x, g, b, 0.1), [[2, 4], [4], [4]]],
  ['rmsNorm', (x, g) => rmsNorm(x, g, 0.1), [[2, 4], [4]]],
  ['linear', linear, [[2, 2, 3], [4, 3], [4]]],
  ['crossEntropy', (x) => crossEntropy(x, labels), [[3, 4]]],
  ['crossEntropy, smoothed', (x) => crossEntropy(x, labels, { labelSmoothing: 0.1 }), [[3, 4]]],
  [
    'attention',
    (q, k, v) => attention(q, k, v).context,
    [
      [1, 2, 2, 3],
      [1, 3, 2, 3],
      [1, 3, 2, 3],
    ],
  ],
  [
    'attention with shared keys',
    (q, k, v) => attention(q, k, v).context,
    [
      [1, 2, 4, 3],
      [1, 3, 2, 3],
      [1, 3, 2, 3],
    ],
  ],
  ['dropout', (x) => dropout(x, 0.4, key, 0), [[3, 4]]],
  ['conv1d', (x, w, b) => conv1d(x, w, b, { stride: 2, padding: 1 }), [[1, 2, 6], [3, 2, 3], [3]]],
  [
    'conv2d',
    (x, w) => conv2d(x, w, undefined, { dilation: [1, 2], padding: 1 }),
    [
      [1, 2, 4, 5],
      [2, 2, 2, 2],
    ],
  ],
  ['maxPool2d', (x) => maxPool2d(x, 2, { stride: 1, padding: 1 }), [[1, 1, 3, 3]]],
  ['avgPool2d', (x) => avgPool2d(x, 2), [[1, 2, 4, 4]]],
];

/** Ops whose rule gives no gradient on purpose. */
const without = [
  'input',
  'state',
  'constant',
  'full',
  'iota',
  'dim',
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
  'stopGradient',
  'updateSlice',
  'uniform',
];

function operandsOf(
  shapes: Case[2],
  [low, high]: readonly [number, number],
): { tensors: Tensor[]; values: Record<string, { shape: readonly number[]; data: Float32Array }> } {
  const tensors = shapes.map((shape, i) => input(`x${i}`, shape));
  const values = Object.fromEntries(
    shapes.map((shape, i) => {
      const data = (
        sampleData(
          'f32',
          shape.reduce((a, b) => a * b, 1),
          3 + i,
        ) as Float32Array
      ).map((v) => low + ((v + 2) / 4) * (high - low));
      return [`x${i}`, { shape, data }];
    }),
  );
  return { tensors, values };
}

describe('against finite differences', () => {
  test.each([...cases] as [...Case][])('%s', (_, make, shapes, range = [-2, 2]) => {
    const { tensors, values } = operandsOf(shapes, range);
    const out = make(...tensors);
    // Weights that differ, so that no two elements of the result can be confused.
    const size = (out.shape as number[]).reduce((a, b) => a * b, 1);
    const weights = constant(
      Float32Array.from({ length: size }, (_w, i) => 0.5 + ((i * 7) % 5) / 4),
      out.shape as number[],
    );
    const loss = sum(mul(out, weights) as Tensor);
    const g = graph('loss', {
      outputs: { loss, ...Object.fromEntries(gradients(loss, tensors).map((t, i) => [`d${i}`, t])) },
    });
    const forward = graph('forward', { outputs: { out } });
    const given = (changed: typeof values) =>
      Object.fromEntries(Object.keys(g.inputs).map((name) => [name, changed[name]!]));
    const w = (weights.attrs as { data: Float32Array }).data;
    // Summed here in double precision: the evaluator's f32 would hide small differences.
    const at = (changed: typeof values): number =>
      (evaluate(forward, given(changed)).outputs.out!.data as Float32Array).reduce((s, v, i) => s + v * w[i]!, 0);
    const { outputs } = evaluate(g, given(values));
    const eps = 2 ** -7;
    tensors.forEach((_t, i) => {
      const { shape, data } = values[`x${i}`]!;
      const found = outputs[`d${i}`]!;
      expect(found.shape).toEqual(shape);
      const scale = Math.max(...found.data.map(Math.abs), 1e-3);
      data.forEach((v, j) => {
        const moved = (by: number) => at({ ...values, [`x${i}`]: { shape, data: data.with(j, v + by) } });
        // Two step widths, extrapolated: the error is of fourth order (Richardson).
        const slope = (h: number): number => (moved(h) - moved(-h)) / (Math.fround(v + h) - Math.fround(v - h));
        const want = (4 * slope(eps / 2) - slope(eps)) / 3;
        if (!(Math.abs(found.data[j]! - want) <= 2e-3 * scale + 1e-4))
          throw new Error(`operand ${i}, element ${j}: ${found.data[j]}, but the slope is ${want}`);
      });
    });
  });

  test('no op is forgotten', () => {
    const used = new Set<string>();
    for (const [, make, shapes, range] of cases)
      for (const t of topological([make(...operandsOf(shapes, range ?? [-2, 2]).tensors)])) used.add(t.op.name);
    // What occurs only in the gradients of others.
    const {
      tensors: [x],
    } = operandsOf([[3, 7]], [-2, 2]);
    for (const make of [part, (t: Tensor) => windows(t, 1, { size: 2 })])
      for (const t of topological(gradients(sum(mul(make(x!), make(x!)) as Tensor), [x!]))) used.add(t.op.name);
    expect([...ops.keys()].filter((name) => !used.has(name) && !without.includes(name))).toEqual([]);
  });
});

/** The gradient of the sum of `make(x)` at numbers, to six digits. */
function slopes(make: Make, ...x: number[]): number[] {
  const t = input('x', [x.length]);
  const [d] = gradients(sum(make(t)), [t]);
  const g = graph('g', { outputs: { d } });
  return [
    ...evaluate(g, Object.keys(g.inputs).length > 0 ? { x: { shape: [x.length], data: Float32Array.from(x) } } : {})
      .outputs.d!.data,
  ].map((v) => Math.round(v * 1e6) / 1e6 + 0);
}

describe('edges', () => {
  test('second derivatives are derivatives of derivatives', () => {
    const x = input('x', [4]);
    const [d] = gradients(sum(tanh(x)), [x]);
    const [dd] = gradients(sum(d), [x]);
    const values = Float32Array.of(-1, 0, 0.5, 2);
    const found = evaluate(graph('g', { outputs: { dd } }), { x: { shape: [4], data: values } }).outputs.dd!.data;
    found.forEach((v, i) => expect(v).toBeCloseTo(-2 * Math.tanh(values[i]!) * (1 - Math.tanh(values[i]!) ** 2), 5));
  });
  test('nothing overflows into NaN far out', () => {
    expect(slopes(sigmoid, -200, 0, 200)).toEqual([0, 0.25, 0]);
    expect(slopes(silu, -200, 0, 200)).toEqual([0, 0.5, 1]);
    expect(slopes(softplus, -200, 0, 200)).toEqual([0, 0.5, 1]);
    expect(slopes(tanh, -200, 200)).toEqual([0, 0]);
    expect(slopes((x) => gelu(x), -200, 200)).toEqual([0, 1]);
    expect(slopes((x) => softmax(x), -1e30, 0, 1e30)).toEqual([0, 0, 0]);
    expect(slopes((x) => logSumExp(x), -1e30, 1e30)).toEqual([0, 1]);
  });
  test('where several share the extreme, they share the gradient', () => {
    expect(slopes((x) => max(x), 1, 3, 3)).toEqual([0, 0.5, 0.5]);
    expect(slopes((x) => min(x), 1, 1, 3)).toEqual([0.5, 0.5, 0]);
  });
  test('relu and abs have slope 0 at 0, as in torch', () => {
    expect(slopes(relu, -1, 0, 1)).toEqual([0, 0, 1]);
    expect(slopes(abs, -1, 0, 1)).toEqual([-1, 0, 1]);
  });
  test('what has no gradient gives zeros', () => {
    for (const make of [
      floor,
      round,
      ceil,
      sign,
      stopGradient,
      (x) => mod(x, 2),
      (x) => cast(less(x, 0), 'f32'),
      (x) => cast(equal(x, 0), 'f32'),
      (x) => cast(argmax(x), 'f32'),
      () => full([], 3),
    ] as Make[]) {
      expect(slopes(make, 0.3, 1.7)).toEqual([0, 0]);
    }
  });
  test('an update has no gradient, and says so', () => {
    const x = input('x', [3]);
    const y = updateSlice(x, input('v', [1]), input('at', [1], 'i32'));
    expect(() => gradients(sum(y), [x])).toThrow(
      'updateSlice: has no gradient; build the differentiable part with concat or where',
    );
  });
  test('a pad of a run-time size, and a concat that ends with one', () => {
    const x = input('x', ['n']);
    const g = graph('g', {
      outputs: {
        x: gradients(
          sum(mul(pad(concat([constant(Float32Array.of(5, 6), [2]), x]), [1], [3]), cast(iota(['n+6'], 0), 'f32'))),
          [x],
        )[0],
      },
    });
    expect([...evaluate(g, {}, {}, { n: 2 }).outputs.x!.data]).toEqual([3, 4]);
  });
  test('what stands behind a run-time size in a concat has none, and says so', () => {
    const x = input('x', ['n']);
    expect(() => gradients(sum(concat([x, x])), [x])).toThrow(
      "concat: no gradient of what stands behind the run-time size 'n' in axis 0",
    );
  });
  test('run-time sizes are summed back', () => {
    const [x, b] = [input('x', ['n', 2]), input('b', [2])];
    const [db] = gradients(sum(mul(add(x, b), x)), [b]);
    expect(db.shape).toEqual([2]);
    const value = (shape: number[], ...values: number[]) => ({ shape, data: Float32Array.from(values) });
    const g = graph('g', { outputs: { db } });
    expect([...evaluate(g, { x: value([3, 2], 1, 2, 3, 4, 5, 6) }).outputs.db!.data]).toEqual([9, 12]);
  });
  test('of a tensor in the middle, of the loss itself, and of what does not matter', () => {
    const x = input('x', []);
    const y = mul(x, 3);
    const loss = mul(y, y);
    const [dy, dloss, dz] = gradients(loss, [y, loss, input('z', [2])]);
    const g = graph('g', { outputs: { dy, dloss, dz } });
    const { outputs } = evaluate(g, { x: { shape: [], data: Float32Array.of(2) } });
    expect([outputs.dy!.data[0], outputs.dloss!.data[0], ...outputs.dz!.data]).toEqual([12, 1, 0, 0]);
  });
  test('cotangents of several outputs add up', () => {
    const x = input('x', [2]);
    const [dx] = vjp([mul(x, 2), neg(x)], [full([2], 1), full([2], 5)], [x]);
    expect([...evaluate(graph('g', { outputs: { dx } })).outputs.dx!.data]).toEqual([-3, -3]);
  });
});
