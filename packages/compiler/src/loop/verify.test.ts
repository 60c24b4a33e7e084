import { variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import type { Kernel, LoopExpr, Stmt } from './language.ts';
import { load, loop, store } from './language.ts';
import { f, i, kernelOf, matmul, op, samplePlan, softmax, v } from './samples.test.kit.ts';
import { verifyKernel, verifyPlan } from './verify.ts';

const buffers: Kernel['buffers'] = [
  { name: 'x', dtype: 'f32', access: 'read' },
  { name: 'y', dtype: 'f32', access: 'write' },
];
const check =
  (...body: Stmt[]) =>
  () => {
    verifyKernel(kernelOf('bad', buffers, ['n'], body), { vectorBytes: 16 });
  };
const x = (at: LoopExpr): LoopExpr => load('x', at, 'f32');
const set: Stmt = store('y', i(0), f(1));
const alloc: Stmt = { k: 'alloc', name: 'r', dtype: 'f32', length: 8, memory: 'register' };

test('good kernels and plans pass', () => {
  expect(() => {
    verifyKernel(softmax(), { vectorBytes: 16 });
  }).not.toThrow();
  expect(() => {
    verifyKernel(matmul(), { vectorBytes: 16 });
  }).not.toThrow();
  expect(() => {
    verifyPlan(samplePlan());
  }).not.toThrow();
});

test.each<[string, RegExp, () => void]>([
  ['an unknown name', /'q' is not defined here, in: y\[0\] = q/, check(store('y', i(0), v('q')))],
  [
    'a name out of scope',
    /'a' is not defined/,
    check(
      loop('serial', 'k', i(2), () => [{ k: 'let', name: 'a', value: f(1) }]),
      store('y', i(0), v('a')),
    ),
  ],
  ['a name twice', /'n' is defined again/, check({ k: 'let', name: 'n', value: i(1) })],
  ['a wrong dtype of a name', /'n' is i32, but is used as f32/, check(store('y', i(0), v('n')))],
  [
    'operands of two dtypes',
    /add\(f32, i32\)/,
    check(store('y', i(0), { k: 'op', op: 'add', args: [f(1), i(1)], dtype: 'f32' })),
  ],
  ['an unknown buffer', /no buffer 'z' here; known: x, y/, check(store('z', i(0), f(1)))],
  ['a store to a read buffer', /'x' has access 'read'/, check(store('x', i(0), f(1)))],
  ['a load from a write buffer', /'y' has access 'write'/, check(store('y', i(0), load('y', i(0), 'f32')))],
  ['a float index', /the index of 'y' is f32/, check(store('y', f(0), f(1)))],
  ['a store of another dtype', /'y' holds f32, but is stored as i32/, check(store('y', i(0), i(1)))],
  [
    'a loop in a vector loop',
    /holds only let and store/,
    check(loop('vector', 'k', i(4), () => [loop('serial', 'j', i(1), () => [set])])),
  ],
  ['an unrolled loop of unknown count', /must be a constant/, check(loop('unroll', 'k', variable('n'), () => [set]))],
  [
    'two grid loops',
    /then that one loop/,
    check(
      loop('grid', 'k', i(2), () => [set]),
      loop('grid', 'j', i(2), () => [set]),
    ),
  ],
  [
    'a grid loop inside',
    /may stand only at the outside/,
    check(loop('serial', 'k', i(2), () => [loop('grid', 'j', i(2), () => [set])])),
  ],
  [
    'a register at a varying index',
    /not a constant once/,
    check(
      alloc,
      loop('serial', 'k', i(8), (k) => [store('r', k, f(0))]),
    ),
  ],
  ['a register outside', /index 8 is outside/, check(alloc, store('r', i(8), f(0)))],
  [
    'a vector across registers',
    /multiples of 4 elements, not at 2/,
    check(
      alloc,
      loop('vector', 'k', i(4), (k) => [store('r', op.add(k, i(2)), f(0))]),
    ),
  ],
  ['a barrier without threads', /a barrier stands in a local loop/, check({ k: 'barrier' })],
  ['a condition that is no bool', /the condition is i32/, check({ k: 'if', when: i(1), body: [set] })],
  ['a load with a float index', /the index of 'x' is f32/, check(store('y', i(0), x(f(0))))],
])('%s is an error', (_, message, run) => {
  expect(run).toThrow(message);
});

test('plans whose steps do not fit are errors', () => {
  const plan = samplePlan();
  const change = (index: number, step: { kernel: number; buffers: number[] }) => () => {
    verifyPlan({ ...plan, steps: plan.steps.map((s, at) => (at === index ? step : s)) });
  };
  expect(change(0, { kernel: 9, buffers: [] })).toThrow(/kernel 9, which does not exist/);
  expect(change(0, { kernel: 0, buffers: [0] })).toThrow(/hands over 1 buffers/);
  expect(change(0, { kernel: 0, buffers: [3, 3] })).toThrow(/reads 'h' before any step writes it/);
  expect(change(0, { kernel: 0, buffers: [1, 0] })).toThrow(/writes 'x', whose role is input/);
  expect(change(1, { kernel: 1, buffers: [3, 3, 3] })).toThrow(/under another name/);
});

test('a kernel of workgroups has the form that GPUs take, and its barriers are met by all threads', () => {
  const barrier: Stmt = { k: 'barrier' };
  const shared: Stmt = { k: 'alloc', name: 's', dtype: 'f32', length: 8, memory: 'shared' };
  const t = variable('t');
  const group = (...body: Stmt[]): Stmt =>
    loop('grid', 'g', variable('n'), () => [shared, loop('local', 't', i(8), () => body)]);
  const verify =
    (threads: number, ...body: Stmt[]) =>
    () => {
      verifyKernel({ ...kernelOf('bad', buffers, ['n'], body), workgroup: [threads, 1, 1] });
    };
  const inIf = (when: LoopExpr): Stmt => ({ k: 'if', when, body: [barrier] });
  expect(
    verify(
      8,
      group(
        barrier,
        inIf(op.lt(variable('g'), i(3))),
        loop('serial', 'k', variable('n'), () => [barrier]),
      ),
    ),
  ).not.toThrow();
  expect(verify(4, group(barrier))).toThrow(/counts the 4 threads/);
  expect(
    verify(
      8,
      loop('grid', 'g', i(2), () => [set]),
    ),
  ).toThrow(/then one local loop/);
  expect(verify(8, set, group(barrier))).toThrow(/then one grid loop/);
  expect(verify(8, group(inIf(op.lt(t, i(3)))))).toThrow(/threads of a workgroup may disagree/);
  expect(verify(8, group({ k: 'let', name: 'a', value: op.add(t, i(1)) }, inIf(op.lt(variable('a'), i(3)))))).toThrow(
    /may disagree/,
  );
  expect(verify(8, group(inIf(op.lt(x(i(0)), f(3)))))).toThrow(/may disagree/);
  expect(verify(8, group(loop('serial', 'k', t, (k) => [inIf(op.lt(k, i(1)))])))).toThrow(/may disagree/);
});
