import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  broadcastShapes,
  dimNames,
  dimProduct,
  dimSize,
  dimSum,
  input,
  normalAxis,
  sameShape,
  shapeSize,
  ShapeError,
  showShape,
} from './index.ts';
import type { Dim } from './index.ts';

const dim: fc.Arbitrary<Dim> = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.constantFrom('a', 'b', 'c', '2*a', 'a*b', 'a+b', '3*b*c+a+2'),
);
const sizes = { a: 2, b: 5, c: 7 };

test('sums and products of sizes mean what they say, and do not depend on the order', () => {
  fc.assert(
    fc.property(fc.array(dim, { maxLength: 4 }), (dims) => {
      const numbers = shapeSize(dims, sizes);
      expect(dimSize(dimSum(dims), sizes)).toBe(numbers.reduce((a, b) => a + b, 0));
      expect(dimSize(dimProduct(dims), sizes)).toBe(numbers.reduce((a, b) => a * b, 1));
      expect(dimSum([...dims].reverse())).toBe(dimSum(dims));
      expect(dimProduct([...dims].reverse())).toBe(dimProduct(dims));
    }),
  );
});

test('their text is short', () => {
  expect(dimSum(['seq', 1, 'seq'])).toBe('2*seq+1');
  expect(dimSum([3, 4])).toBe(7);
  expect(dimProduct([2, 'seq+1', 'batch'])).toBe('2*batch+2*batch*seq');
  expect(dimProduct(['b', 0])).toBe(0);
  expect(dimProduct([])).toBe(1);
  expect(dimNames('2*batch*seq+seq')).toEqual(['batch', 'seq', 'seq']);
  expect(showShape(['batch', 3])).toBe('[batch, 3]');
  expect(sameShape(['a'], ['a'])).toBe(true);
});

test('broadcasting by numpy’s rule, an empty axis too', () => {
  expect(
    broadcastShapes('add', [
      [3, 1],
      ['a', 1, 4],
    ]),
  ).toEqual(['a', 3, 4]);
  expect(broadcastShapes('add', [[0], [1]])).toEqual([0]);
  expect(() =>
    broadcastShapes('add', [
      [2, 3],
      [4, 3],
    ]),
  ).toThrow('add: shapes [2, 3] and [4, 3] do not broadcast: 2 ≠ 4 in axis -2');
});

test('what is no size, no axis or has no value is an error in words', () => {
  for (const bad of [-1, 1.5, NaN, '', 'a b', '*']) expect(() => input('x', [bad])).toThrow(ShapeError);
  expect(() => normalAxis('sum', 2, 2)).toThrow('sum: axis 2 is outside of rank 2; use -2 to 1');
  expect(() => dimSize('a*x', { a: 1 })).toThrow("the size 'x' of dim 'a*x' has no value; give one of a");
});
