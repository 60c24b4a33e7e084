import { describe, expect, test } from 'vitest';
import type { Graph, Tensor } from './index.ts';
import {
  add,
  bindSizes,
  concat,
  evaluate,
  gradients,
  graph,
  graphDims,
  GraphError,
  input,
  matmul,
  mul,
  neg,
  parseGraph,
  printGraph,
  reshape,
  ShapeError,
  sourceName,
  state,
  sum,
  tanh,
  Tensor as T,
  topological,
  verifyGraph,
} from './index.ts';

const data = (...values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) });

describe('graph', () => {
  test('finds its inputs, state and sizes', () => {
    const x = input('x', ['batch', 3]);
    const w = state('w', [3, 2]);
    const g = graph('g', { outputs: { y: matmul(x, w) }, updates: { w: neg(w) } });
    expect(Object.keys(g.inputs)).toEqual(['x']);
    expect(Object.keys(g.state)).toEqual(['w']);
    expect(graphDims(g)).toEqual(['batch']);
    expect(sourceName(g.inputs.x!)).toBe('x');
    expect(String(x)).toBe("input 'x' f32[batch, 3]");
    expect(verifyGraph(g)).toBe(g);
  });
  test('two tensors that say the same of one input are one input', () => {
    expect(Object.keys(graph('g', { outputs: { y: add(input('x', [2]), input('x', [2])) } }).inputs)).toEqual(['x']);
  });
  test('errors say what, where and what to do', () => {
    expect(() => graph('g', { outputs: { a: input('x', [2]), b: input('x', [3]) } })).toThrow(
      "graph 'g': input 'x' is used as f32[2] and as f32[3]; give one of them another name",
    );
    expect(() => graph('g', { updates: { w: input('x', [2]) } })).toThrow(
      "graph 'g': update of 'w', but no such state is read; known: (none)",
    );
    expect(() => graph('g', { outputs: { y: state('w', [2]) }, updates: { w: input('x', [3]) } })).toThrow(
      "graph 'g': state 'w' is f32[2], its update is f32[3]",
    );
  });
  test('operands come before what is made of them, each once', () => {
    const x = input('x', [2]);
    const y = tanh(x);
    const z = add(y, mul(y, x));
    const order = topological([z, y]);
    expect(new Set(order).size).toBe(order.length);
    for (const t of order)
      for (const operand of t.inputs) expect(order.indexOf(operand)).toBeLessThan(order.indexOf(t));
  });
});

describe('verifyGraph', () => {
  const good = graph('g', { outputs: { y: tanh(input('x', [2])) } });
  test('finds a tensor that is not what its op makes', () => {
    const lie = Object.assign(Object.create(T.prototype) as object, { ...good.outputs.y, shape: [3] }) as Tensor;
    expect(() => verifyGraph({ ...good, outputs: { y: lie } })).toThrow("graph 'g': tanh f32[3] should be f32[2]");
  });
  test('finds records that lack a source', () => {
    expect(() => verifyGraph({ ...good, inputs: {} })).toThrow("graph 'g': 'x' is used but missing from its inputs");
    const g: Graph = graph('g', { outputs: { y: state('toString', [1]) } });
    expect(() => verifyGraph({ ...g, state: {} })).toThrow(GraphError);
  });
});

