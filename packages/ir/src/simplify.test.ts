import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Expr } from './expr.ts';
import { constant, dtypeOf, e, variable } from './expr.ts';
import { scalarFunction } from './scalar.ts';
import { dimExpr, flatIndex, unflatten } from './shape.ts';
import type { Range } from './simplify.ts';
import { simplifier } from './simplify.ts';

type Point = Readonly<Record<string, number>>;

function value(x: Expr, at: Point): number {
  if (x.k === 'const') return x.value;
  if (x.k === 'var') return at[x.name]!;
  const [a, b, c] = x.args.map((arg) => value(arg, at));
  return scalarFunction(x.op, dtypeOf(x.args[x.op === 'select' ? 1 : 0]!), x.dtype)(a!, b!, c!);
}

function show(x: Expr): string {
  if (x.k === 'const') return String(x.value);
  if (x.k === 'var') return x.name;
  const infix: Partial<Record<string, string>> = {
    add: '+',
    sub: '-',
    mul: '*',
    div: '/',
    mod: '%',
    lt: '<',
    le: '<=',
    eq: '==',
  };
  const args = x.args.map(show);
  return infix[x.op] ? `(${args.join(` ${infix[x.op]} `)})` : `${x.op}(${args.join(', ')})`;
}

const size = (x: Expr): number => (x.k === 'op' ? 1 + x.args.reduce((n, a) => n + size(a), 0) : 1);
const [B, S, H] = ['B', 'S', 'H'].map((n) => variable(n)) as [Expr, Expr, Expr];

/** Run-time sizes from 1, counters below a constant, below a size, below a product of sizes, and any integer. */
const ranges: Readonly<Record<string, Range>> = {
  B: { min: 1, max: Infinity },
  S: { min: 1, max: Infinity },
  H: { min: 1, max: Infinity },
  i: { min: 0, max: 6 },
  j: { min: 0, max: 31 },
  one: { min: 0, max: 0 },
  b: { min: 0, max: Infinity, count: B },
  s: { min: 0, max: Infinity, count: S },
  h: { min: 0, max: Infinity, count: H },
  m: { min: 0, max: Infinity, count: e.mul(B, S) },
  f: { min: 0, max: Infinity, count: e.mul(S, constant(32)) },
  z: { min: -9, max: 5 },
};
const simplify = (x: Expr): Expr => simplifier({ range: (name) => ranges[name] })(x);

/** Points at the corners of all ranges and at random in them. */
function points(seed: readonly number[]): Point[] {
  const out: Point[] = [];
  let n = 0;
  const next = (count: number): number => Math.floor(seed[n++ % seed.length]! * count);
  for (let round = 0; round < 24; round++) {
    const [b, s, h] = [1 + next(4), 1 + next(5), 1 + next(3)];
    const corner = round % 3;
    const below = (count: number): number => (corner === 0 ? 0 : corner === 1 ? count - 1 : next(count));
    out.push({
      B: b,
      S: s,
      H: h,
      i: below(7),
      j: below(32),
      one: 0,
      b: below(b),
      s: below(s),
      h: below(h),
      m: below(b * s),
      f: below(s * 32),
      z: below(15) - 9,
      any: next(4001) - 2000,
    });
  }
  return out;
}

