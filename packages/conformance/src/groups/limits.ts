/** What is larger than a device's tables: more workgroups than one dispatch has, more operands than a kernel binds, nothing at all. */
import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { assert, checkGraph, withProgram } from '../check.ts';
import { noise, tensorOf } from '../data.ts';
import type { Suite } from '../suite.ts';

/** Just more than the workgroups of one dispatch of WebGPU along one axis (65,535). */
const many = 65_537;
/** More buffers than one kernel of any device that we know of binds. */
const operands = 40;

const parts = (shape: ir.Shape): Tensor[] => Array.from({ length: operands }, (_, i) => ir.input(`part ${i}`, shape));
const values = (g: ir.Graph, n: number): Record<string, ir.TensorData> =>
  Object.fromEntries(
    Object.entries(g.inputs).map(([name, t], i) => [name, noise(ir.shapeSize(t.shape, { n }), { seed: i })]),
  );
const sumOf = (xs: readonly Tensor[]): Tensor => xs.reduce((a, b) => ir.add(a, b) as Tensor);

/** Grids, bindings, empty run-time sizes, long chains, many steps. */
export function limitTests({ describe, test, backend }: Suite): void {
  describe('limits', () => {
    const check = async (name: string, outputs: ir.Tensors, n = 5): Promise<void> => {
      const g = ir.graph(name, { outputs });
      await checkGraph(g, await backend(), { inputs: values(g, n) });
    };

    test(`a map of ${many} × 256 elements`, async () => {
      const length = many * 256;
      const x = ir.input('x', ['n'], 'u8');
      const data = Uint8Array.from({ length }, (_, i) => i % 251);
      await withProgram(ir.graph('large', { outputs: { y: ir.xor(x, 7) } }), await backend(), {}, async (program) => {
        const found = (await program.run({ x: { data, shape: [length] } }))['y']!.data;
        const wrong = data.findIndex((v, i) => found[i] !== (v ^ 7));
        assert(wrong < 0 && found.length === length, `element ${wrong} is ${found[wrong]}`);
      });
    }, 120_000);
    test(`${many} rows, columns, products and gathered rows`, async () => {
      const [x, wide, table] = [ir.input('x', ['n', 3]), ir.input('wide', [3, 'n']), ir.input('table', [5, 2])];
      const ids = ir.input('ids', ['n'], 'i32');
      const batch = ir.reshape(x, ['n', 1, 3]);
      const g = ir.graph('many', {
        outputs: {
          rows: ir.softmax(x),
          columns: ir.max(wide, { axes: 0 }),
          totals: ir.mean(x, { axes: 0 }),
          products: ir.matmul(batch, ir.reshape(wide, ['n', 3, 1])),
          tall: ir.matmul(x, ir.input('w', [3, 2])),
          inner: ir.matmul(wide, x),
          gathered: ir.gather(table, ids),
          scattered: ir.scatterAdd(ids, x, many),
        },
      });
      const inputs = {
        ...values(g, many),
        ids: tensorOf(
          [many],
          Int32Array.from({ length: many }, (_, i) => (i * 7) % many),
          'i32',
        ),
      };
      await checkGraph(g, await backend(), { inputs });
    }, 120_000);

    test(
      `concat of ${operands} inputs`,
      () => check('concat', { fixed: ir.concat(parts([2, 3])), rows: ir.concat(parts([2, 3]), 1) }),
      60_000,
    );
    test(
      `concat of ${operands} inputs of a run-time size`,
      () => check('concat', { rows: ir.mul(ir.concat(parts(['n', 3]), 1), 2), stacked: ir.stack(parts(['n', 3])) }),
      60_000,
    );
    test(
      `maps of ${operands} inputs`,
      () =>
        check('map', {
          sum: sumOf(parts(['n', 3])),
          deep: ir.tanh(sumOf(parts(['n', 3]).map((x, i) => ir.mul(x, i / operands)))),
        }),
      60_000,
    );
    test(`reductions, products and their epilogues of ${operands} inputs`, () => {
      const xs = parts(['n', 6]);
      return check('operands', {
        softmax: ir.softmax(sumOf(xs)),
        columns: ir.sum(sumOf(xs.map((x) => ir.exp(x))), { axes: 0 }),
        product: ir.matmul(ir.concat(xs, 1), ir.input('w', [6 * operands, 7])),
        epilogue: ir.relu(sumOf([ir.matmul(xs[0]!, ir.input('v', [6, 6])) as Tensor, ...xs])),
        picked: ir.gather(sumOf(xs), ir.constant(Int32Array.of(1, 0, 1), [3], 'i32')),
      });
    }, 60_000);
    test(`${operands} results of one tensor, ${operands} states updated from one`, async () => {
      const x = ir.input('x', ['n', 3]);
      const total = ir.sum(x, { axes: 0 });
      const states = Array.from({ length: operands }, (_, i) => ir.state(`state ${i}`, [3]));
      const g = ir.graph('results', {
        outputs: Object.fromEntries(states.map((_, i) => [`result ${i}`, ir.add(x, i)])),
        updates: Object.fromEntries(states.map((s, i) => [`state ${i}`, ir.add(ir.mul(s, 0.5), ir.mul(total, i))])),
      });
      await checkGraph(g, await backend(), { inputs: values(g, 4), runs: 2 });
    }, 60_000);

    test('a run-time size of 0', async () => {
      const x = ir.input('x', ['n', 4]);
      const g = ir.graph('none', {
        outputs: {
          map: ir.exp(x),
          rows: ir.softmax(x),
          columns: ir.sum(x, { axes: 0 }),
          all: ir.sum(x),
          product: ir.matmul(x, ir.input('w', [4, 3])),
          inner: ir.matmul(ir.transpose(x, [1, 0]), x),
          scaled: ir.mul(ir.max(ir.input('y', [2, 4])), x),
        },
      });
      for (const n of [0, 3, 0])
        await checkGraph(g, await backend(), { inputs: values(g, n), compile: { dims: { n: { min: 0 } } } });
    }, 60_000);
    test('a chain of 1000 maps, and one of 200 products', async () => {
      const x = ir.input('x', ['n', 4]);
      let maps = x as Tensor;
      for (let i = 0; i < 1000; i++) maps = i % 2 === 0 ? ir.mul(maps, 1.01) : ir.sub(maps, 0.005);
      let products = x as Tensor;
      const w = ir.input('w', [4, 4]);
      for (let i = 0; i < 200; i++) products = ir.tanh(ir.matmul(products, w) as Tensor);
      await check('chains', { maps, products });
    }, 60_000);
  });
}
