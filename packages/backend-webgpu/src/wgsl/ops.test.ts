/** Every scalar op in WGSL against its meaning, on all pairs of values at the edges; and how elements are stored. */
import type { LoopExpr } from '@sinter/compiler';
import { load, loop, store } from '@sinter/compiler';
import type { DType, ScalarOp } from '@sinter/ir';
import {
  arity,
  constantExpr as c,
  dataFor,
  dataFrom,
  decoder,
  dtypes,
  e,
  encoder,
  isFloat,
  scalarFunction,
} from '@sinter/ir';
import { expect, test } from 'vitest';
import { describeGpu } from '../describe.ts';
import { kernelOver, runOnDevice } from './kernel.test.kit.ts';

const edge: { readonly [D in DType]?: readonly number[] } = {
  f32: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    3.7,
    1.2e-38,
    5e8,
    2147483648,
    4294967296,
    -3e9,
    3.4e38,
    Infinity,
    -Infinity,
    NaN,
    88.7,
    1e-6,
    16777215,
  ].map(Math.fround),
  i32: [0, 1, -1, 2, 3, 7, -7, 31, 32, 255, 256, -128, 1000003, 2147483647, -2147483648, 65536],
  u32: [0, 1, 2, 3, 7, 31, 255, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 1000003, 0xfffffff9],
  i8: [0, 1, -1, 2, 7, -7, 127, -128, 31, 5],
  u8: [0, 1, 2, 7, 31, 127, 128, 200, 255, 5],
  bool: [0, 1],
};
const types = Object.keys(edge) as DType[];
const compares: readonly ScalarOp[] = ['lt', 'le', 'eq'];
const integersOnly: readonly ScalarOp[] = ['and', 'or', 'xor', 'shl', 'shr', 'mulhi'];
const floatsOnly: readonly ScalarOp[] = ['sqrt', 'floor', 'round', 'fma'];
/** What devices may round differently, by so many units in the last place. */
const loose: { readonly [O in ScalarOp]?: number } = { div: 3, sqrt: 4, fma: 1 };

function results(op: ScalarOp, from: DType): readonly DType[] {
  if (op === 'bitcast') return (['f32', 'i32', 'u32'] as const).filter(() => ['f32', 'i32', 'u32'].includes(from));
  if (op === 'cast') return types;
  if (integersOnly.includes(op) && isFloat(from)) return [];
  if (floatsOnly.includes(op) && !isFloat(from)) return [];
  if (op === 'mulhi' && from !== 'u32') return [];
  if ((op === 'shl' || op === 'shr') && from === 'bool') return [];
  return [compares.includes(op) ? 'bool' : from];
}

const ops = [...describeGpu().spells];
const cases = types.flatMap((from) =>
  types.flatMap((to) => {
    const list = ops.filter((op) => results(op, from).includes(to));
    return list.length > 0 ? [{ from, to, list }] : [];
  }),
);

test.each(cases)('$from to $to: $list', async ({ from, to, list }) => {
  const values = edge[from]!;
  const rows = values.flatMap((a) => values.map((b, i) => [a, b, values[(i * 7 + 3) % values.length]!] as const));
  const n = rows.length;
  const data = (dtype: DType, column: number) => ({
    dtype,
    data: dataFrom(
      dtype,
      rows.map((r) => r[column]!),
    ),
  });
  const buffers = {
    a: data(from, 0),
    b: data(from, 1),
    d: data(from, 2),
    when: {
      dtype: 'bool' as const,
      data: dataFrom(
        'bool',
        rows.map((_, i) => i % 2),
      ),
    },
    out: { dtype: to, data: dataFor(to, n * list.length) },
  };
  const body = loop('grid', 'g', c(n), (g) => {
    const [a, b, d] = (['a', 'b', 'd'] as const).map((name) => load(name, g, from)) as [LoopExpr, LoopExpr, LoopExpr];
    return list.map((op, k) => {
      const args = op === 'select' ? [load('when', g, 'bool'), a, b] : [a, b, d].slice(0, arity[op]);
      return store('out', e.add(g, c(k * n)), { k: 'op', op, args, dtype: to });
    });
  });
  const kernel = kernelOver(Object.fromEntries(Object.entries(buffers).map(([k, v]) => [k, v.dtype])), [body]);
  const { out } = await runOnDevice(kernel, buffers);
  const wrong: unknown[] = [];
  list.forEach((op, k) => {
    const f = scalarFunction(op, from, to);
    rows.forEach(([a, b, d], i) => {
      const wanted = op === 'select' ? f(i % 2, a, b) : f(a, b, d);
      const found = out![k * n + i]!;
      const also = op === 'fma' ? Math.fround(Math.fround(a * b) + d) : wanted;
      if (![wanted, also].some((w) => agrees(found, w, loose[op] ?? 0))) wrong.push({ op, a, b, d, found, wanted });
    });
  });
  expect(wrong.slice(0, 10)).toEqual([]);
});

