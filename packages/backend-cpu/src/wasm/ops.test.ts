import type { LoopExpr } from '@sinter/compiler';
import { load, loop, store } from '@sinter/compiler';
import type { DType, ScalarOp } from '@sinter/ir';
import { arity, constantExpr, dataFrom, isFloat, scalarFunction, variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import { describeCpu } from './describe.ts';
import { kernelOver, runOnWasm } from './kernel.test.kit.ts';

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
    1e-40,
    5e8,
    2147483648,
    4294967296,
    -3e9,
    3.4e38,
    Infinity,
    -Infinity,
    NaN,
    88.7,
  ].map(Math.fround),
  i32: [0, 1, -1, 2, 3, 7, -7, 31, 32, 255, 256, -128, 1000003, 2147483647, -2147483648, 65536],
  u32: [0, 1, 2, 3, 7, 31, 255, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 1000003, 0xfffffff9],
  i8: [0, 1, -1, 2, 7, -7, 127, -128, 31, 5],
  u8: [0, 1, 2, 7, 31, 127, 128, 200, 255, 5],
  bool: [0, 1],
};
const types = Object.keys(edge) as DType[];
const casts: readonly ScalarOp[] = ['cast', 'bitcast'];
const compares: readonly ScalarOp[] = ['lt', 'le', 'eq'];
const integersOnly: readonly ScalarOp[] = ['and', 'or', 'xor', 'shl', 'shr', 'mulhi'];
const floatsOnly: readonly ScalarOp[] = ['sqrt', 'floor', 'round', 'fma'];

interface Case {
  readonly op: ScalarOp;
  readonly from: DType;
  readonly to: DType;
}

const cases: Case[] = [...describeCpu({ threads: 1, fma: false }).spells].flatMap((op) =>
  types.flatMap((from): Case[] => {
    if (op === 'bitcast')
      return ['f32', 'i32', 'u32'].includes(from)
        ? (['f32', 'i32', 'u32'] as const).map((to) => ({ op, from, to }))
        : [];
    if (op === 'cast') return types.map((to) => ({ op, from, to }));
    if (integersOnly.includes(op) && isFloat(from)) return [];
    if (floatsOnly.includes(op) && !isFloat(from)) return [];
    if (op === 'mulhi' && from !== 'u32') return [];
    if ((op === 'shl' || op === 'shr') && from === 'bool') return [];
    return [{ op, from, to: compares.includes(op) ? 'bool' : from }];
  }),
);

/** Every combination of the edge values, with some of the third operand. */
function operands(op: ScalarOp, from: DType): number[][] {
  const values = edge[from]!;
  if (arity[op] === 1) return values.map((a) => [a]);
  if (op === 'select')
    return values.flatMap((b, i) => [
      [1, b, values[(i + 3) % values.length]!],
      [0, b, values[(i + 3) % values.length]!],
    ]);
  const pairs = values.flatMap((a) => values.map((b) => [a, b]));
  return arity[op] === 2 ? pairs : pairs.map(([a, b], i) => [a!, b!, values[(i * 7) % values.length]!]);
}

const padded = (rows: number[][]): number[][] => {
  while (rows.length % 4 !== 2) rows.push(rows[0]!); // full vectors and a remainder
  return rows;
};

function check(got: ArrayLike<number>, rows: number[][], { op, from, to }: Case, how: string): void {
  const f = scalarFunction(op, from, to);
  rows.forEach((row, i) => {
    const [a = 0, b = 0, c = 0] = row;
    const want = dataFrom(to, [f(a, b, c)])[0]!;
    const nans = Number.isNaN(got[i]) && Number.isNaN(want);
    const near = op === 'fma' && Math.abs(got[i]! - want) <= 1e-6 * (Math.abs(a * b) + Math.abs(c));
    const finite = op === 'fma' && !Number.isFinite(Math.fround(a * b));
    if (!nans && !near && !finite && !Object.is(got[i], want))
      expect.fail(`${how} ${op}(${row.join(', ')}) of ${from} to ${to}: ${got[i]}, want ${want}`);
  });
}

for (const fma of [false, true]) {
  test.each(cases)(`$op of $from to $to${fma ? ', relaxed' : ''}`, (c) => {
    const rows = padded(operands(c.op, c.from));
    const n = rows.length;
    const types = Array.from({ length: arity[c.op] }, (_, i): DType =>
      c.op === 'select' && i === 0 ? 'bool' : c.from,
    );
    const names = ['a', 'b', 'c'].slice(0, types.length);
    const buffers = Object.fromEntries([
      ...names.map((name, i) => [
        name,
        {
          dtype: types[i]!,
          data: dataFrom(
            types[i]!,
            rows.map((r) => r[i]!),
          ),
        },
      ]),
      [
        'out',
        {
          dtype: c.to,
          data: dataFrom(
            c.to,
            rows.map(() => 0),
          ),
        },
      ],
    ]) as Record<string, { dtype: DType; data: ReturnType<typeof dataFrom> }>;
    const dtypes = Object.fromEntries(Object.entries(buffers).map(([name, b]) => [name, b.dtype]));
    const apply = (i: LoopExpr, fixed: readonly (number | undefined)[] = []): LoopExpr => ({
      k: 'op',
      op: c.op,
      dtype: c.to,
      args: names.map((name, k) =>
        fixed[k] === undefined ? load(name, i, types[k]!) : { k: 'const', value: fixed[k], dtype: types[k]! },
      ),
    });
    for (const kind of ['serial', 'vector'] as const) {
      const kernel = kernelOver(dtypes, ['n'], [loop(kind, 'i', variable('n'), (i) => [store('out', i, apply(i))])]);
      check(runOnWasm(kernel, buffers, { n }, fma)['out']!, rows, c, kind);
    }
    // One operand constant: the ways around traps and the cheap forms depend on its value.
    for (let k = 0; k < names.length; k++) {
      for (const value of c.op === 'select' && k === 0 ? [0, 1] : edge[c.from]!) {
        const fixed = names.map((_, i) => (i === k ? value : undefined));
        const some = rows.slice(0, 2 * edge[c.from]!.length);
        const replaced = some.map((r) => r.map((x, i) => fixed[i] ?? x));
        for (const kind of ['serial', 'vector'] as const) {
          const kernel = kernelOver(
            dtypes,
            ['n'],
            [loop(kind, 'i', variable('n'), (i) => [store('out', i, apply(i, fixed))])],
          );
          check(
            runOnWasm(kernel, buffers, { n: some.length }, fma)['out']!,
            replaced,
            c,
            `${kind}, operand ${k} constant`,
          );
        }
      }
    }
    if (names.length === 1) {
      const kernel = kernelOver(
        dtypes,
        [],
        edge[c.from]!.map((value, i) => store('out', constantExpr(i), apply(constantExpr(i), [value]))),
      );
      check(
        runOnWasm(kernel, buffers, {}, fma)['out']!.slice(0, edge[c.from]!.length),
        edge[c.from]!.map((x) => [x]),
        c,
        'constant',
      );
    }
  });
}

test('the list of casts is complete', () => {
  expect(cases.filter((c) => casts.includes(c.op)).length).toBe(types.length ** 2 + 9);
});
