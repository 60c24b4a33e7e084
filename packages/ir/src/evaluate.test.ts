import { describe, expect, test } from 'vitest';
import type { DType, MapOp, Tensor } from './index.ts';
import {
  add,
  cast,
  constant,
  contract,
  dataFrom,
  decoder,
  dimValue,
  evaluate,
  flip,
  full,
  gather,
  graph,
  GraphError,
  input,
  iota,
  max,
  mean,
  min,
  pad,
  scatterAdd,
  ShapeError,
  slice,
  state,
  sum,
  uniform,
  updateSlice,
  variable,
} from './index.ts';
import { builder } from './tensor.ts';
import { philox } from './ops/random.ts';
import { scalarFunction } from './scalar.ts';
import type { Expr } from './expr.ts';
import { constant as word, dtypeOf } from './expr.ts';

const f32 = (values: number[], ...shape: number[]) => ({
  shape: shape.length > 0 ? shape : [values.length],
  data: Float32Array.from(values),
});
/** The value of a graph without inputs. */
const value = (t: Tensor): number[] =>
  Array.from(
    evaluate(graph('t', { outputs: { t } })).outputs.t!.data as ArrayLike<number> & Iterable<number>,
    decoder(t.dtype),
  );
const of = (dtype: DType, values: number[], ...shape: number[]): Tensor =>
  constant(dataFrom(dtype, values), shape.length > 0 ? shape : [values.length], dtype);

describe('state', () => {
  test('updates see the state as it was', () => {
    const [a, b] = [state('a', [2]), state('b', [2])];
    const g = graph('swap', { outputs: { sum: add(a, b) }, updates: { a: b, b: a } });
    const { outputs, updates } = evaluate(g, {}, { a: f32([1, 2]), b: f32([3, 4]) });
    expect([[...outputs.sum!.data], [...updates.a!.data], [...updates.b!.data]]).toEqual([
      [4, 6],
      [3, 4],
      [1, 2],
    ]);
  });
  test('what is missing or of another dtype is an error', () => {
    const g = graph('g', { outputs: { y: state('w', [2]) } });
    expect(() => evaluate(g)).toThrow("state 'w' is missing: f32[2]; given: (none)");
    expect(() => evaluate(g, {}, { w: { shape: [2], data: new Int32Array(2) } })).toThrow(
      "state 'w' wants f32, got a Int32Array",
    );
    expect(() => evaluate(g, { x: f32([1]) }, { w: f32([1, 2]) })).toThrow(ShapeError);
  });
});

describe('run-time sizes', () => {
  test('one graph, many sizes', () => {
    const x = input('x', ['n', 2]);
    const g = graph('g', { outputs: { m: mean(x, { axes: 0 }), i: iota(['n'], 0), d: dimValue('2*n+1', 'i32') } });
    for (const n of [1, 2, 5]) {
      const { outputs } = evaluate(g, {
        x: f32(
          Array.from({ length: 2 * n }, (_, i) => i),
          n,
          2,
        ),
      });
      expect([...outputs.m!.data]).toEqual([n - 1, n]);
      expect([...outputs.i!.data]).toEqual(Array.from({ length: n }, (_, i) => i));
      expect([...outputs.d!.data]).toEqual([2 * n + 1]);
      expect(outputs.i!.shape).toEqual([n]);
    }
  });
  test('that nothing shows must be given', () => {
    const g = graph('g', { outputs: { i: iota(['n'], 0) } });
    expect(() => evaluate(g)).toThrow(GraphError);
    expect(() => evaluate(g)).toThrow("evaluate 'g': the size 'n' is not given by any input; pass it in sizes");
    expect([...evaluate(g, {}, {}, { n: 3 }).outputs.i!.data]).toEqual([0, 1, 2]);
  });
});

describe('every dtype', () => {
  test('extremes of what is reduced, of nothing too', () => {
    expect(value(max(of('i8', [-5, -3])))).toEqual([-3]);
    expect(value(min(of('i8', [5, 3])))).toEqual([3]);
    expect(value(min(of('u8', [7, 200])))).toEqual([7]);
    expect(value(max(of('u32', [4294967295, 1])))).toEqual([4294967295]);
    expect(value(min(of('bool', [1, 1])))).toEqual([1]);
    expect(value(max(of('f16', [-2, -1])))).toEqual([-1]);
    expect(value(max(of('f32', [], 0)))).toEqual([-Infinity]);
    expect(value(sum(of('f32', [], 0, 3), { axes: 0 }) as Tensor)).toEqual([0, 0, 0]);
  });
  test('sums wrap or round where they are stored, and are exact before', () => {
    expect(value(sum(of('i32', [2147483647, 1])))).toEqual([-2147483648]);
    expect(value(sum(of('u8', [200, 100])))).toEqual([44]);
    expect(value(sum(of('f32', [16777216, 1, 1, -16777216])))).toEqual([2]);
    expect(value(sum(of('f16', [1, 2048, 1])))).toEqual([2050]);
  });
  test('halves are numbers, not bits', () => {
    const ids = of('i32', [1, 1, 0]);
    for (const dtype of ['f16', 'bf16'] as const) {
      expect(value(scatterAdd(ids as Tensor<readonly [3], 'i32'>, of(dtype, [1, 2.5, -3]), 3))).toEqual([-3, 3.5, 0]);
      expect(value(gather(of(dtype, [1, 2.5, -3]), ids as Tensor<readonly [3], 'i32'>))).toEqual([2.5, 2.5, 1]);
      expect(value(contract('ab,bc->ac', of(dtype, [1, 2, 3, 4], 2, 2), of(dtype, [1, 0.5, -1, 2], 2, 2)))).toEqual([
        -1, 4.5, -1, 9.5,
      ]);
      expect(value(add(of(dtype, [1]), full([1], 0.5, dtype) as Tensor) as Tensor)).toEqual([1.5]);
      expect(value(pad(of(dtype, [1]), [1], [0], 2))).toEqual([2, 1]);
    }
    expect(value(cast(of('f32', [1e5, 1e-9, 0.1]), 'f16') as Tensor)).toEqual([Infinity, 0, 0.0999755859375]);
  });
});