/** Equal, but for the sign of zero, numbers below the normal ones, and some units in the last place. */
function agrees(found: number, wanted: number, ulps: number): boolean {
  if (found === wanted || (Number.isNaN(found) && Number.isNaN(wanted))) return true;
  return Math.abs(found - wanted) <= 2 ** -126 + ulps * 2 ** -23 * Math.abs(wanted);
}

const numbers = [
  ...edge.f32!,
  65504,
  65519.99,
  65520,
  65536,
  1e-4,
  6.1e-5,
  6.097e-5,
  5.96e-8,
  2.98e-8,
  2.99e-8,
  8.94e-8,
  1.0009765625,
  1.00048828125,
  1.0014648438,
  1.00390625,
  1.005859375,
  2049,
  2051,
  -127.6,
  -0.1,
  300,
  -300,
  0.3333,
].map(Math.fround);

test.each(dtypes)('what is stored as %s has the bytes of the host', async (dtype) => {
  const n = numbers.length;
  const kernel = kernelOver({ x: 'f32', y: dtype, z: dtype }, [
    loop('grid', 'g', c(n), (g) => [
      store('y', g, e.cast(load('x', g, 'f32'), dtype)),
      store('z', e.sub(c(n - 1), g), load('z', e.sub(c(n - 1), g), dtype)),
    ]),
  ]);
  const put = encoder(dtype);
  const before = dataFrom(
    dtype,
    numbers.map((_, i) => i % 7),
  );
  const { y, z } = await runOnDevice(kernel, {
    x: { dtype: 'f32', data: dataFrom('f32', numbers) },
    y: { dtype, data: dataFor(dtype, n) },
    z: { dtype, data: before },
  });
  const cast = scalarFunction('cast', 'f32', dtype);
  const get = decoder(dtype);
  const bits = numbers.map((x) => dataFrom(dtype, [isFloat(dtype) ? x : put(cast(x, 0, 0))])[0]!);
  expect([...y!].map((v, i) => (Number.isNaN(get(v)) && Number.isNaN(get(bits[i]!)) ? bits[i] : v))).toEqual(bits);
  expect(z).toEqual(before);
});

test.each(['f16', 'bf16'] as const)('every %s is read as the number that it stands for', async (dtype) => {
  const n = 65536;
  const kernel = kernelOver(
    { x: dtype, y: 'f32' },
    [
      loop('grid', 'g', c(n / 64), (g) => [
        loop('local', 'i', c(64), (i) => {
          const at = e.add(e.mul(g, c(64)), i);
          return [store('y', at, e.cast(load('x', at, dtype), 'f32'))];
        }),
      ]),
    ],
    64,
  );
  const x = Uint16Array.from({ length: n }, (_, i) => i);
  const { y } = await runOnDevice(kernel, {
    x: { dtype, data: x },
    y: { dtype: 'f32', data: new Float32Array(n) },
  });
  const get = decoder(dtype);
  // Numbers below the normal ones may be taken for zero.
  expect([...x].filter((v, i) => !agrees(y![i]!, get(v), 0))).toEqual([]);
});