const { int } = fc.letrec<{ int: Expr; bool: Expr }>((tie) => ({
  int: fc.oneof(
    { depthSize: 'medium', maxDepth: 6 },
    fc.constantFrom(...Object.keys(ranges), 'any').map((n) => variable(n) as Expr),
    fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 31, 32, -1, -5).map((v) => constant(v) as Expr),
    fc
      .tuple(fc.constantFrom('add', 'sub', 'mul', 'min', 'max'), tie('int'), tie('int'))
      .map(([op, a, b]) => e[op](a, b)),
    fc
      .tuple(
        fc.constantFrom('div', 'mod'),
        tie('int'),
        fc.oneof(
          fc.constantFrom(...[1, 2, 3, 4, 8, 32].map((v) => constant(v) as Expr), B, S, e.mul(B, S)),
          tie('int'),
        ),
      )
      .map(([op, a, b]) => e[op](a, b)),
    fc.tuple(tie('bool'), tie('int'), tie('int')).map(([c, a, b]) => e.select(c, a, b)),
    tie('int').map((a) => e.neg(a)),
    tie('bool').map((c) => e.cast(c, 'i32')),
  ),
  bool: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.tuple(fc.constantFrom('lt', 'le', 'eq'), tie('int'), tie('int')).map(([op, a, b]) => e[op](a, b)),
    fc.tuple(fc.constantFrom('and', 'or'), tie('bool'), tie('bool')).map(([op, a, b]) => e[op](a, b)),
    tie('bool').map((c) => e.not(c)),
  ),
}));

const seeds = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 17, maxLength: 17 });

function same(x: Expr, at: Point): void {
  const short = simplify(x);
  if (value(short, at) !== value(x, at))
    throw new Error(
      `${show(x)} became ${show(short)}: ${value(x, at)} became ${value(short, at)} at ${JSON.stringify(at)}`,
    );
}

/** Whether every part of `x` keeps within 32 bits: what is known of symbolic sizes holds only there. */
function fits(x: Expr, at: Point): boolean {
  if (x.k !== 'op') return true;
  if (!x.args.every((a) => fits(a, at))) return false;
  const [a = 0, b = 0] = x.args.map((arg) => value(arg, at));
  const exact = x.op === 'mul' ? a * b : x.op === 'add' ? a + b : x.op === 'sub' ? a - b : x.op === 'neg' ? -a : 0;
  return Math.abs(exact) < 2 ** 31;
}

test('means the same at every point in range', () => {
  fc.assert(
    fc.property(int, seeds, (x, seed) => {
      for (const at of points(seed)) if (fits(x, at)) same(x, at);
      const short = simplify(x);
      expect(size(simplify(short))).toBeLessThanOrEqual(size(short));
    }),
    { numRuns: 1500 },
  );
});

test('means the same for data, which wraps', () => {
  const data = fc.letrec<{ int: Expr; bool: Expr }>((tie) => ({
    int: fc.oneof(
      { depthSize: 'medium', maxDepth: 5 },
      fc.constantFrom('p', 'q', 'z', 'j').map((n) => variable(n) as Expr),
      fc.constantFrom(0, 1, 2, -1, 3, 65536, 2147483647, -2147483648).map((v) => constant(v) as Expr),
      fc
        .tuple(fc.constantFrom('add', 'sub', 'mul', 'min', 'max', 'div', 'mod'), tie('int'), tie('int'))
        .map(([op, a, b]) => e[op](a, b)),
      fc.tuple(tie('bool'), tie('int'), tie('int')).map(([c, a, b]) => e.select(c, a, b)),
    ),
    bool: fc.tuple(fc.constantFrom('lt', 'le', 'eq'), tie('int'), tie('int')).map(([op, a, b]) => e[op](a, b)),
  })).int;
  const word = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 2147483647, -2147483648, 65536));
  fc.assert(
    fc.property(
      data,
      fc.array(
        fc.record({ p: word, q: word, z: fc.integer({ min: -9, max: 5 }), j: fc.integer({ min: 0, max: 31 }) }),
        { minLength: 5 },
      ),
      (x, all) => {
        for (const at of all) same(x, at);
      },
    ),
    { numRuns: 1500 },
  );
});

