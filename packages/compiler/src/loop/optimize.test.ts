import { constantExpr, variable } from '@sinter/ir';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import { load, loop, store } from './language.ts';
import { printKernel, printPlan } from './print.ts';
import { runKernel } from './run.ts';
import { f, i, kernelOf, matmul, op, samplePlan, softmax, v } from './samples.test.kit.ts';
import { verifyKernel } from './verify.ts';
import { optimize } from './optimize.ts';

// ---- random kernels: every choice is a number of a random list

class Choices {
  private at = 0;
  private names = 0;
  private readonly numbers: readonly number[];
  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }
  below(n: number): number {
    return (this.numbers[this.at++ % this.numbers.length]! + this.at) % n;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
  /** Sometimes a name that another block may have too. */
  name(): string {
    return `n${this.names++}`;
  }
}
interface Scope {
  readonly ints: readonly string[];
  readonly floats: readonly string[];
  readonly allocs: readonly string[];
}

/** An integer from 0 to some thousand. */
function int(c: Choices, s: Scope, depth: number): LoopExpr {
  if (depth === 0 || c.below(4) === 0)
    return c.below(2) === 0 || s.ints.length === 0 ? i(c.below(7)) : v(c.pick(s.ints), 'i32');
  const [a, b] = [int(c, s, depth - 1), int(c, s, depth - 1)];
  switch (c.below(7)) {
    case 0:
    case 1:
      return op.mod(op.add(a, b), i(64));
    case 2:
      return op.mod(op.mul(a, b), i(97));
    case 3:
      return op.div(a, op.add(b, i(c.below(2))));
    case 4:
      return op.mod(a, i(1 + c.below(5)));
    case 5:
      return op.min(a, b);
    default:
      return op.add(a, op.mul(b, i(c.below(5))));
  }
}
function at(c: Choices, s: Scope, length: number): LoopExpr {
  return op.mod(int(c, s, 3), i(length));
}
function float(c: Choices, s: Scope, depth: number): LoopExpr {
  if (depth === 0 || c.below(5) === 0) {
    switch (c.below(5)) {
      case 0:
        return f(c.below(3) / 2);
      case 1:
        return op.cast(int(c, s, 2), 'f32');
      case 2:
        if (s.floats.length > 0) return v(c.pick(s.floats));
        break;
      case 3:
        if (s.allocs.length > 0) return load(c.pick(s.allocs), at(c, s, 8), 'f32');
        break;
      default:
    }
    return load(c.pick(['x', 'z']), at(c, s, 16), 'f32');
  }
  const [a, b] = [float(c, s, depth - 1), float(c, s, depth - 1)];
  switch (c.below(6)) {
    case 0:
      return op.add(a, a);
    case 1:
      return op.add(a, b);
    case 2:
      return op.mul(a, b);
    case 3:
      return op.select(op.lt(int(c, s, 2), int(c, s, 2)), a, b);
    case 4:
      return op.exp(op.min(a, f(1)));
    default:
      return op.max(a, b);
  }
}
function block(c: Choices, outer: Scope, depth: number, kind: 'plain' | 'vector'): Stmt[] {
  let s = outer;
  return Array.from({ length: 1 + c.below(4) }, (): Stmt => {
    const what = c.below(kind === 'vector' || depth === 0 ? 4 : 8);
    if (what === 0) {
      const name = c.name();
      const out: Stmt = { k: 'let', name, value: float(c, s, 3) };
      s = { ...s, floats: [...s.floats, name] };
      return out;
    }
    if (what === 1) {
      const name = c.name();
      const out: Stmt = { k: 'let', name, value: int(c, s, 3) };
      s = { ...s, ints: [...s.ints, name] };
      return out;
    }
    if (what < 4)
      return c.below(3) === 0 && s.allocs.length > 0
        ? store(c.pick(s.allocs), at(c, s, 8), float(c, s, 3))
        : store('z', at(c, s, 16), float(c, s, 3));
    if (what === 4)
      return {
        k: 'if',
        when: c.below(4) === 0 ? op.lt(i(c.below(2)), i(1)) : op.lt(int(c, s, 2), int(c, s, 2)),
        body: block(c, s, depth - 1, kind),
      };
    if (what === 5 && c.below(2) === 0) {
      const name = c.name();
      const out: Stmt = { k: 'alloc', name, dtype: 'f32', length: 8, memory: 'local' };
      s = { ...s, allocs: [...s.allocs, name] };
      return out;
    }
    const loopKind = c.pick(['serial', 'serial', 'unroll', 'vector'] as const);
    const count =
      loopKind === 'unroll' || c.below(2) === 0
        ? i(c.below(4))
        : c.pick([variable('n'), op.add(variable('n'), i(-1)), op.mod(int(c, s, 2), i(3))]);
    // Names of counters come back in other blocks.
    const counter = `k${depth}`;
    return loop(loopKind, counter, count, () =>
      block(c, { ...s, ints: [...s.ints, counter] }, depth - 1, loopKind === 'vector' ? 'vector' : 'plain'),
    );
  });
}
function randomKernel(numbers: readonly number[]): Kernel {
  const c = new Choices(numbers);
  const none: Scope = { ints: ['n'], floats: [], allocs: [] };
  const grid = c.below(2) === 0;
  return kernelOf(
    'random',
    [
      { name: 'x', dtype: 'f32', access: 'read' },
      { name: 'z', dtype: 'f32', access: 'update' },
    ],
    ['n'],
    grid
      ? [loop('grid', 'g', c.pick([variable('n'), i(3)]), () => block(c, { ...none, ints: ['n', 'g'] }, 3, 'plain'))]
      : block(c, none, 3, 'plain'),
  );
}

