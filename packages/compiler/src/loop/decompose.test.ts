import type { ScalarOp } from '@sinter/ir';
import { arity, e, scalarFunction, variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import { decompose } from './decompose.ts';
import type { LoopExpr } from './language.ts';

const floor: readonly ScalarOp[] = [
  'add',
  'sub',
  'mul',
  'div',
  'select',
  'lt',
  'le',
  'eq',
  'and',
  'or',
  'xor',
  'shl',
  'shr',
  'cast',
  'bitcast',
  'sqrt',
];
const usual: readonly ScalarOp[] = [...floor, 'min', 'max', 'fma', 'floor', 'round', 'abs', 'neg'];
const [x, y] = [variable('x', 'f32') as LoopExpr, variable('y', 'f32') as LoopExpr];

/** A function of `x` and `y`; `fused` says whether fma rounds once (to within a double rounding) or twice. */
function compile(root: LoopExpr, fused: boolean): (x: number, y?: number) => number {
  const order: ((v: number[]) => number)[] = [];
  const at = new Map<LoopExpr, number>();
  const visit = (node: LoopExpr): number => {
    const known = at.get(node);
    if (known !== undefined) return known;
    let run: (v: number[]) => number;
    if (node.k === 'const') {
      const { value } = node;
      run = () => value;
    } else if (node.k === 'var') {
      const slot = node.name === 'x' ? 0 : 1;
      run = (v) => v[slot]!;
    } else if (node.k === 'op') {
      const [a, b, c] = node.args.map(visit) as [number, number, number];
      const f = scalarFunction(node.op, node.args[node.op === 'select' ? 1 : 0]!.dtype, node.dtype);
      run =
        node.op === 'fma' && !fused
          ? (v) => Math.fround(Math.fround(v[a]! * v[b]!) + v[c]!)
          : (v) => f(v[a]!, v[b]!, v[c]!);
    } else throw new Error('no loads here');
    order.push(run);
    at.set(node, order.length + 1);
    return order.length + 1;
  };
  const last = visit(root);
  const v = new Array<number>(order.length + 2).fill(0);
  return (p, q = 0) => {
    v[0] = p;
    v[1] = q;
    for (let i = 0; i < order.length; i++) v[i + 2] = order[i]!(v);
    return v[last]!;
  };
}

function ulp(v: number): number {
  return Math.abs(v) < 2 ** -126 ? 2 ** -149 : 2 ** (Math.floor(Math.log2(Math.abs(v))) - 23);
}

/** The largest error in ulp of the decomposed op over `samples` points. */
function worst(op: 'exp' | 'log' | 'tanh' | 'erf', points: Iterable<number>, fused: boolean, reorders = false): number {
  const exact = { exp: Math.exp, log: Math.log, tanh: Math.tanh, erf: exactErf }[op];
  const run = compile(decompose(e[op](x), new Set(usual), reorders), fused);
  let most = 0;
  for (const p of points) {
    const v = Math.fround(p);
    const want = exact(v);
    most = Math.max(most, Math.abs(run(v) - want) / ulp(want));
  }
  return most;
}

function exactErf(v: number): number {
  // The op itself rounds to f32; here the same series in double precision.
  const a = Math.abs(v);
  if (a < 2.5) {
    let [term, sum] = [v, v];
    for (let n = 1; n < 100; n++) {
      term *= (2 * v * v) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-v * v) * sum;
  }
  let fraction = a;
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction;
  return Math.sign(v) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction);
}

function* linear(from: number, to: number, count: number): Generator<number> {
  for (let i = 0; i <= count; i++) yield from + ((to - from) * i) / count;
}
function* geometric(from: number, to: number, count: number): Generator<number> {
  for (let i = 0; i <= count; i++) yield from * (to / from) ** (i / count);
}