describe('addressing', () => {
  const ids = of('i32', [-7, 0, 9]) as Tensor<readonly [3], 'i32'>;
  test('indices outside are clamped', () => {
    expect(value(gather(of('f32', [1, 2, 3, 4], 2, 2), ids))).toEqual([1, 2, 1, 2, 3, 4]);
    expect(value(scatterAdd(ids, of('f32', [1, 10, 100]), 2))).toEqual([11, 100]);
  });
  test('a block written partly outside keeps what is inside', () => {
    expect(
      value(updateSlice(of('f32', [0, 0, 0]), of('f32', [1, 2]), of('i32', [2]) as Tensor<readonly [1], 'i32'>)),
    ).toEqual([0, 0, 1]);
    expect(
      value(updateSlice(of('f32', [0, 0, 0]), of('f32', [1, 2]), of('i32', [-1]) as Tensor<readonly [1], 'i32'>)),
    ).toEqual([2, 0, 0]);
  });
  test('a slice may end at a run-time size that its axis limits', () => {
    const [x, n] = [input('x', [5]), input('like', ['n'])];
    const g = graph('prefix', { outputs: { y: add(slice(x, { starts: [0], ends: ['n'] }), n) } });
    const run = (count: number) =>
      evaluate(g, {
        x: { data: new Float32Array([1, 2, 3, 4, 5]), shape: [5] },
        like: { data: new Float32Array(count).fill(2), shape: [count] },
      });
    expect(Array.from(run(3).outputs['y']!.data)).toEqual([3, 4, 5]);
    expect(() => run(6)).toThrow("'n' is 6, but is cut from an axis of 5");
    expect(() => slice(x, { starts: [1], ends: ['n'] })).toThrow("slice: axis 0 from 1 to 'n' wants");
    expect(slice(input('y', ['n+1']), { starts: [1], ends: ['n+1'] }).shape).toEqual(['n']);
  });
  test('slices as in numpy', () => {
    const x = of('f32', [0, 1, 2, 3, 4]);
    expect(value(slice(x, { starts: [-3], ends: [undefined] }))).toEqual([2, 3, 4]);
    expect(value(slice(x, { starts: [0], ends: [-1], steps: [2] }))).toEqual([0, 2]);
    expect(value(slice(x, { starts: [4], ends: [2] }))).toEqual([]);
    expect(value(slice(x, { starts: [1], ends: [100], steps: [3] }))).toEqual([1, 4]);
    expect(value(flip(x, [0]))).toEqual([4, 3, 2, 1, 0]);
    expect(() => slice(input('x', ['n']), { starts: [-1], ends: [undefined] })).toThrow(
      'slice: axis 0 of [n] has a run-time size',
    );
  });
});

describe('random numbers', () => {
  const run = (x: Expr): number => {
    if (x.k === 'const') return x.value;
    if (x.k !== 'op') throw new Error('no variables here');
    const [a, b, c] = x.args.map(run);
    return scalarFunction(x.op, dtypeOf(x.args[0]!), x.dtype)(a!, b!, c!);
  };
  // The known answers of Random123's own tests for philox2x32 with 10 rounds.
  test.each([
    [0, 0, 0, 0xff1dae59],
    [0xffffffff, 0xffffffff, 0xffffffff, 0x2c3f628b],
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0xdd7ce038],
  ])('Philox of counter %i, %i and key %i', (lo, hi, key, want) => {
    expect(run(philox(word(lo, 'u32'), word(hi, 'u32'), word(key, 'u32')))).toBe(want);
  });
  test('are uniform, and differ by seed, step and stream', () => {
    const draw = (seed: number, step: number, stream: number): Float32Array =>
      evaluate(graph('r', { outputs: { r: uniform(input('key', [2], 'u32'), [4000], stream) } }), {
        key: { shape: [2], data: Uint32Array.of(seed, step) },
      }).outputs.r!.data as Float32Array;
    const base = draw(1, 0, 0);
    const average = base.reduce((a, b) => a + b, 0) / base.length;
    const square = base.reduce((a, b) => a + b * b, 0) / base.length;
    expect(Math.abs(average - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(square - 1 / 3)).toBeLessThan(0.02);
    expect(Math.min(...base)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...base)).toBeLessThan(1);
    expect(draw(1, 0, 0)).toEqual(base);
    for (const other of [draw(2, 0, 0), draw(1, 1, 0), draw(1, 0, 1)]) {
      let product = 0;
      for (let i = 0; i < base.length; i++) product += (base[i]! - 0.5) * (other[i]! - 0.5);
      expect(Math.abs(product / base.length)).toBeLessThan(0.006);
    }
  });
});

test('an expression with a name that does not exist is an error', () => {
  const op: MapOp<object> = {
    name: 'bad',
    kind: 'map',
    infer: () => ({ shape: [1], dtype: 'f32' }),
    vjp: () => [],
    scalar: () => variable('nothing', 'f32'),
  };
  expect(() => evaluate(graph('g', { outputs: { bad: builder(op)([], {}) } }))).toThrow(
    "expression uses the unknown name 'nothing'",
  );
});
