/** Statements in WGSL against the interpreter, and what the text looks like. */
import type { Kernel, LoopExpr } from '@sinter/compiler';
import { BackendError, load, loop, runKernel, store } from '@sinter/compiler';
import type { DType } from '@sinter/ir';
import { constantExpr as c, dataFor, dataFrom, e, variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import type { Buffers } from './kernel.test.kit.ts';
import { kernelOver, runOnDevice } from './kernel.test.kit.ts';
import { printKernel } from './kernel.ts';

const noise = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 2003) / 1000 - 1);
const f32 = (data: Float32Array) => ({ dtype: 'f32' as const, data });
const zeros = (n: number, dtype: DType = 'f32') => ({ dtype, data: dataFor(dtype, n) });

/** Runs a kernel on the device and in the interpreter, where threads run in an order drawn from a seed. */
async function agree(kernel: Kernel, buffers: Buffers, sizes: Record<string, number> = {}): Promise<void> {
  const wanted = Object.fromEntries(Object.entries(buffers).map(([name, b]) => [name, b.data.slice()]));
  runKernel(kernel, wanted, sizes, { seed: 1 });
  expect(await runOnDevice(kernel, buffers, sizes)).toEqual(wanted);
}

const n = variable('n');
const at = (g: LoopExpr, i: LoopExpr): LoopExpr => e.add(e.mul(g, c(64)), i);

/** `out[g]` is the largest of 64 numbers, by halving in shared memory. */
const largest: Kernel = {
  ...kernelOver(
    { in0: 'f32', out0: 'f32' },
    [
      { k: 'let', name: 'rows', value: e.div(n, c(64)) },
      loop('grid', '_g', variable('rows'), (g) => [
        { k: 'alloc', name: '_part', dtype: 'f32', length: 64, memory: 'shared' },
        loop('local', '_t', c(64), (t) => [
          store('_part', t, load('in0', at(g, t), 'f32')),
          { k: 'barrier' },
          loop('serial', '_s', c(6), (s) => [
            { k: 'let', name: '_half', value: e.shr(c(32), s) },
            { k: 'let', name: '_mine', value: e.lt(t, variable('_half')) },
            {
              k: 'if',
              when: variable('_mine', 'bool'),
              body: [
                store(
                  '_part',
                  t,
                  e.max<never>(
                    load('_part', t, 'f32') as never,
                    load('_part', e.add(t, variable('_half')), 'f32') as never,
                  ),
                ),
              ],
            },
            { k: 'barrier' },
          ]),
          { k: 'if', when: e.eq(t, c(0)), body: [store('out0', g, load('_part', c(0), 'f32'))] },
        ]),
      ]),
    ],
    64,
    ['n'],
  ),
  name: 'row_max',
};

test('threads of a workgroup meet at barriers and share memory', async () => {
  for (const rows of [1, 5]) await agree(largest, { in0: f32(noise(64 * rows)), out0: zeros(rows) }, { n: 64 * rows });
});

test('a kernel as text', () => {
  const kernel = {
    ...largest,
    buffers: [
      { name: 'in0', dtype: 'f32', access: 'read' },
      { name: 'out0', dtype: 'f32', access: 'write' },
    ],
  } as const;
  expect(printKernel(kernel, ['n'], { f16: false }).code).toMatchSnapshot();
});

test('a kernel of packed elements as text, and where 16-bit floats are a type of their own', () => {
  const kernel = kernelOver({ half: 'f16', flags: 'bool', bytes: 'i8' }, [
    loop('grid', 'i', c(10), (i) => [
      {
        k: 'if',
        when: load('flags', i, 'bool'),
        body: [
          store(
            'half',
            i,
            e.mul<never>(load('half', i, 'f16') as never, e.cast(load('bytes', i, 'i8') as never, 'f16')),
          ),
        ],
      },
    ]),
  ]);
  expect(printKernel(kernel, [], { f16: false }).code).toMatchSnapshot();
  expect(printKernel(kernel, [], { f16: true }).code).toMatchSnapshot();
});

test('more workgroups than one dimension takes are folded', async () => {
  const rows = 70_001;
  const kernel = kernelOver({ x: 'f32' }, [loop('grid', 'g', n, (g) => [store('x', g, e.cast(g, 'f32'))])], 1, ['n']);
  await agree(kernel, { x: zeros(rows) }, { n: rows });
  const fixed = kernelOver({ x: 'f32' }, [loop('grid', 'g', c(rows), (g) => [store('x', g, e.cast(g, 'f32'))])]);
  await agree(fixed, { x: zeros(rows) });
});

