import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DType, ScalarOp } from './index.ts';
import { arity, constantExpr, e, scalarFunction, substitute, variable } from './index.ts';
import { erf, wrap } from './scalar.ts';

const run = (op: ScalarOp, from: DType, to: DType, a: number, b = 0, c = 0): number =>
  scalarFunction(op, from, to)(a, b, c);

describe('integers', () => {
  test.each([
    ['add', 'i32', 2147483647, 1, -2147483648],
    ['sub', 'i32', -2147483648, 1, 2147483647],
    ['mul', 'i32', 65536, 65536, 0],
    ['mul', 'i32', 123456789, 987654321, -67153019],
    ['div', 'i32', -7, 2, -3],
    ['div', 'i32', 7, -2, -3],
    ['div', 'i32', 5, 0, 0],
    ['div', 'i32', -2147483648, -1, -2147483648],
    ['mod', 'i32', -7, 2, -1],
    ['mod', 'i32', 7, -2, 1],
    ['mod', 'i32', 7, 0, 0],
    ['neg', 'i32', -2147483648, 0, -2147483648],
    ['abs', 'i32', -2147483648, 0, -2147483648],
    ['min', 'i32', -1, 1, -1],
    ['max', 'i32', -1, 1, 1],
    ['shl', 'i32', 1, 31, -2147483648],
    ['shr', 'i32', -8, 1, -4],
    ['shr', 'u32', 4294967288, 1, 2147483644],
    ['xor', 'u32', 4294967295, 1, 4294967294],
    ['add', 'u32', 4294967295, 1, 0],
    ['sub', 'u32', 0, 1, 4294967295],
    ['mul', 'u32', 4294967295, 4294967295, 1],
    ['div', 'u32', 4294967295, 2, 2147483647],
    ['add', 'u8', 250, 10, 4],
    ['sub', 'i8', -128, 1, 127],
    ['mul', 'i8', 100, 3, 44],
    ['and', 'bool', 1, 0, 0],
    ['or', 'bool', 1, 0, 1],
    ['xor', 'bool', 1, 1, 0],
  ] as const)('%s of %s %i, %i is %i', (op, dtype, a, b, want) => {
    expect(run(op, dtype, dtype, a, b)).toBe(want);
  });

  test('the high half of a product is exact', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4294967295 }), fc.integer({ min: 0, max: 4294967295 }), (a, b) => {
        expect(run('mulhi', 'u32', 'u32', a, b)).toBe(Number((BigInt(a) * BigInt(b)) >> 32n));
      }),
    );
  });
});

describe('reals', () => {
  test.each([
    ['add', 0.1, 0.2, Math.fround(Math.fround(0.1) + Math.fround(0.2))],
    ['div', 1, 0, Infinity],
    ['div', 0, 0, NaN],
    ['mod', -5.5, 2, -1.5],
    ['mod', 1, 0, NaN],
    ['min', NaN, 1, NaN],
    ['max', 1, NaN, NaN],
    ['pow', -8, 3, -512],
    ['pow', -8, 0.5, NaN],
    ['pow', 0, 0, 1],
    ['sqrt', -1, 0, NaN],
    ['log', 0, 0, -Infinity],
    ['exp', 89, 0, Infinity],
    ['exp', -104, 0, 0],
    ['floor', -1.5, 0, -2],
    ['tanh', 40, 0, 1],
    ['lt', NaN, 1, 0],
    ['le', 1, 1, 1],
    ['eq', NaN, NaN, 0],
    ['eq', 0, -0, 1],
    ['round', 0.5, 0, 0],
    ['round', 1.5, 0, 2],
    ['round', 2.5, 0, 2],
    ['round', -0.5, 0, -0],
    ['round', -1.5, 0, -2],
    ['round', -2.5, 0, -2],
    ['round', 8388609, 0, 8388609],
  ] as const)('%s of %d, %d is %d', (op, a, b, want) => {
    const to = op === 'lt' || op === 'le' || op === 'eq' ? 'bool' : 'f32';
    expect(run(op, 'f32', to, Math.fround(a), Math.fround(b))).toBe(want);
  });

  test('fma rounds once, select takes any condition but 0', () => {
    expect(run('fma', 'f32', 'f32', 16777217, 1, -16777216)).toBe(1);
    expect(run('select', 'f32', 'f32', 1, 2, 3)).toBe(2);
    expect(run('select', 'f32', 'f32', 0, 2, 3)).toBe(3);
  });

  // Values of NIST's Digital Library of Mathematical Functions, table 7.23, and of the same series in 30 digits.
  test.each([
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.5, 0.999593047982555],
    [3, 0.9999779095030014],
    [1e-10, 1.1283791670955126e-10],
    [5.9, 1],
    [30, 1],
  ])('erf of %d', (x, want) => {
    expect(Math.abs(erf(x) / want - 1)).toBeLessThan(1e-15);
    expect(erf(-x)).toBe(-erf(x));
  });
  test('erf is smooth where its formulas meet, and 0 at 0', () => {
    expect(Math.abs(erf(2.5 + 1e-12) - erf(2.5 - 1e-12))).toBeLessThan(1e-14);
    expect(erf(0)).toBe(0);
    expect(erf(NaN)).toBeNaN();
  });
});

