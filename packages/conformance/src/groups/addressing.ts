/** Ops that address by data, integers and flags, and random numbers: exact, whatever runs them. */
import type { DType, Shape, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { assert, checkGraph, sameBits, withProgram } from '../check.ts';
import { exact } from '../closeness.ts';
import { noise, tensorOf } from '../data.ts';
import type { Suite } from '../suite.ts';

const ids = (name: string, ...shape: number[]): Tensor<Shape, 'i32'> =>
  ir.input(name, shape, 'i32') as Tensor<Shape, 'i32'>;

/** Gather, scatter, update; integer arithmetic at its edges; Philox and dropout. */
export function addressingTests({ describe, test, backend }: Suite): void {
  describe('addressing by data', () => {
    test('gather: repeated, negative and too large indices; of what is computed; of columns', async () => {
      const [table, at] = [ir.input('table', [5, 3]), ids('at', 2, 4)];
      await checkGraph(
        ir.graph('gather', {
          outputs: {
            rows: ir.gather(table, at),
            computed: ir.gather(ir.exp(table), at),
            columns: ir.gather(ir.transpose(table, [1, 0]), at),
            mapped: ir.mul(ir.gather(table, ir.mod(ir.add(at, 7), 5)), 2),
            of: ir.gather(ir.gather(table, at), ids('one')),
            product: ir.matmul(ir.reshape(ir.gather(table, at), [8, 3]), ir.transpose(table, [1, 0])),
            sums: ir.sum(ir.gather(table, at), { axes: [0, 1] }),
          },
        }),
        await backend(),
        {
          inputs: {
            table: noise([5, 3]),
            at: tensorOf([2, 4], [0, 4, 4, -1, 2, 7, -2147483648, 2147483647], 'i32'),
            one: tensorOf([], [1], 'i32'),
          },
        },
      );
    });
    test('scatter: duplicates are added up, indices outside are held in, rows without an index are zero', async () => {
      const [at, updates] = [ids('at', 9), ir.input('updates', [9, 5])];
      await checkGraph(
        ir.graph('scatter', {
          outputs: {
            sums: ir.scatterAdd(at, updates, 4),
            scaled: ir.add(ir.scatterAdd(at, ir.mul(updates, 2), 40), 1),
            all: ir.scatterAdd(ir.full([9], 2, 'i32'), updates, 3),
            scalars: ir.scatterAdd(at, ir.sum(updates, { axes: 1 }), 5),
            counts: ir.scatterAdd(at, ir.full([9], 1, 'i32'), 4),
            wide: ir.scatterAdd(ir.reshape(at, [3, 3]), ir.reshape(updates, [3, 3, 5]), 4),
          },
        }),
        await backend(),
        { inputs: { at: tensorOf([9], [1, 3, 1, 1, 0, -5, 9, 1, 3], 'i32'), updates: noise([9, 5]) } },
      );
    });
    test('scatter of many rows into few, as the gradient of an embedding', async () => {
      const [at, table] = [ids('at', 700), ir.input('table', [11, 24])];
      const loss = ir.sum(ir.square(ir.gather(table, at)));
      await checkGraph(
        ir.graph('embedding', { outputs: { table: ir.gradients(loss as Tensor, [table])[0] } }),
        await backend(),
        { inputs: { at: noise([700], { low: 0, high: 11, dtype: 'i32' }), table: noise([11, 24]) } },
      );
    });
    test('updateSlice: inside, at the edges, across them', async () => {
      const [base, block, start] = [ir.input('base', [5, 6]), ir.input('block', [2, 3]), ids('start', 2)];
      const g = ir.graph('update', {
        outputs: {
          whole: ir.updateSlice(base, block, start),
          mapped: ir.add(ir.updateSlice(ir.mul(base, 2), ir.neg(block), start), 1),
          row: ir.sum(ir.updateSlice(base, block, start), { axes: 1 }),
        },
      });
      for (const [i, j] of [
        [0, 0],
        [3, 3],
        [1, 2],
        [4, 5],
        [-1, -2],
        [9, 0],
      ])
        await checkGraph(g, await backend(), {
          inputs: { base: noise([5, 6]), block: noise([2, 3], { seed: 1 }), start: tensorOf([2], [i!, j!], 'i32') },
          tolerance: (name) => (name === 'row' ? {} : exact),
        });
    }, 60_000);
  });

  describe('integers and flags', () => {
    const edges = {
      i32: [0, 1, -1, 2, 7, -7, 31, 65536, -65537, 2147483647, -2147483648],
      u32: [0, 1, 2, 7, 31, 65536, 2147483647, 2147483648, 4294967295],
      u8: [0, 1, 2, 127, 128, 255],
      i8: [0, 1, -1, 7, 127, -128],
      bool: [0, 1],
    } as const;
    for (const dtype of ['i32', 'u32', 'u8', 'i8', 'bool'] as const) {
      test(`${dtype}: every pair of edges`, async () => {
        const n = edges[dtype].length;
        const [a, b] = [ir.input('a', [n, 1], dtype), ir.input('b', [n], dtype)] as [Tensor, Tensor];
        const outputs: Record<string, Tensor> = {
          and: ir.and(a, b),
          or: ir.or(a, b),
          xor: ir.xor(a, b),
          equal: ir.equal(a, b),
          notEqual: ir.notEqual(a, b),
          where: ir.where(ir.equal(a, b), a, b),
          concat: ir.concat([a, ir.reshape(b, [n, 1])], 1),
          flip: ir.flip(a, [0]),
        };
        if (dtype !== 'bool')
          Object.assign(outputs, {
            less: ir.less(a, b),
            lessEqual: ir.lessEqual(a, b),
            min: ir.minimum(a, b),
            max: ir.maximum(a, b),
            smallest: ir.min(b),
            largest: ir.max(b),
          });
        if (dtype === 'i32' || dtype === 'u32')
          Object.assign(outputs, {
            add: ir.add(a, b),
            sub: ir.sub(a, b),
            mul: ir.mul(a, b),
            div: ir.div(a, ir.maximum(b, 1)),
            mod: ir.mod(a, ir.maximum(b, 1)),
            sum: ir.sum(b),
            shl: ir.shl(a, ir.and(b, 31)),
            shr: ir.shr(a, ir.and(b, 31)),
          });
        if (dtype === 'i32')
          Object.assign(outputs, { abs: ir.abs(ir.maximum(b, -2147483647)), neg: ir.neg(b), argmax: ir.argmax(a, 0) });
        if (dtype === 'bool')
          Object.assign(outputs, { not: ir.not(a as Tensor<Shape, 'bool'>), any: ir.max(b), all: ir.min(b) });
        for (const to of ['f32', 'i32', 'u32', 'u8', 'i8', 'bool'] as const satisfies readonly DType[])
          outputs[`to ${to}`] = ir.cast(b, to);
        await checkGraph(ir.graph(dtype, { outputs }), await backend(), {
          inputs: { a: tensorOf([n, 1], edges[dtype], dtype), b: tensorOf([n], edges[dtype], dtype) },
        });
      });
    }
    test('reals to integers: truncated, held in range, NaN is 0', async () => {
      const values = [
        0,
        -0,
        0.5,
        -0.5,
        0.99,
        1.5,
        -1.5,
        127.5,
        128,
        255.9,
        256,
        -128.5,
        -129,
        2147483520,
        2147483648,
        -2147483648,
        4294967040,
        4294967296,
        1e20,
        -1e20,
        NaN,
        Infinity,
        -Infinity,
      ];
      const x = ir.input('x', [values.length]);
      await checkGraph(
        ir.graph('casts', {
          outputs: Object.fromEntries((['i32', 'u32', 'bool'] as const).map((to) => [to, ir.cast(x, to)])),
        }),
        await backend(),
        { inputs: { x: tensorOf([values.length], values) } },
      );
    });
    test('NaN, infinities and signed zeros go through', async () => {
      const values = [0, -0, 1, -1, NaN, Infinity, -Infinity, 3e38, -3e38];
      const n = values.length;
      const [a, b] = [ir.input('a', [n, 1]), ir.input('b', [n])];
      await checkGraph(
        ir.graph('special', {
          outputs: {
            add: ir.add(a, b),
            mul: ir.mul(a, b),
            div: ir.div(a, b),
            less: ir.less(a, b),
            equal: ir.equal(a, b),
            notEqual: ir.notEqual(a, b),
            min: ir.minimum(a, b),
            max: ir.maximum(a, b),
            abs: ir.abs(b),
            neg: ir.neg(b),
            exp: ir.exp(b),
            tanh: ir.tanh(b),
            erf: ir.erf(b),
            sqrt: ir.sqrt(b),
            log: ir.log(b),
            floor: ir.floor(b),
            round: ir.round(b),
            relu: ir.relu(b),
            where: ir.where(ir.less(a, b), a, b),
            sum: ir.sum(b),
            largest: ir.max(b),
            sigmoid: ir.sigmoid(b),
            reciprocal: ir.reciprocal(b),
          },
        }),
        await backend(),
        { inputs: { a: tensorOf([n, 1], values), b: tensorOf([n], values) } },
      );
    });
  });

  describe('random numbers', () => {
    const key = ir.input('key', [2], 'u32');
    const keys = [
      [0, 0],
      [1, 0],
      [0, 1],
      [4294967295, 123456789],
    ];
    test('the same bits as the evaluator', async () => {
      const g = ir.graph('uniform', {
        outputs: {
          vector: ir.uniform(key, [1001], 0),
          matrix: ir.uniform(key, [7, 33], 5),
          transposed: ir.transpose(ir.uniform(key, [7, 33], 5), [1, 0]),
          one: ir.uniform(key, [], 1),
        },
      });
      await withProgram(g, await backend(), {}, async (program) => {
        for (const words of keys) {
          const inputs = { key: tensorOf([2], words, 'u32') };
          const [found, wanted] = [await program.run(inputs), ir.evaluate(g, inputs).outputs];
          for (const name of Object.keys(g.outputs))
            sameBits(`${name} of key ${words.join()}`, found[name]!.data, wanted[name]!.data);
        }
      });
    });
    test('dropout: the same mask in the gradient, another one for another step, streams apart', async () => {
      const x = ir.input('x', ['n', 37]);
      const dropped = ir.dropout(x, 0.25, key, 3);
      const g = ir.graph('dropout', {
        outputs: {
          dropped,
          other: ir.dropout(x, 0.25, key, 4),
          gradient: ir.gradients(ir.sum(dropped) as Tensor, [x])[0],
          product: ir.matmul(dropped, ir.transpose(x, [1, 0])),
        },
      });
      await withProgram(g, await backend(), {}, async (program) => {
        const masks: string[] = [];
        for (const words of keys) {
          const inputs = {
            key: tensorOf([2], words, 'u32'),
            x: { data: new Float32Array(41 * 37).fill(1), shape: [41, 37] },
          };
          const [found, wanted] = [await program.run(inputs), ir.evaluate(g, inputs).outputs];
          for (const name of ['dropped', 'other', 'gradient'])
            sameBits(`${name} of key ${words.join()}`, found[name]!.data, wanted[name]!.data);
          sameBits('the mask of the gradient', found['gradient']!.data, found['dropped']!.data);
          const kept = [...found['dropped']!.data].filter((v) => v !== 0).length / (41 * 37);
          assert(Math.abs(kept - 0.75) < 0.05, `dropout of 0.25 kept ${kept}`);
          masks.push(found['dropped']!.data.join(), found['other']!.data.join());
        }
        assert(new Set(masks).size === masks.length, 'two masks are the same');
      });
    });
  });
}