test.each([true, false])('errors in ulp over dense samples, fused multiply-add: %s', (fused) => {
  expect(worst('exp', linear(-86.9, 88.72, 100_000), fused)).toBeLessThan(1.25);
  expect(worst('exp', geometric(1e-40, 1, 20_000), fused)).toBeLessThan(1.25);
  expect(worst('exp', linear(-86.9, 88.72, 100_000), fused, true)).toBeLessThan(1.25);
  expect(worst('log', geometric(1.5e-45, 3.4e38, 100_000), fused)).toBeLessThan(1);
  expect(worst('log', linear(0.5, 2, 50_000), fused)).toBeLessThan(1);
  for (const op of ['tanh', 'erf'] as const) {
    expect(worst(op, linear(-10, 10, 100_000), fused)).toBeLessThan(6.5);
    expect(worst(op, geometric(1e-30, 0.47, 50_000), fused)).toBeLessThan(4);
  }
});

/** Every so many-th number that 32 bits can hold, of either sign, denormals included. */
function* everyFloat(step: number): Generator<number> {
  const words = new Uint32Array(1);
  const value = new Float32Array(words.buffer);
  for (let bits = 0; bits < 2 ** 32; bits += step) {
    words[0] = bits;
    if (Number.isFinite(value[0])) yield value[0]!;
  }
}

test.each([true, false])('errors in ulp over the whole of f32, fused multiply-add: %s', (fused) => {
  const step = 16_381;
  const inside = (low: number, high: number) => [...everyFloat(step)].filter((v) => v >= low && v <= high);
  expect(worst('exp', inside(-86.9, 88.72), fused)).toBeLessThan(1.25);
  expect(worst('log', inside(2 ** -149, Infinity), fused)).toBeLessThan(1);
  for (const op of ['tanh', 'erf'] as const) expect(worst(op, everyFloat(step), fused)).toBeLessThan(6.5);
});

test.each([true, false])('sine and cosine up to 10,000, fused multiply-add: %s', (fused) => {
  for (const [op, exact] of [
    ['sin', Math.sin],
    ['cos', Math.cos],
  ] as const) {
    const run = compile(decompose(e[op](x), new Set(usual)), fused);
    for (const p of linear(-10_000, 10_000, 100_000)) {
      const v = Math.fround(p);
      if (!(Math.abs(run(v) - exact(v)) < 1e-7)) expect.fail(`${op}(${v}) = ${run(v)}, not ${exact(v)}`);
    }
    for (const huge of [1e6, -1e9, 3e38]) expect(Math.abs(run(huge))).toBeLessThanOrEqual(1);
    expect(run(Infinity)).toBeNaN();
    expect(run(NaN)).toBeNaN();
  }
  const sin = compile(decompose(e.sin(x), new Set(usual)), fused);
  for (const p of geometric(1e-30, 3, 10_000))
    expect(Math.abs(sin(Math.fround(p)) / Math.sin(Math.fround(p)) - 1)).toBeLessThan(2e-7);
});

test.each([
  ['all usual ops', usual, false],
  ['the barest ops', floor, false],
  ['a driver that reorders', usual, true],
] as const)('edges with %s', (_, spells, reorders) => {
  const of = (op: 'exp' | 'log' | 'tanh' | 'erf') => compile(decompose(e[op](x), new Set(spells), reorders), true);
  const exp = of('exp');
  expect([0, -0, Infinity, -Infinity, 1000, -1000, 88.8, -104].map(exp)).toEqual([
    1,
    1,
    Infinity,
    0,
    Infinity,
    0,
    Infinity,
    0,
  ]);
  expect(exp(Math.fround(88.7228))).toBeLessThan(Infinity);
  expect(exp(NaN)).toBeNaN();
  const log = of('log');
  expect([1, 0, -0, -1, -Infinity, Infinity].map(log)).toEqual([0, -Infinity, -Infinity, NaN, NaN, Infinity]);
  const tanh = of('tanh');
  const erf = of('erf');
  for (const run of [tanh, erf]) {
    expect([0, -0, Infinity, -Infinity, 20, -20].map(run)).toEqual([0, -0, 1, -1, 1, -1]);
  }
  for (const run of [exp, log, tanh, erf]) {
    expect(run(NaN)).toBeNaN();
    // A NaN with other bits than the usual one.
    expect(run(new Float32Array(Uint32Array.of(0xffffffff).buffer)[0]!)).toBeNaN();
  }
});