test('registers, private arrays, vector and unrolled loops', async () => {
  const kernel = kernelOver({ x: 'f32', y: 'f32' }, [
    loop('grid', 'g', c(3), (g) => [
      { k: 'alloc', name: 'acc', dtype: 'f32', length: 8, memory: 'register' },
      { k: 'alloc', name: 'mine', dtype: 'f32', length: 5, memory: 'local' },
      loop('unroll', 'u', c(8), (u) => [store('acc', u, e.cast(u, 'f32'))]),
      loop('serial', 's', e.add(g, c(5)), (s) => [
        store('mine', e.mod(s, c(5)), load('x', s, 'f32')),
        loop('vector', 'v', c(8), (v) => [
          {
            k: 'let',
            name: 'w',
            value: e.mul<never>(load('x', v, 'f32') as never, load('mine', e.mod(s, c(5)), 'f32') as never),
          },
          store('acc', v, e.add<never>(load('acc', v, 'f32') as never, variable('w', 'f32'))),
        ]),
      ]),
      loop('vector', 'v', c(8), (v) => [store('y', e.add(e.mul(g, c(8)), v), load('acc', v, 'f32'))]),
      loop('vector', 'z', c(20), (z) => [store('y', e.add(e.mul(g, c(20)), e.add(z, c(24))), e.cast(z, 'f32'))]),
    ]),
  ]);
  await agree(kernel, { x: f32(noise(20)), y: zeros(84) });
});

test('what stands in a statement more than once is computed once', () => {
  let x: LoopExpr = load('x', c(0), 'f32');
  for (let i = 0; i < 40; i++) x = e.add<never>(x as never, x as never);
  const { code } = printKernel(kernelOver({ x: 'f32' }, [store('x', c(1), x)]), [], { f16: false });
  expect(code.length).toBeLessThan(4000);
});

test('expressions that are nested deep', async () => {
  let x: LoopExpr = load('x', c(0), 'f32');
  for (let i = 0; i < 1000; i++)
    x = e.sub<never>(e.mul<never>(x as never, c(0.5, 'f32')), load('x', c(1), 'f32') as never);
  await agree(kernelOver({ x: 'f32' }, [store('x', c(2), x)]), { x: f32(Float32Array.of(1, 2, 0)) });
});

test('names that mean something in WGSL, or are none there, and equal names in blocks side by side', async () => {
  const names = ['fn', 'array', 'in', 'λ size', '__x', '9', 'sizes', 'is_nan', 'let'];
  const body = names.flatMap((name, i) => [
    loop('serial', name, c(2), (k) => [
      { k: 'let', name: 'select', value: e.mul(k, n) },
      store('while', e.add(variable('select'), c(i)), e.cast(k, 'f32')),
    ]),
  ]);
  const kernel = { ...kernelOver({ while: 'f32' }, body, 1, ['n']), name: 'for' };
  await agree(kernel, { while: zeros(20) }, { n: 3 });
});

test('infinities and NaN, which WGSL cannot write', async () => {
  const kernel = kernelOver({ x: 'f32' }, [
    store('x', c(0), c(Infinity, 'f32')),
    store('x', c(1), c(-Infinity, 'f32')),
    store('x', c(2), c(NaN, 'f32')),
    store('x', c(3), e.div(c(1, 'f32'), c(0, 'f32'))),
    store('x', c(4), e.min<never>(load('x', c(1), 'f32') as never, c(Infinity, 'f32'))),
    store('x', c(5), e.max<never>(load('x', c(2), 'f32') as never, c(0, 'f32'))),
    store('x', c(6), c(1e-3, 'f32')),
    store('x', c(7), c(16777217.5, 'f32')),
  ]);
  await agree(kernel, { x: zeros(8) });
});

test('constants that would be errors in WGSL', async () => {
  const i = variable('n');
  const kernel = kernelOver(
    { y: 'i32' },
    [
      store('y', c(0), e.add(c(2147483647), c(1))),
      store('y', c(1), e.div(i, c(0))),
      store('y', c(2), e.mod(i, c(0))),
      store('y', c(3), e.shl(i, c(33))),
      store('y', c(4), e.neg(c(-2147483648))),
      store('y', c(5), e.sub(i, c(-2147483648))),
      store('y', c(6), e.neg(e.neg(i))),
      store('y', c(7), e.cast(c(-1), 'i32')),
    ],
    1,
    ['n'],
  );
  await agree(kernel, { y: { dtype: 'i32', data: dataFrom('i32', new Array<number>(8).fill(9)) } }, { n: 5 });
});

test('what cannot be written is refused with the name of the kernel', () => {
  const x = load('x', c(0), 'f32');
  expect(() =>
    printKernel(kernelOver({ x: 'f32' }, [store('x', c(0), e.exp<never>(x as never))]), [], { f16: false }),
  ).toThrow(new BackendError("kernel 'kernel': the op 'exp' on f32 has no WGSL spelling; decompose it first"));
  const outside = kernelOver({ x: 'f32' }, [loop('grid', 'g', c(2), (g) => [store('x', g, x)])], 64);
  expect(() => printKernel(outside, [], { f16: false })).toThrow("'store' must stand in its local loop");
});
