/** Run-time sizes: one program, many sizes, each like a program of its own; fixed and bounded sizes. */
import type { Graph, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import type { Values } from '../check.ts';
import { checkGraph, compareAll, rejects, withProgram } from '../check.ts';
import { noise } from '../data.ts';
import type { Suite } from '../suite.ts';

const x = (...shape: ir.Shape): Tensor => ir.input('x', shape);

/** Graphs over `n` and `m`. */
const graphs: Readonly<Record<string, () => Record<string, Tensor>>> = {
  maps: () => ({
    map: ir.tanh(ir.mul(x('n', 5), ir.input('row', [5]))),
    count: ir.dimValue('n'),
    position: ir.cast(ir.iota(['n', 5], 0), 'f32'),
  }),
  'rows and columns': () => ({
    rows: ir.mean(x('n', 'm'), { axes: 1 }),
    columns: ir.sum(x('n', 'm'), { axes: 0 }),
    all: ir.mean(x('n', 'm')),
    largest: ir.argmax(x('n', 'm'), 0),
  }),
  softmax: () => ({ rows: ir.softmax(x('n', 'm')), columns: ir.softmax(x('n', 'm'), 0) }),
  products: () => ({
    product: ir.matmul(x('n', 'm'), ir.input('y', ['m', 17])),
    gram: ir.matmul(x('n', 'm'), ir.transpose(x('n', 'm'), [1, 0])),
    inner: ir.matmul(ir.transpose(x('n', 'm'), [1, 0]), x('n', 'm')),
  }),
  views: () => ({
    concat: ir.concat([x('n', 'm'), ir.input('y', ['m', 'm'])], 0),
    pad: ir.pad(x('n', 'm'), [2, 0], [1, 3], -1),
    flip: ir.flip(x('n', 'm'), [0]),
    merged: ir.reshape(x('n', 'm'), ['m*n']),
    split: ir.reshape(ir.transpose(ir.reshape(x('n', 'm'), ['n', 1, 'm']), [2, 1, 0]), ['m*n']),
    windows: ir.sum(ir.windows(x('n', 'm'), 0, { size: 3, padding: 1 }), { axes: 1 }),
  }),
  attention: () => ({
    context: ir.attention(
      ir.input('q', ['n', 'm', 2, 8]),
      ir.input('k', ['n', 'm', 2, 8]),
      ir.input('v', ['n', 'm', 2, 8]),
      { bias: ir.input('bias', ['n', 1, 1, 'm']) },
    ).context,
  }),
  'gather and scatter': () => ({
    rows: ir.gather(ir.input('y', ['m', 3]), ir.input('ids', ['n'], 'i32')),
    sums: ir.scatterAdd(ir.input('ids', ['n'], 'i32'), x('n', 4), 'm'),
    all: ir.sum(ir.input('y', ['m', 3])),
  }),
  gradients: () => {
    const [input, weight] = [x('n', 6), ir.input('w', [5, 6])];
    const loss = ir.mean(ir.square(ir.gelu(ir.linear(input, weight)))) as Tensor;
    const [inputs, weights] = ir.gradients(loss, [input, weight]);
    return { loss, inputs, weights };
  },
};
const values: readonly (readonly [n: number, m: number])[] = [
  [3, 4],
  [1, 1],
  [7, 1],
  [1, 13],
  [16, 8],
  [5, 33],
  [31, 2],
  [2, 3],
];

function inputsOf(g: Graph, sizes: Readonly<Record<string, number>>): Values {
  return Object.fromEntries(
    Object.entries(g.inputs).map(([name, t], i) => [
      name,
      noise(ir.shapeSize(t.shape, sizes), {
        seed: i,
        dtype: t.dtype,
        ...(t.dtype === 'i32' && { low: -1, high: sizes['m']! + 1 }),
      }),
    ]),
  );
}

/** One test per graph. */
export function sizeTests({ describe, test, backend }: Suite): void {
  describe('run-time sizes', () => {
    for (const [name, make] of Object.entries(graphs)) {
      test(`one program, many sizes: ${name}`, async () => {
        const g = ir.graph(name, { outputs: make() });
        await withProgram(g, await backend(), {}, async (program) => {
          for (const [n, m] of values) {
            const inputs = inputsOf(g, { n, m });
            compareAll(g, g.outputs, await program.run(inputs), ir.evaluate(g, inputs).outputs, {
              scale: 1,
              what: `n = ${n}, m = ${m}`,
            });
          }
        });
      }, 60_000);
    }
    test('fixed sizes', async () => {
      const g = ir.graph('fixed', { outputs: graphs['products']!() });
      for (const [n, m] of [
        [5, 33],
        [1, 1],
      ] as const)
        await checkGraph(g, await backend(), { inputs: inputsOf(g, { n, m }), compile: { dims: { n, m } } });
    }, 60_000);
    test('a bounded size, and what lies outside of it', async () => {
      const g = ir.graph('bounded', { outputs: graphs['softmax']!() });
      await withProgram(g, await backend(), { dims: { n: { min: 2, max: 9 }, m: 5 } }, async (program) => {
        const inputs = inputsOf(g, { n: 9, m: 5 });
        compareAll(g, g.outputs, await program.run(inputs), ir.evaluate(g, inputs).outputs, { scale: 1 });
        await rejects('n = 10', () => program.run(inputsOf(g, { n: 10, m: 5 })), 'ShapeError', "'n' is 10");
        await rejects('n = 1', () => program.run(inputsOf(g, { n: 1, m: 5 })), 'ShapeError', "'n' is 1");
        await rejects('m = 6', () => program.run(inputsOf(g, { n: 4, m: 6 })), 'ShapeError', "'m'");
      });
    }, 60_000);
  });
}