describe('sizes of a run', () => {
  const expected = { x: { shape: ['n', 2], dtype: 'f32' }, y: { shape: ['2*n'], dtype: 'f32' } } as const;
  const matrix = (rows: number) => ({ shape: [rows, 2], data: new Float32Array(rows * 2) });
  test('follow from shapes, and sums and products are checked', () => {
    expect(bindSizes(expected, { x: matrix(2), y: data(1, 2, 3, 4) })).toEqual({ n: 2 });
    expect(bindSizes({ y: expected.y, x: expected.x }, { x: matrix(2), y: data(1, 2, 3, 4) })).toEqual({ n: 2 });
    expect(() => bindSizes(expected, { x: matrix(2), y: data(1, 2, 3) })).toThrow(
      "input 'y' is f32[2*n], got [3]: '2*n' must be 4",
    );
  });
  test.each([
    [{ y: data(1, 2) }, "input 'x' is missing: f32[n, 2]; given: y"],
    [{ x: data(1, 2), y: data(1, 2) }, "input 'x' is f32[n, 2], got [2]: the rank must be 2"],
    [
      { x: { shape: [1, 3], data: new Float32Array(3) }, y: data(1, 2) },
      "input 'x' is f32[n, 2], got [1, 3]: axis 1 must be 2",
    ],
    [{ x: { shape: [1, 2], data: new Float32Array(3) }, y: data(1, 2) }, 'the shape has 2 elements, the data 3'],
    [{ x: matrix(1), y: data(1, 2), z: data(1) }, "there is no input 'z'; there are: x, y"],
  ])('%#: errors name the input', (given, message) => {
    expect(() => bindSizes(expected, given)).toThrow(ShapeError);
    expect(() => bindSizes(expected, given)).toThrow(message);
  });
  test('inputs, state and sizes handed in must agree', () => {
    const g = graph('g', { outputs: { y: add(input('x', ['n']), state('s', ['n'])) } });
    expect(() => evaluate(g, { x: data(1, 2) }, { s: data(1, 2, 3) })).toThrow(
      "state 's' is f32[n], got [3]: 'n' is 2",
    );
    expect(() => evaluate(g, { x: data(1, 2) }, { s: data(1, 2) }, { n: 3 })).toThrow(
      "input 'x' is f32[n], got [2]: 'n' is 3",
    );
    const pair = { a: { shape: ['n'], dtype: 'f32' }, b: { shape: ['n'], dtype: 'f32' } } as const;
    expect(() => bindSizes(pair, { a: data(1, 2), b: data(1) })).toThrow(
      "input 'b' is f32[n], got [1]: 'n' is 2 in input 'a'",
    );
  });
});

describe('what is refused while it is built', () => {
  test.each<[string, () => unknown, string]>([
    [
      'reshape',
      () => reshape(input('x', ['n', 3]) as Tensor, ['n', 4]),
      'reshape: [n, 3] has 3*n elements, [n, 4] has 4*n',
    ],
    [
      'matmul',
      () => matmul(input('x', [2, 3]) as Tensor, input('w', [4, 5]) as Tensor),
      "matmul: inner sizes differ: 3 ≠ 4 in input 'x' f32[2, 3] · input 'w' f32[4, 5]",
    ],
    [
      'add',
      () => add(input('x', [2]) as Tensor, input('i', [2], 'i32') as Tensor),
      "add: operands are input 'x' f32[2] and input 'i' i32[2]; cast them to one dtype",
    ],
    ['concat', () => concat([]), 'concat: axis 0 is outside of rank 0'],
    [
      'gradients',
      () => gradients(input('x', [2]), []),
      "gradients: the loss must be a scalar, got input 'x' f32[2]; take its mean or sum",
    ],
    [
      'gradients of integers',
      () => gradients(sum(input('x', [2])), [input('i', [2], 'i32')]),
      'is not a float and has no gradient',
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});

test('a chain of 100,000 tensors is walked, differentiated, computed, printed and read', () => {
  const x = input('x', [1]);
  let y: Tensor = x;
  for (let i = 0; i < 100_000; i++) y = add(y, x) as Tensor;
  const [dx] = gradients(sum(y), [x]);
  const g = graph('deep', { outputs: { y, dx } });
  expect(topological([y])).toHaveLength(100_001);
  expect(verifyGraph(g)).toBe(g);
  const { outputs } = evaluate(g, { x: data(1) });
  expect([outputs.y!.data[0], outputs.dx!.data[0]]).toEqual([100_001, 100_001]);
  const text = printGraph(graph('deep', { outputs: { y } }));
  expect(text.split('\n')).toHaveLength(100_005);
  expect(printGraph(parseGraph(text))).toBe(text);
}, 120_000);