test('pow has the special cases of C', () => {
  const pow = compile(decompose(e.pow(x, y), new Set(usual)), true);
  const cases: [number, number, number][] = [
    [2, 10, 1024],
    [2, -1, 0.5],
    [-2, 3, -8],
    [-2, 2, 4],
    [-8, -1, -0.125],
    [0, 0, 1],
    [NaN, 0, 1],
    [1, NaN, 1],
    [-1, Infinity, 1],
    [0, 3, 0],
    [-0, 3, -0],
    [-0, 2, 0],
    [0, -1, Infinity],
    [-0, -1, -Infinity],
    [-2, 0.5, NaN],
    [Infinity, 2, Infinity],
    [Infinity, -1, 0],
    [-Infinity, 3, -Infinity],
    [-Infinity, 2, Infinity],
    [-Infinity, 0.5, Infinity],
    [0.5, Infinity, 0],
    [2, Infinity, Infinity],
    [2, -Infinity, 0],
    [NaN, 2, NaN],
    [2, NaN, NaN],
  ];
  for (const [a, b, want] of cases) {
    const got = pow(a, b);
    if (Number.isFinite(want) && want !== 0) expect(got / want, `${a} ** ${b}`).toBeCloseTo(1, 5);
    else expect(got, `${a} ** ${b}`).toBe(want);
  }
  for (const p of [2, 3, 4, 0.5, -0.5, -1, -2]) {
    const run = compile(decompose(e.pow(x, { k: 'const', value: p, dtype: 'f32' }), new Set(usual)), true);
    for (const v of linear(0.1, 9, 1000))
      expect(Math.abs(run(Math.fround(v)) / Math.fround(v) ** p - 1)).toBeLessThan(2.5e-7);
  }
});

test('rounding, remainders and what is left, from the barest ops', () => {
  const numbers = [
    0,
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    3.49,
    -3.51,
    1e6 + 0.5,
    8388607.5,
    -8388609,
    1e10,
    -1e30,
    Infinity,
    -Infinity,
    NaN,
  ].map(Math.fround);
  for (const op of ['floor', 'round', 'abs', 'neg'] as const) {
    const run = compile(decompose(e[op](x), new Set(floor)), true);
    const want = scalarFunction(op, 'f32', 'f32');
    for (const v of numbers) expect(run(v) + 0, `${op}(${v})`).toBe(want(v, 0, 0) + 0);
  }
  for (const op of ['min', 'max', 'mod'] as const) {
    const run = compile(decompose(e[op](x, y), new Set(floor)), true);
    const want = scalarFunction(op, 'f32', 'f32');
    for (const a of [7, -7, 0.75, 5.5])
      for (const b of [2, 3, -2, 0.5]) expect(run(a, b) + 0, `${op}(${a}, ${b})`).toBe(want(a, b, 0) + 0);
  }
  const u = (name: string): LoopExpr => variable(name, 'u32');
  const mulhi = compile(decompose(e.mulhi(u('x'), u('y')), new Set(floor)), true);
  for (const [a, b] of [
    [0xffffffff, 0xffffffff],
    [0xd2511f53, 0x12345678],
    [0x10000, 0x10000],
    [3, 5],
  ] as const) {
    expect(mulhi(a, b)).toBe(scalarFunction('mulhi', 'u32', 'u32')(a, b, 0));
  }
});

test('spelled ops and shared parts are left alone; what cannot be written is an error', () => {
  const shared = e.exp(x);
  const all = new Set(Object.keys(arity) as ScalarOp[]);
  expect(decompose(e.mul(shared, shared), all)).toEqual(e.mul(shared, shared));
  const product = decompose(e.mul(shared, shared), new Set(usual));
  expect(product.k === 'op' && product.args[0] === product.args[1]).toBe(true);
  expect(() => decompose(e.sqrt(x), new Set())).toThrow(/cannot spell 'sqrt'/);
});
