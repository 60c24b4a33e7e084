import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketize, histogramOf, histogramValue } from './histogram.ts';

test('equal widths, the last bucket closed', () => {
  expect(bucketize([0, 1, 2, 3, 4], 2)).toEqual([
    { left: 0, right: 2, count: 2 },
    { left: 2, right: 4, count: 3 },
  ]);
});

test('equal values are counted in the last bucket, no values nowhere', () => {
  expect(bucketize([5, 5], 2)).toEqual([
    { left: 5, right: 5, count: 0 },
    { left: 5, right: 5, count: 2 },
  ]);
  expect(bucketize([NaN, Infinity], 1)).toEqual([{ left: 0, right: 0, count: 0 }]);
});

test('a range of subnormal numbers keeps its edges in order', () => {
  expect(bucketize([7.4e-323], 1)).toEqual([{ left: 7.4e-323, right: 7.4e-323, count: 1 }]);
});

test('every finite value is counted, edges ascend, and the value round-trips', () => {
  fc.assert(
    fc.property(fc.array(fc.double()), fc.integer({ min: 1, max: 40 }), (values, count) => {
      const buckets = bucketize(values, count);
      expect(buckets.reduce((sum, b) => sum + b.count, 0)).toBe(values.filter(Number.isFinite).length);
      for (const { left, right } of buckets) expect(right).toBeGreaterThanOrEqual(left);
      expect(histogramOf(histogramValue('h', values, { buckets: count }))).toEqual(buckets);
    }),
  );
});