describe('index arithmetic shrinks', () => {
  const [m, s, b, h, i, j, f] = ['m', 's', 'b', 'h', 'i', 'j', 'f'].map((n) => variable(n)) as [
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
    Expr,
  ];
  const c = constant;
  const cases: [string, Expr, string][] = [
    [
      'a split row index is joined again',
      e.add(e.mul(e.add(e.mul(e.div(m, S), S), e.mod(m, S)), c(384)), j),
      '((m * 384) + j)',
    ],
    ['of one size', e.add(e.mul(e.div(i, c(4)), c(4)), e.mod(i, c(4))), 'i'],
    ['an index under its size has no quotient', e.div(s, S), '0'],
    ['nor a remainder other than itself', e.mod(s, S), 's'],
    ['a row times a width is divided by it', e.div(e.add(e.mul(b, S), s), S), 'b'],
    ['and leaves the column', e.mod(e.add(e.mul(b, S), s), S), 's'],
    ['a clamp that the count makes idle', e.min(m, e.sub(e.mul(B, S), c(1))), 'm'],
    ['a clamp from below', e.max(m, c(0)), 'm'],
    ['a bound that always holds', e.lt(s, S), '1'],
    ['a bound that never holds', e.le(S, s), '0'],
    ['padding of nothing', e.and(e.le(c(0), j), e.lt(j, c(32))), '1'],
    ['terms collect', e.sub(e.add(e.mul(i, c(3)), i), e.mul(i, c(4))), '0'],
    ['quotients of quotients', e.div(e.div(f, c(4)), c(8)), '(f / 32)'],
    ['a counter of one iteration', e.add(variable('one'), j), 'j'],
    ['selects of one value', e.select(e.lt(i, j), s, s), 's'],
  ];
  test.each(cases)('%s', (_, x, want) => {
    expect(show(simplify(x))).toBe(want);
  });

  test('unflatten after flatten gives the indices back, also of several run-time sizes', () => {
    const shape = ['B', 'S', 'H', 7];
    const at = [b, s, h, i];
    expect(unflatten(shape, flatIndex(shape, at)).map(simplify).map(show)).toEqual(['b', 's', 'h', 'i']);
  });

  test('flatten after unflatten is the flat index, for three and four run-time sizes', () => {
    for (const shape of [
      ['B', 'S'],
      ['B', 'S', 32],
      ['B', 'S', 'H'],
      ['B', 'S', 'H', 7],
      ['B', 'S', 'H', 'W', 32],
    ]) {
      const flat = variable('flat');
      const count = shape.map(dimExpr).reduce((p, q) => e.mul(p, q));
      const run = simplifier({
        range: (n) => (n === 'flat' ? { min: 0, max: Infinity, count } : { min: 1, max: Infinity }),
      });
      expect(show(run(flatIndex(shape, unflatten(shape, flat))))).toBe('flat');
    }
  });

  test('a reshape of heads composed with its inverse is plain', () => {
    const split = unflatten(
      ['B', 'S', 12, 32],
      flatIndex(['B', 'S', 384], unflatten(['B', 'S', 384], flatIndex(['B', 'S', 12, 32], [b, s, i, j]))),
    );
    expect(split.map(simplify).map(show)).toEqual(['b', 's', 'i', 'j']);
  });

  test('shared parts are simplified once: time grows with the graph of an expression, not with its tree', () => {
    let x: Expr = variable('any');
    for (let n = 0; n < 200; n++) x = e.min(e.max(x, e.add(x, e.mod(x, c(7)))), e.mul(x, x));
    const start = performance.now();
    simplify(x);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('never grows what it cannot improve much', () => {
    fc.assert(
      fc.property(int, (x) => size(simplify(x)) <= 4 * size(x) + 40),
      { numRuns: 500 },
    );
  });
});

test('constants fold as the ops compute, for reals too', () => {
  const f = (v: number): Expr => constant(v, 'f32');
  expect(simplify(e.div(f(1), f(3)))).toEqual(constant(Math.fround(1 / 3), 'f32'));
  expect(simplify(e.mul(e.exp(f(0)), variable('x', 'f32')))).toEqual(variable('x', 'f32'));
  expect(simplify(e.add(constant(2147483647), constant(1)))).toEqual(constant(-2147483648));
  expect(simplify(e.xor(constant(1, 'bool'), constant(1, 'bool')))).toEqual(constant(0, 'bool'));
});