test('an optimized kernel is well formed, does the same to the last bit, and is optimized for good', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1 << 20), { minLength: 40, maxLength: 200 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (numbers, n, unroll) => {
        const kernel = randomKernel(numbers);
        const better = optimize(kernel, { unroll });
        verifyKernel(better);
        const run = (k: Kernel): Float32Array => {
          const z = Float32Array.from({ length: 16 }, (_, j) => j / 4);
          runKernel(k, { x: Float32Array.from({ length: 16 }, (_, j) => 2 - j / 3), z }, { n });
          return z;
        };
        expect(run(better)).toEqual(run(kernel));
        expect(printKernel(optimize(better, { unroll }))).toBe(printKernel(better));
      },
    ),
    { numRuns: 500 },
  );
});

test('softmax and matmul, readable', () => {
  expect(printKernel(optimize(softmax()))).toMatchInlineSnapshot(`
    "kernel softmax(x: read f32, y: write f32) over rows {
      for row grid rows {
        alloc acc: register f32[2]
        acc[0] = -Infinity
        acc[1] = 0.0
        let x_base = row * 8
        for a serial 8 {
          acc[0] = max(acc[0], x[x_base + a])
        }
        let top: f32 = acc[0]
        for b serial 8 {
          acc[1] = acc[1] + exp(x[x_base + b] - top)
        }
        for c vector 8 {
          y[x_base + c] = exp(x[x_base + c] - top) / acc[1]
        }
      }
    }
    "
  `);
  expect(printKernel(optimize(matmul(), { unroll: true }))).toMatchInlineSnapshot(`
    "kernel matmul(a: read f32, b: read f32, c: write f32) over m, k {
      for row grid m {
        alloc acc: register f32[8]
        for l vector 4 {
          acc[l] = 0.0
        }
        for l1 vector 4 {
          acc[l1 + 4] = 0.0
        }
        let a_base = k * row
        for p serial k {
          let a_value: f32 = a[a_base + p]
          let b_base = p * 8
          for l2 vector 4 {
            acc[l2] = fma(a_value, b[b_base + l2], acc[l2])
          }
          for l3 vector 4 {
            acc[l3 + 4] = fma(a_value, b[b_base + l3 + 4], acc[l3 + 4])
          }
        }
        let c_base = row * 8
        for l4 vector 4 {
          c[c_base + l4] = acc[l4]
        }
        for l5 vector 4 {
          c[c_base + l5 + 4] = acc[l5 + 4]
        }
      }
    }
    "
  `);
});

test('a plan, readable', () => {
  expect(printPlan(samplePlan()).split('\nkernel')[0]).toMatchInlineSnapshot(`
    "plan sample
    dim m 1..16
    dim k 8..8
    input x: f32[m, 8] in x
    state w: f32[8, 8] in w
    state count: f32[1] in count
    output y: f32[m, 8] in y
    buffers
      0  x      input    f32[m * 8]
      1  w      state    f32[64]
      2  count  state    f32[1]
      3  h      scratch  f32[m * 8]  steps 0..1
      4  y      output   f32[m * 8]
    steps
      0  softmax  x, h
      1  matmul   h, w, y
      2  count    count
    "
  `);
});

