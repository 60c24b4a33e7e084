/** Awkward shapes: nothing, one, primes, and sizes just beside the widths of vectors and tiles; rows, columns, broadcasts and transposes of them. */
import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { checkGraph } from '../check.ts';
import { noise } from '../data.ts';
import type { Suite } from '../suite.ts';

const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 31, 32, 33];
/** Rows, inner and columns of matrix products: around the tiles of registers, and long and thin. */
const products: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 1, 1],
  [1, 7, 1],
  [1, 64, 13],
  [13, 64, 1],
  [2, 3, 4],
  [3, 1, 12],
  [3, 5, 12],
  [4, 4, 4],
  [4, 8, 16],
  [5, 5, 5],
  [6, 16, 16],
  [7, 2, 33],
  [8, 8, 8],
  [12, 12, 3],
  [13, 17, 11],
  [16, 1, 16],
  [16, 16, 17],
  [17, 33, 31],
  [31, 32, 33],
  [33, 129, 3],
  [5, 300, 7],
  [65, 3, 66],
];

/** A graph of many results of one kind, checked at once. */
export function shapeTests({ describe, test, backend }: Suite): void {
  const check = async (name: string, results: Record<string, Tensor>): Promise<void> => {
    const g = ir.graph(name, { outputs: results });
    const inputs = Object.fromEntries(
      Object.entries(g.inputs).map(([key, t], i) => [
        key,
        noise(t.shape as readonly number[], {
          seed: i,
          low: t.dtype === 'f32' ? -1 : 0,
          high: t.dtype === 'f32' ? 1 : 3,
          dtype: t.dtype,
        }),
      ]),
    );
    await checkGraph(g, await backend(), { inputs });
  };
  const forSizes = (make: (n: number) => Tensor): Record<string, Tensor> =>
    Object.fromEntries(sizes.map((n) => [`${n}`, make(n)]));
  const x = (...shape: number[]): Tensor => ir.input(`x${shape.join('x')}`, shape);

  describe('awkward shapes', () => {
    test(
      'maps of vectors',
      () =>
        check(
          'map',
          forSizes((n) => ir.add(ir.mul(x(n), 3), x(1))),
        ),
      60_000,
    );
    test(
      'broadcast of rows and of columns',
      () =>
        check(
          'broadcast',
          forSizes((n) => ir.sub(ir.mul(x(5, 1), x(n)), x(3, 1, 1))),
        ),
      60_000,
    );
    test(
      'transposed views in maps',
      () =>
        check(
          'transposed',
          forSizes((n) => ir.add(ir.transpose(x(n, 3, 5), [2, 0, 1]), ir.transpose(x(3, n), [1, 0]))),
        ),
      60_000,
    );
    test(
      'reductions of rows',
      () =>
        check(
          'rows',
          forSizes((n) => ir.sum(ir.mul(x(3, n), 2), { axes: 1 })),
        ),
      60_000,
    );
    test(
      'reductions of columns',
      () =>
        check(
          'columns',
          forSizes((n) => ir.max(x(n, 5), { axes: 0 })),
        ),
      60_000,
    );
    test(
      'reductions of the middle, and of a transposed view',
      () =>
        check(
          'middle',
          forSizes((n) => ir.sum(ir.transpose(x(2, n, 3), [2, 0, 1]), { axes: [1, 2] })),
        ),
      60_000,
    );
    test(
      'softmax',
      () =>
        check(
          'softmax',
          forSizes((n) => ir.softmax(x(3, n))),
        ),
      60_000,
    );
    test(
      'layer norm',
      () =>
        check(
          'layerNorm',
          forSizes((n) => ir.layerNorm(x(2, n), x(n), x(n))),
        ),
      60_000,
    );
    test(
      'matrix products',
      () =>
        check(
          'matmul',
          Object.fromEntries(products.map(([m, k, n]) => [`${m}x${k}x${n}`, ir.matmul(x(m, k), x(k, n)) as Tensor])),
        ),
      60_000,
    );
    test(
      'linear layers with an epilogue',
      () =>
        check(
          'linear',
          Object.fromEntries(
            products.map(([m, k, n]) => [`${m}x${k}x${n}`, ir.gelu(ir.linear(x(m, k), x(n, k), x(n)))]),
          ),
        ),
      60_000,
    );
    test(
      'products of transposed operands',
      () =>
        check(
          'transposed products',
          Object.fromEntries(
            products.map(([m, k, n]) => [
              `${m}x${k}x${n}`,
              ir.matmul(ir.transpose(x(k, m), [1, 0]), ir.transpose(x(n, k), [1, 0])) as Tensor,
            ]),
          ),
        ),
      60_000,
    );
    test(
      'batches of products',
      () =>
        check(
          'batches',
          Object.fromEntries(
            products
              .slice(0, 12)
              .map(([m, k, n]) => [`${m}x${k}x${n}`, ir.matmul(x(3, m, k), x(2, 3, k, n)) as Tensor]),
          ),
        ),
      60_000,
    );

    test(
      'tensors without elements',
      () =>
        check('empty', {
          map: ir.exp(x(0)),
          mapOfRows: ir.add(x(3, 0), x(1)),
          sum: ir.sum(x(3, 0), { axes: 1 }),
          largest: ir.max(x(2, 0), { axes: 1 }),
          sumOfNone: ir.sum(x(0, 4), { axes: 1 }),
          columns: ir.sum(x(0, 4), { axes: 0 }),
          all: ir.sum(x(0)),
          noInner: ir.matmul(x(3, 0), x(0, 4)) as Tensor,
          noRows: ir.matmul(x(0, 3), x(3, 4)) as Tensor,
          noColumns: ir.matmul(x(3, 5), x(5, 0)) as Tensor,
          softmax: ir.softmax(x(0, 5)),
          softmaxOfNone: ir.softmax(x(5, 0)),
          layerNorm: ir.layerNorm(x(0, 4), x(4), x(4)),
          concat: ir.concat([x(2, 0), x(2, 3), x(2, 0)], 1),
          concatOfNone: ir.concat([x(0), x(0)]),
          padded: ir.pad(x(0), [2], [1], 5),
          slice: ir.slice(x(4), { starts: [2], ends: [2] }),
          reshape: ir.reshape(x(0, 4), [2, 0]),
          transpose: ir.transpose(x(0, 4), [1, 0]),
          gather: ir.gather(x(4, 2), ir.input('none', [0], 'i32')),
          gatherNothing: ir.gather(x(4, 0), ir.input('some', [3], 'i32')),
          scatter: ir.scatterAdd(ir.input('none', [0], 'i32'), x(0, 3), 4),
          where: ir.where(ir.equal(x(0), 1), x(0), x(1)),
          argmaxOfRows: ir.argmax(x(0, 3)),
        }),
      60_000,
    );

    test(
      'scalars',
      () =>
        check('scalars', {
          map: ir.add(x(), 1),
          sum: ir.sum(x(7)),
          product: ir.mul(x(), x(3)),
          reshape: ir.reshape(x(1, 1), []),
          dot: ir.matmul(x(5), x(5)) as Tensor,
          broadcast: ir.broadcastTo(x(), [2, 3]),
          concat: ir.stack([x(), x()]),
          gather: ir.gather(x(4, 2), ir.input('one', [], 'i32')),
        }),
      60_000,
    );

    test(
      'eight axes',
      () =>
        check('deep', {
          sum: ir.sum(ir.mul(x(2, 1, 3, 1, 2, 2, 1, 2), x(3, 1, 2, 2, 2)), { axes: [2, 5] }),
          order: ir.transpose(x(2, 1, 3, 1, 2, 2, 1, 2), [7, 5, 3, 1, 0, 2, 4, 6]),
        }),
      60_000,
    );
  });
}
