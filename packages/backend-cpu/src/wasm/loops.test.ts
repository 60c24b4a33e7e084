import type { LoopExpr, Stmt } from '@sinter/compiler';
import { BackendError, load, loop, runKernel, store } from '@sinter/compiler';
import type { Data, DType } from '@sinter/ir';
import { constantExpr as c, dataFrom, e, variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import type { Buffers } from './kernel.test.kit.ts';
import { kernelOver, place, planOf, runOnWasm } from './kernel.test.kit.ts';
import { emitModule } from './module.ts';

const add = (...xs: LoopExpr[]): LoopExpr => xs.reduce((a, b) => e.add(a, b));
const mul = (a: LoopExpr, b: number): LoopExpr => e.mul(a, c(b));
const f = (x: number): LoopExpr => c(x, 'f32');
const n = variable('n');

const reals = (length: number, seed = 1): Data =>
  dataFrom(
    'f32',
    Array.from({ length }, (_, i) => (((i + 1) * 7919 * seed) % 1009) / 64 - 8),
  );
const buffer = (dtype: DType, values: ArrayLike<number>): Buffers[string] => ({ dtype, data: dataFrom(dtype, values) });
const real = (length: number, seed?: number): Buffers[string] => ({ dtype: 'f32', data: reals(length, seed) });

/** Runs a body on WebAssembly and in the interpreter; both must leave the same bits in every buffer. */
function agree(
  buffers: Buffers,
  body: readonly Stmt[],
  sizes: Readonly<Record<string, number>> = {},
): Record<string, Data> {
  const kernel = kernelOver(
    Object.fromEntries(Object.entries(buffers).map(([name, b]) => [name, b.dtype])),
    Object.keys(sizes),
    body,
  );
  const want = Object.fromEntries(Object.entries(buffers).map(([name, b]) => [name, b.data.slice()]));
  runKernel(kernel, want, sizes);
  const got = runOnWasm(kernel, buffers, sizes);
  expect(got).toEqual(want);
  expect(runOnWasm(kernel, buffers, sizes, true)).toEqual(want);
  return got;
}

const counts = [0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 19, 33];

test.each(counts)('a vector loop of %i: known and unknown count', (count) => {
  const body = (limit: LoopExpr): Stmt[] => [
    loop('vector', 'i', limit, (i) => [
      { k: 'let', name: 't', value: e.mul(load('x', add(i, c(3)), 'f32'), load('y', c(2), 'f32')) },
      store('out', add(i, c(1)), e.add(variable('t', 'f32'), e.cast(i, 'f32'))),
    ]),
  ];
  const buffers = { x: real(40), y: real(4), out: real(36, 3) };
  agree(buffers, body(c(count)));
  agree(buffers, body(n), { n: count });
});

test('a negative count means no iteration', () => {
  for (const kind of ['serial', 'vector', 'grid'] as const) {
    agree({ out: real(4) }, [loop(kind, 'i', e.sub(n, c(7)), (i) => [store('out', i, f(1))])], { n: 2 });
  }
});

test.each(counts)('lanes that are not neighbours: strides, gathers, flips (%i)', (count) => {
  const index = buffer(
    'i32',
    Array.from({ length: 40 }, (_, i) => (i * 13) % 40),
  );
  agree(
    {
      x: real(100),
      index,
      out: real(100),
      far: real(100),
      bytes: buffer(
        'u8',
        [...Array(100).keys()].map((i) => (i * 37) % 256),
      ),
    },
    [
      loop('vector', 'i', n, (i) => [
        { k: 'let', name: 'at', value: load('index', i, 'i32') },
        { k: 'let', name: 'wide', value: add(mul(i, 2), c(1)) },
        store(
          'out',
          i,
          add(
            load('x', mul(i, 2), 'f32'),
            load('x', variable('at'), 'f32'),
            load('x', variable('wide'), 'f32'),
            e.cast(load('bytes', e.sub(c(90), i), 'u8'), 'f32'),
            load('x', e.div(i, c(3)), 'f32'),
          ),
        ),
        store('far', add(mul(i, 3), c(1)), e.cast(e.add(variable('at'), e.mod(i, c(5))), 'f32')),
      ]),
    ],
    { n: count },
  );
});

test('bytes and booleans are widened and narrowed', () => {
  const values = [...Array(20).keys()].map((i) => (i * 53) % 256);
  agree(
    {
      u: buffer('u8', values),
      s: buffer(
        'i8',
        values.map((x) => x - 128),
      ),
      m: buffer(
        'bool',
        values.map((x) => (x % 3 === 0 ? 1 : 0)),
      ),
      uo: buffer('u8', Array(20).fill(0)),
      so: buffer('i8', Array(20).fill(0)),
      mo: buffer('bool', Array(20).fill(0)),
      x: real(20),
    },
    [
      loop('vector', 'i', n, (i) => [
        store('uo', i, e.add(load('u', i, 'u8'), c(200, 'u8'))),
        store('so', i, e.mul(load('s', i, 'i8'), c(3, 'i8'))),
        store('mo', i, e.and(e.xor(load('m', i, 'bool'), c(1, 'bool')), e.lt(load('x', i, 'f32'), f(0)))),
        store('x', i, e.select(load('m', i, 'bool'), e.cast(load('s', i, 'i8'), 'f32'), load('x', c(19), 'f32'))),
      ]),
    ],
    { n: 19 },
  );
});

test('loads are remembered only until a store to their buffer', () => {
  agree(
    { x: real(8), y: real(8) },
    [
      store('y', c(0), load('x', c(0), 'f32')),
      { k: 'let', name: 'before', value: load('x', c(0), 'f32') },
      store('x', c(0), f(5)),
      store('y', c(1), load('x', c(0), 'f32')),
      store('y', c(2), variable('before', 'f32')),
      loop('serial', 'i', n, (i) => [store('x', c(0), e.add(load('x', c(0), 'f32'), e.cast(i, 'f32')))]),
      store('y', c(3), load('x', c(0), 'f32')),
      { k: 'if', when: e.lt(c(2), n), body: [store('x', c(0), f(-1))] },
      store('y', c(4), load('x', c(0), 'f32')),
    ],
    { n: 3 },
  );
});

test('a load does not move to where it would not have run', () => {
  // With n = 0 the address would lie outside of the memory.
  const far = e.mul(load('at', c(0), 'i32'), c(1 << 26));
  const buffers = { x: real(8), at: buffer('i32', [15]), out: real(8) };
  const kernel = kernelOver(
    { x: 'f32', at: 'i32', out: 'f32' },
    ['n'],
    [
      { k: 'let', name: 'far', value: far },
      loop('serial', 'i', n, (i) => [store('out', i, load('x', variable('far'), 'f32'))]),
      { k: 'if', when: e.lt(c(0), n), body: [store('out', c(0), load('x', variable('far'), 'f32'))] },
    ],
  );
  expect(runOnWasm(kernel, buffers, { n: 0 })['out']).toEqual(buffers.out.data);
});

test('register arrays: whole vectors, single elements, loops that change them', () => {
  const at = (i: LoopExpr, j: LoopExpr): LoopExpr => add(mul(i, 8), j);
  const acc = (k: LoopExpr): LoopExpr => load('acc', k, 'f32');
  agree(
    { a: real(64), b: real(64, 3), out: real(40) },
    [
      { k: 'alloc', name: 'acc', dtype: 'f32', length: 24, memory: 'register' },
      { k: 'alloc', name: 'row', dtype: 'i32', length: 3, memory: 'register' },
      loop('unroll', 'r', c(3), (r) => [store('row', r, e.min(e.mul(r, c(4)), e.sub(n, c(1))))]),
      loop('unroll', 'i', c(3), (i) => [loop('vector', 'j', c(8), (j) => [store('acc', at(i, j), f(0))])]),
      loop('serial', 'k', n, (k) => [
        loop('unroll', 'i', c(3), (i) => [
          loop('vector', 'j', c(8), (j) => [
            store(
              'acc',
              at(i, j),
              e.add(
                acc(at(i, j)),
                e.mul(load('a', add(load('row', i, 'i32'), k), 'f32'), load('b', add(mul(k, 8), j), 'f32')),
              ),
            ),
          ]),
        ]),
      ]),
      store('acc', c(5), e.add(acc(c(5)), acc(c(6)))),
      loop('vector', 'j', c(6), (j) => [store('acc', j, e.mul(acc(j), f(2)))]),
      loop('unroll', 'i', c(3), (i) => [loop('vector', 'j', c(8), (j) => [store('out', at(i, j), acc(at(i, j)))])]),
      store(
        'out',
        c(30),
        [0, 1, 2, 3].map((k) => acc(c(k))).reduce((x, y) => e.add(x, y)),
      ),
    ],
    { n: 7 },
  );
});

test('scalar registers are read before they are changed', () => {
  agree(
    { x: real(16), out: real(4) },
    [
      { k: 'alloc', name: 's', dtype: 'f32', length: 2, memory: 'register' },
      store('s', c(0), f(0)),
      store('s', c(1), f(1)),
      loop('serial', 'i', n, (i) => [
        { k: 'let', name: 'old', value: load('s', c(0), 'f32') },
        store('s', c(0), e.add(variable('old', 'f32'), load('x', i, 'f32'))),
        {
          k: 'if',
          when: e.lt(load('x', i, 'f32'), f(0)),
          body: [store('s', c(1), e.add(load('s', c(1), 'f32'), variable('old', 'f32')))],
        },
      ]),
      store('out', c(0), load('s', c(0), 'f32')),
      store('out', c(1), load('s', c(1), 'f32')),
    ],
    { n: 13 },
  );
});

test('local arrays take any index', () => {
  agree(
    { x: real(64), out: real(64) },
    [
      loop('grid', 'g', n, (g) => [
        { k: 'alloc', name: 'tile', dtype: 'f32', length: 16, memory: 'local' },
        { k: 'alloc', name: 'flags', dtype: 'bool', length: 16, memory: 'local' },
        loop('vector', 'i', c(16), (i) => [
          store('tile', i, load('x', add(mul(g, 16), i), 'f32')),
          store('flags', i, e.lt(load('x', add(mul(g, 16), i), 'f32'), f(1))),
        ]),
        loop('serial', 'i', c(16), (i) => [
          store(
            'out',
            add(mul(g, 16), i),
            e.select(load('flags', i, 'bool'), load('tile', e.sub(c(15), i), 'f32'), f(9)),
          ),
        ]),
      ]),
    ],
    { n: 4 },
  );
});

test('an array that unrolled code allocates again is another one', () => {
  agree({ x: real(8), out: real(8) }, [
    loop('unroll', 'u', c(3), (u) => [
      { k: 'alloc', name: 'l', dtype: 'f32', length: 2, memory: 'local' },
      store('l', c(0), load('x', u, 'f32')),
      store('out', u, load('l', c(0), 'f32')),
    ]),
  ]);
});

test('indices with negative parts', () => {
  agree(
    { x: real(2000), out: real(2000) },
    [
      { k: 'let', name: 'back', value: e.mul(n, c(-100)) },
      loop('serial', 'i', c(20), (i) => [
        loop('vector', 'j', n, (j) => [
          store('out', add(mul(i, -100), j, c(1900)), load('x', add(variable('back'), mul(i, 7), j, c(1900)), 'f32')),
        ]),
      ]),
    ],
    { n: 19 },
  );
});

test('addresses above 2 GiB', () => {
  const kernel = kernelOver(
    { x: 'f32', out: 'f32' },
    ['n'],
    [
      loop('grid', 'g', c(2), (g) => [
        loop('vector', 'i', n, (i) => [store('out', add(i, mul(g, 8)), e.add(load('x', e.sub(c(9), i), 'f32'), f(1)))]),
      ]),
    ],
  );
  const instance = place([kernel], { x: real(10), out: real(16) }, { n: 7 }, false, 1, 2 ** 31 + 65536);
  instance.run();
  instance.checkGuards();
  expect(instance.read()['out']![8 + 6]).toBe(reals(10)[3]! + 1);
});

test('steps run in order', () => {
  const step = (k: number) => kernelOver({ x: 'f32' }, [], [store('x', c(k), f(k + 1))]);
  const instance = place([step(0), step(1), step(2)], { x: buffer('f32', [0, 0, 0, 0]) });
  instance.run();
  expect([...instance.read()['x']!]).toEqual([1, 2, 3, 0]);
});

test('what cannot be written is refused with the kernel and the buffer', () => {
  const emit = (kernel: ReturnType<typeof kernelOver>): unknown =>
    emitModule(
      planOf(
        [kernel],
        kernel.buffers.map(() => 8),
        kernel.dims,
      ),
      { fma: false },
    );
  expect(() => emit(kernelOver({ x: 'f32' }, [], [store('x', c(0), e.exp(load('x', c(0), 'f32')))]))).toThrow(
    /'exp' on f32/,
  );
  expect(() => emit(kernelOver({ x: 'f32' }, [], [{ k: 'barrier' }]))).toThrow(BackendError);
  expect(() => emit(kernelOver({ x: 'f32' }, [], [store('x', variable('nobody'), f(0))]))).toThrow(/'nobody'/);
});