const buffers: Kernel['buffers'] = [
  { name: 'x', dtype: 'f32', access: 'read' },
  { name: 'y', dtype: 'f32', access: 'update' },
];
const text = (...body: Stmt[]): string =>
  printKernel(optimize(kernelOf('k', buffers, ['n'], body)))
    .split('\n')
    .slice(1, -2)
    .join('\n');
const x = (index: LoopExpr): LoopExpr => load('x', index, 'f32');

test('the part of an index that a loop does not change leaves it; constants stay last', () => {
  expect(
    text(
      loop('grid', 'm', v('n', 'i32'), (m) => [
        loop('serial', 'j', i(6), (j) => [
          loop('serial', 'k', v('n', 'i32'), (k) => [
            store('y', op.add(op.add(op.mul(op.add(op.mul(m, i(6)), j), i(384)), op.mul(k, i(4))), i(3)), f(1)),
          ]),
        ]),
      ]),
    ),
  ).toMatchInlineSnapshot(`
    "  for m grid n {
        let y_base = m * 2304
        for j serial 6 {
          let y_base1 = y_base + j * 384
          for k serial n {
            y[y_base1 + k * 4 + 3] = 1.0
          }
        }
      }"
  `);
});

test('loads leave loops only where they are sure to run and nothing writes', () => {
  expect(
    text(
      loop('grid', 'm', v('n', 'i32'), (m) => [
        loop('serial', 'a', i(4), (a) => [store('y', a, x(m))]),
        loop('serial', 'b', v('n', 'i32'), (b) => [store('y', b, op.exp(x(op.mul(m, i(2)))))]),
        loop('serial', 'c', i(4), (c) => [store('y', c, op.add(load('y', m, 'f32'), f(1)))]),
      ]),
    ),
  ).toMatchInlineSnapshot(`
    "  for m grid n {
        let x_value: f32 = x[m]
        for a serial 4 {
          y[a] = x_value
        }
        let x_base = m * 2
        for b serial n {
          y[b] = exp(x[x_base])
        }
        for c serial 4 {
          y[c] = y[m] + 1.0
        }
      }"
  `);
});

test('common values are named once, loads until their buffer is written', () => {
  expect(
    text(
      loop('grid', 'm', v('n', 'i32'), (m) => {
        const y = (): LoopExpr => load('y', op.mul(m, i(2)), 'f32');
        return [
          store('y', op.add(op.mul(m, i(2)), i(1)), op.mul(op.exp(y()), op.exp(y()))),
          store('y', m, op.add(y(), y())),
        ];
      }),
    ),
  ).toMatchInlineSnapshot(`
    "  for m grid n {
        let t = m * 2
        let t1: f32 = exp(y[t])
        y[t + 1] = t1 * t1
        let y_value: f32 = y[t]
        y[m] = y_value + y_value
      }"
  `);
});

test('conditions and loops that are known before the run disappear', () => {
  expect(
    text(
      loop('grid', 'm', i(8), (m) => [
        { k: 'if', when: op.lt(m, i(8)), body: [store('y', m, f(1))] },
        { k: 'if', when: op.lt(i(8), m), body: [store('y', m, f(2))] },
        loop('serial', 'z', i(0), () => [store('y', m, f(3))]),
        loop('serial', 'o', i(1), (o) => [store('y', op.add(m, o), f(4))]),
        { k: 'let', name: 'unused', value: x(m) },
        store('y', op.mod(m, i(8)), op.cast(op.div(m, i(8)), 'f32')),
      ]),
    ),
  ).toMatchInlineSnapshot(`
    "  for m grid 8 {
        y[m] = 1.0
        y[m] = 4.0
        y[m] = 0.0
      }"
  `);
});

test('sizes have the ranges that the plan gives', () => {
  const kernel = kernelOf(
    'k',
    buffers,
    ['n'],
    [{ k: 'if', when: op.lt(v('n', 'i32'), i(9)), body: [store('y', i(0), f(1))] }],
  );
  expect(optimize(kernel, { dims: { n: { min: 1, max: 8 } } }).body).toEqual([
    { k: 'store', to: 'y', at: constantExpr(0), value: constantExpr(1, 'f32') },
  ]);
  expect(optimize(kernel).body[0]?.k).toBe('if');
});
