import { add, evaluate, graph, input, ShapeError } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { expect, expectTypeOf, test } from 'vitest';
import { initialise, normal, ones, uniform, zeros } from './init.ts';
import { linear } from './layers/linear.ts';
import { layer, scope } from './scope.ts';
import type { Values } from './scope.ts';

test('declares parameters by dotted names, in order, with their shapes', () => {
  const root = scope();
  const weight = root.at('layer').at(0).param('weight', [3, 2], normal(0.02));
  root.at('layer', 0).param('bias', [3], zeros);
  expectTypeOf(weight).toEqualTypeOf<Tensor<readonly [3, 2], 'f32'>>();
  expect(weight.toString()).toBe("state 'layer.0.weight' f32[3, 2]");
  expect([...root.parameters()].map(([name, { shape }]) => [name, shape])).toEqual([
    ['layer.0.weight', [3, 2]],
    ['layer.0.bias', [3]],
  ]);
  expect([...root.at('layer', 0).parameters().keys()]).toEqual(['layer.0.weight', 'layer.0.bias']);
  expect(root.at('lay').parameters().size).toBe(0);
});

test('gives the same tensor for the same name, and complains about another shape', () => {
  const root = scope();
  const shared = root.at('embeddings').param('weight', [5, 2], zeros);
  expect(root.at('embeddings').param('weight', [5, 2], ones)).toBe(shared);
  expect(() => root.at('embeddings').param('weight', [2, 5], zeros)).toThrow(
    new ShapeError(
      "the parameter 'embeddings.weight' is [5, 2] and is asked for as [2, 5]; give one of them another name",
    ),
  );
});

test('a shape error says where in the model it arose, once', () => {
  const block = layer((at, x: Tensor) => linear(at.at('inner'), linear(at.at('query'), x, 4), 2));
  const root = scope();
  block(root.at('layer', 0), input('x', ['batch', 3]));
  expect(() => block(root.at('layer', 0), input('x', ['batch', 5]))).toThrow(
    /^in layer\.0\.query: the parameter 'layer\.0\.query\.weight' is \[4, 3\] and is asked for as \[4, 5\]/,
  );
  expect(() => block(root.at('other'), input('x', [3, 'batch']))).toThrow(
    /^in other\.query: linear: the last axis of .* fixed size/,
  );
});

test('drops only while training, by another stream at each call', () => {
  const x = input('x', [400]);
  const plain = scope();
  expect(plain.training).toBe(false);
  expect(plain.dropout(x, 0.5)).toBe(x);

  const training = scope({ training: { key: input('key', [2], 'u32') } });
  expect(training.dropout(x, 0)).toBe(x);
  const g = graph('dropout', { outputs: { a: training.dropout(x, 0.25), b: training.at('b').dropout(x, 0.25) } });
  const { a, b } = evaluate(g, {
    x: { data: new Float32Array(400).fill(3), shape: [400] },
    key: { data: new Uint32Array([7, 0]), shape: [2] },
  }).outputs;
  for (const { data } of [a!, b!]) {
    expect(new Set(data)).toEqual(new Set([0, 4]));
    expect(data.filter((value) => value === 0).length / 400).toBeCloseTo(0.25, 1);
  }
  expect(a!.data).not.toEqual(b!.data);
});

test('first values depend on name, seed and shape only, and have the distribution asked for', () => {
  const made = initialise(normal(0.5), 'a.weight', [401, 101], 3);
  expect(initialise(normal(0.5), 'a.weight', [401, 101], 3)).toEqual(made);
  expect(initialise(normal(0.5), 'b.weight', [401, 101], 3)).not.toEqual(made);
  expect(initialise(normal(0.5), 'a.weight', [401, 101], 4)).not.toEqual(made);
  const [mean, deviation] = measure(made);
  expect(mean).toBeCloseTo(0, 2);
  expect(deviation).toBeCloseTo(0.5, 2);
  // 4.55 % of normal numbers lie beyond two deviations.
  expect(made.filter((value) => Math.abs(value) > 1).length / made.length).toBeCloseTo(0.0455, 2);

  const even = initialise(uniform(-1, 3), 'c', [40001], 0);
  expect(measure(even)[0]).toBeCloseTo(1, 1);
  expect(Math.min(...even.subarray(0, 9999))).toBeGreaterThanOrEqual(-1);
  expect(Math.max(...even.subarray(0, 9999))).toBeLessThan(3);
  expect([...initialise(ones, 'd', [2], 0), ...initialise(zeros, 'd', [1], 0)]).toEqual([1, 1, 0]);

  const table = initialise(normal(1, { zeroRow: 1 }), 'e', [3, 4], 0);
  expect([...table].map((value) => value === 0)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0].map(Boolean));
});

test('neighbouring numbers, and those of like names, are not correlated', () => {
  const a = initialise(uniform(-1, 1), 'encoder.layer.0.weight', [20000], 0);
  const b = initialise(uniform(-1, 1), 'encoder.layer.1.weight', [20000], 0);
  const c = initialise(uniform(-1, 1), 'encoder.layer.0.weight', [20000], 1);
  const dot = (x: Float32Array, y: Float32Array) =>
    x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0) / x.length;
  for (const other of [b, c, a.subarray(1), a.subarray(2)]) expect(Math.abs(dot(a, other))).toBeLessThan(0.01);
});

function measure(data: Float32Array): [mean: number, deviation: number] {
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
  return [mean, Math.sqrt(data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length)];
}

test('names what layers make by their places', () => {
  const values: Values = new Map();
  const root = scope({ values });
  const double = layer((_, x: Tensor): Tensor => add(x, x) as Tensor);
  const part = layer((place, x: Tensor) => {
    const inner = double(place.at('inner'), x);
    return { inner, sum: add(inner, x) as Tensor, list: [x], text: 'none' };
  });
  const through = layer((place, x: Tensor): Tensor => double(place.at('below'), x));
  const x = input('x', [2]);
  const { inner, sum } = part(root.at('a', 0), x);
  const below = through(root.at('b'), x);
  const second = double(root.at('a', 0, 'inner'), sum);
  expect([...values]).toEqual([
    ['a.0.inner', inner],
    ['a.0.sum', sum],
    ['b.below', below],
    ['a.0.inner#2', second],
  ]);
});
