import type { Data } from '@sinter/ir';
import { variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import { BackendError } from '../artifact/errors.ts';
import type { Kernel, LoopExpr } from './language.ts';
import { load, loop, store } from './language.ts';
import { f, i, kernelOf, matmul, op, samplePlan, softmax } from './samples.test.kit.ts';
import { runKernel, runPlan } from './run.ts';

const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, at) => Math.sin(at + 1));

test('softmax and matmul compute what they say, in any order of independent iterations', () => {
  const x = numbers(24);
  for (const options of [{}, { seed: 1 }, { seed: 2 }]) {
    const y = new Float32Array(24);
    runKernel(softmax(), { x, y }, { rows: 3 }, options);
    for (let r = 0; r < 3; r++) {
      const row = [...x.subarray(r * 8, r * 8 + 8)].map(Math.exp);
      const total = row.reduce((a, b) => a + b);
      row.forEach((p, c) => {
        expect(y[r * 8 + c]).toBeCloseTo(p / total, 6);
      });
    }
    const [a, b, c] = [numbers(15), numbers(40), new Float32Array(24)];
    runKernel(matmul(), { a, b, c }, { m: 3, k: 5 }, options);
    expect(c[9]).toBeCloseTo(
      [0, 1, 2, 3, 4].reduce((sum, p) => sum + a[5 + p]! * b[p * 8 + 1]!, 0),
      5,
    );
  }
});

test('f32 arithmetic rounds after every op', () => {
  const y = new Float32Array(1);
  runKernel(
    kernelOf(
      'k',
      [{ name: 'y', dtype: 'f32', access: 'write' }],
      [],
      [store('y', i(0), op.sub(op.add(f(16777216), f(1)), f(16777216)))],
    ),
    { y },
  );
  expect(y[0]).toBe(0);
});

test('f16 is decoded and encoded at its border', () => {
  const x = Uint16Array.of(0x3c00);
  runKernel(
    kernelOf(
      'k',
      [{ name: 'x', dtype: 'f16', access: 'update' }],
      [],
      [store('x', i(0), op.cast(op.mul(op.cast(load('x', i(0), 'f16'), 'f32'), f(2)), 'f16'))],
    ),
    { x },
  );
  expect(x[0]).toBe(0x4000);
});

/** Sums 16 numbers in a workgroup of 8 threads through shared storage. */
function groupSum(barrier: boolean): Kernel {
  const t = variable('t');
  const s = (at: LoopExpr): LoopExpr => load('s', at, 'f32');
  const kernel = kernelOf(
    'sum',
    [
      { name: 'x', dtype: 'f32', access: 'read' },
      { name: 'y', dtype: 'f32', access: 'write' },
    ],
    [],
    [
      loop('grid', 'g', i(1), () => [
        { k: 'alloc', name: 's', dtype: 'f32', length: 8, memory: 'shared' },
        loop('local', 't', i(8), () => [
          store('s', t, op.add(load('x', t, 'f32'), load('x', op.add(t, i(8)), 'f32'))),
          { k: 'barrier' },
          loop('serial', 'r', i(3), (r) => {
            const half = op.shr(i(4), r);
            return [
              { k: 'if', when: op.lt(t, half), body: [store('s', t, op.add(s(t), s(op.add(t, half))))] },
              ...(barrier ? [{ k: 'barrier' } as const] : []),
            ];
          }),
          { k: 'if', when: op.eq(t, i(0)), body: [store('y', i(0), s(i(0)))] },
        ]),
      ]),
    ],
  );
  return { ...kernel, workgroup: [8, 1, 1] };
}

test('threads of a workgroup meet at barriers, and a missing barrier shows', () => {
  const x = Float32Array.from({ length: 16 }, (_, at) => at);
  const sum = (k: Kernel, seed: number): number => {
    const y = new Float32Array(1);
    runKernel(k, { x, y }, {}, { seed });
    return y[0]!;
  };
  for (let seed = 0; seed < 8; seed++) expect(sum(groupSum(true), seed)).toBe(120);
  expect([0, 1, 2, 3, 4, 5, 6, 7].some((seed) => sum(groupSum(false), seed) !== 120)).toBe(true);
});

test('an index outside of a buffer, a missing buffer and a wrong dtype are errors that say where', () => {
  const k = softmax();
  const run =
    (buffers: Record<string, Data>, sizes = { rows: 2 }) =>
    () => {
      runKernel(k, buffers, sizes);
    };
  expect(run({ x: numbers(15), y: numbers(16) })).toThrow(
    /'softmax': index 15 is outside of buffer 'x' of 15 elements/,
  );
  expect(run({ x: numbers(16), y: numbers(9) })).toThrow(/index 9 is outside of buffer 'y'.*y\[row \* 8 \+ c\] =/);
  expect(run({ x: numbers(16) })).toThrow(/'y' is missing/);
  expect(run({ x: numbers(16), y: new Int32Array(16) })).toThrow(BackendError);
});

test('storage starts as garbage', () => {
  const y = new Float32Array(1);
  runKernel(
    kernelOf(
      'k',
      [{ name: 'y', dtype: 'f32', access: 'write' }],
      [],
      [{ k: 'alloc', name: 't', dtype: 'f32', length: 1, memory: 'local' }, store('y', i(0), load('t', i(0), 'f32'))],
    ),
    { y },
  );
  expect(y[0]).toBeNaN();
});

test('a plan runs with a buffer each and in an arena; wrong lifetimes show', () => {
  const plan = samplePlan();
  const args = {
    inputs: { x: numbers(16) },
    state: { w: numbers(64), count: Float32Array.of(4) },
    sizes: { m: 2, k: 8 },
  };
  const apart = runPlan(plan, args);
  expect(runPlan(plan, args, { arena: true, seed: 3 }).outputs).toEqual(apart.outputs);
  expect(apart.outputs.y).toHaveLength(16);
  expect(apart.state.count).toEqual(Float32Array.of(5));
  expect(args.state.count[0]).toBe(4);
  const short = { ...plan, buffers: plan.buffers.map((b) => (b.name === 'h' ? { ...b, live: [0, 0] as const } : b)) };
  expect(() => runPlan(short, args)).toThrow(/step 1 \(matmul\) uses 'h', which lives for steps 0..0/);
  expect(() => runPlan(plan, { ...args, inputs: {} })).toThrow(/input 'x' is missing/);
});