describe('casts', () => {
  test.each([
    ['f32', 'i32', 3e9, 2147483647],
    ['f32', 'i32', -3e9, -2147483648],
    ['f32', 'i32', -1.9, -1],
    ['f32', 'i32', NaN, 0],
    ['f32', 'u32', -1, 0],
    ['f32', 'u32', Infinity, 4294967295],
    ['f32', 'i8', 300, 44],
    ['f32', 'u8', -1, 255],
    ['f32', 'bool', 0.1, 1],
    ['f32', 'bool', NaN, 1],
    ['f32', 'bool', -0, 0],
    ['i32', 'f32', 16777217, 16777216],
    ['i32', 'u32', -1, 4294967295],
    ['u32', 'i32', 4294967295, -1],
    ['i32', 'i8', 200, -56],
    ['i32', 'bool', 5, 1],
    ['bool', 'f32', 1, 1],
  ] as const)('%s to %s: %d is %d', (from, to, x, want) => {
    expect(run('cast', from, to, x)).toBe(want);
  });
  test('bits are kept', () => {
    expect(run('bitcast', 'f32', 'u32', 1)).toBe(0x3f800000);
    expect(run('bitcast', 'u32', 'f32', 0x7f800000)).toBe(Infinity);
    expect(run('bitcast', 'f32', 'i32', -0)).toBe(-2147483648);
  });
  test('wrapping', () => {
    expect([wrap(300, 'u8'), wrap(-129, 'i8'), wrap(2 ** 32 + 1, 'u32'), wrap(0.1, 'f32'), wrap(3, 'bool')]).toEqual([
      44,
      127,
      1,
      Math.fround(0.1),
      1,
    ]);
  });
});

describe('expressions', () => {
  test('every scalar op has as many operands as its arity', () => {
    for (const [op, count] of Object.entries(arity))
      expect(scalarFunction(op as ScalarOp, 'f32', 'f32').length, op).toBeLessThanOrEqual(Math.max(count, 3));
  });
  test('operands of two dtypes are refused in words', () => {
    expect(() => e.add(constantExpr(1), constantExpr(1, 'f32'))).toThrow(
      'add: operands have dtypes i32 and f32; cast one of them',
    );
  });
  test('casts to the same dtype are nothing, comparisons are bool', () => {
    const x = variable('x');
    expect(e.cast(x, 'i32')).toBe(x);
    expect(e.bitcast(x, 'i32')).toBe(x);
    expect(e.lt(x, x)).toMatchObject({ dtype: 'bool' });
  });
  test('substitution keeps shared parts shared and untouched parts themselves', () => {
    const [x, y] = [variable('x'), variable('y')];
    const shared = e.mul(x, x);
    const both = e.add(shared, shared);
    const out = substitute(both, (leaf) => (leaf.name === 'x' ? y : leaf));
    expect(out).toEqual(e.add(e.mul(y, y), e.mul(y, y)));
    expect(out.k === 'op' && out.args[0] === out.args[1]).toBe(true);
    expect(substitute(both, (leaf) => leaf)).toBe(both);
  });
});
