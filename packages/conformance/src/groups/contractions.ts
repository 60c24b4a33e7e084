/** Contractions: all orders of the labels, and operands that are views: concatenated, padded, sliced, windowed. */
import type { Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { checkGraph } from '../check.ts';
import { noise } from '../data.ts';
import type { Suite } from '../suite.ts';

const extent: Readonly<Record<string, number>> = { b: 2, c: 3, m: 5, n: 6, k: 7, l: 3, o: 3 };

function orders(letters: string): string[] {
  if (letters.length < 2) return [letters];
  return [...letters].flatMap((first) => orders(letters.replace(first, '')).map((rest) => first + rest));
}

/** One graph per order of the first operand, and one per form. */
export function contractionTests({ describe, test, backend }: Suite): void {
  const check = async (outputs: Record<string, Tensor>): Promise<void> => {
    const g = ir.graph('contractions', { outputs });
    await checkGraph(g, await backend(), {
      inputs: Object.fromEntries(
        Object.entries(g.inputs).map(([key, t], i) => [key, noise(t.shape as readonly number[], { seed: i })]),
      ),
    });
  };
  const operand = (name: string, labels: string): Tensor =>
    ir.input(
      `${name}${labels}`,
      [...labels].map((l) => extent[l]!),
    );
  const specs = (list: readonly string[]): Record<string, Tensor> =>
    Object.fromEntries(
      list.map((spec) => {
        const [, a, b] = /^(\w*),(\w*)->/.exec(spec)!;
        return [spec, ir.contract(spec, operand('a', a!), operand('b', b!))];
      }),
    );
  const x = (...shape: number[]): Tensor => ir.input(`x${shape.join('x')}`, shape);
  const y = (...shape: number[]): Tensor => ir.input(`y${shape.join('x')}`, shape);

  describe('contractions', () => {
    for (const a of orders('bmk')) {
      test(
        `labels ${a} with every order of the other operand and of the result`,
        () => check(specs(orders('bkn').flatMap((b) => orders('bmn').map((out) => `${a},${b}->${out}`)))),
        60_000,
      );
    }
    test(
      'without rows, columns, inner or batch; several of each',
      () =>
        check(
          specs([
            ',->',
            'k,k->',
            'm,->m',
            ',n->n',
            'm,n->mn',
            'm,n->nm',
            'b,b->b',
            'bm,b->mb',
            'bk,bk->b',
            'k,kn->n',
            'mk,k->m',
            'bmk,bk->bm',
            'bk,bkn->nb',
            'mkl,kln->mn',
            'mkl,lkn->nm',
            'lmk,knl->nm',
            'bmckl,bckln->bcmn',
            'bcmk,bcnk->bcmn',
            'bmck,bnck->bcmn',
            'bcmn,bnck->bmck',
            'mok,nk->omn',
            'mk,nok->mno',
            'mok,kn->nmo',
            'omk,nbk->bmno',
            'cbk,bkc->cb',
          ]),
        ),
      60_000,
    );

    test(
      'concatenated, padded, sliced, flipped and broadcast operands',
      () =>
        check({
          concat: ir.matmul(ir.concat([x(5, 3), x(5, 4)], 1), y(7, 6)) as Tensor,
          concatRows: ir.matmul(y(6, 7), ir.concat([x(3, 9), x(4, 9)], 0)) as Tensor,
          pad: ir.matmul(ir.pad(x(3, 5), [1, 2], [2, 0]), ir.pad(y(5, 4), [0, 3], [2, 1])) as Tensor,
          padWithOnes: ir.matmul(ir.pad(x(3, 5), [0, 1], [0, 1], 1), y(7, 6)) as Tensor,
          slice: ir.matmul(
            ir.slice(x(9, 17), { starts: [1, 2], ends: [8, 16], steps: [2, 3] }),
            ir.slice(y(7, 8), { starts: [1, 1], ends: [6, 6] }),
          ) as Tensor,
          flip: ir.matmul(ir.flip(x(4, 7), [1]), y(7, 6)) as Tensor,
          broadcast: ir.matmul(ir.broadcastTo(x(1, 7), [13, 7]), y(7, 6)) as Tensor,
          reshape: ir.matmul(ir.reshape(x(2, 3, 2, 7), [6, 14]), ir.reshape(y(7, 10), [14, 5])) as Tensor,
          gather: ir.matmul(
            ir.gather(x(5, 7), ir.constant(Int32Array.of(4, 0, 0, 2, 9, -1), [6], 'i32')),
            y(7, 6),
          ) as Tensor,
          mapped: ir.matmul(ir.exp(ir.sub(x(5, 7), 1)), ir.tanh(y(7, 6))) as Tensor,
        }),
      60_000,
    );
    test('results that are sliced, transposed, concatenated and added to themselves', () => {
      const product = ir.matmul(x(6, 7), y(7, 9)) as Tensor;
      return check({
        slice: ir.slice(product, { starts: [1, 2], ends: [5, 8] }),
        transpose: ir.transpose(ir.add(product, 1), [1, 0]),
        concat: ir.concat([product, ir.neg(product)], 1),
        symmetric: ir.add(ir.matmul(product, ir.matrixTranspose(product)) as Tensor, 1),
        split: ir.softmax(ir.reshape(product, [6, 3, 3])),
        row: ir.sum(product, { axes: 1 }),
        column: ir.max(product, { axes: 0 }),
        chain: ir.matmul(ir.relu(product), y(9, 4)) as Tensor,
      });
    }, 60_000);
    test(
      'convolutions and pooling',
      () =>
        check({
          conv1d: ir.conv1d(x(2, 3, 11), y(4, 3, 3), y(4), { padding: 1 }),
          strided: ir.conv1d(x(2, 3, 11), y(4, 3, 3), undefined, { stride: 3, dilation: 2 }),
          conv2d: ir.conv2d(x(2, 3, 7, 9), y(5, 3, 3, 3), y(5), { padding: 1 }),
          stridedImages: ir.relu(
            ir.conv2d(x(1, 2, 9, 9), y(3, 2, 3, 3), undefined, { stride: 2, padding: [1, 0], dilation: [1, 2] }),
          ),
          point: ir.conv2d(x(2, 3, 7, 9), y(5, 3, 1, 1)),
          maxPool: ir.maxPool2d(x(2, 3, 7, 9), 3, { stride: 2, padding: 1 }),
          avgPool: ir.avgPool2d(x(2, 3, 7, 9), 2),
          twice: ir.conv2d(ir.relu(ir.conv2d(x(1, 2, 6, 5), y(4, 2, 3, 3), undefined, { padding: 1 })), y(2, 4, 3, 3)),
        }),
      60_000,
    );
    test('gradients of a convolution and of pooling', () => {
      const [image, kernel] = [x(2, 2, 7, 6), y(3, 2, 3, 3)];
      const loss = ir.sum(
        ir.square(ir.maxPool2d(ir.conv2d(image, kernel, undefined, { stride: 2, padding: 1 }), 2, { stride: 1 })),
      ) as Tensor;
      const [image_, kernel_] = ir.gradients(loss, [image, kernel]);
      return check({ image_, kernel_ });
    }, 60_000);
    test(
      'long inner sizes and large reductions',
      () =>
        check({
          dot: ir.matmul(x(20011), y(20011)) as Tensor,
          tall: ir.matmul(x(3, 5003), y(5003, 5)) as Tensor,
          sum: ir.sum(x(20011)),
          mean: ir.mean(x(17, 1013), { axes: 1 }),
          columns: ir.sum(x(4001, 3), { axes: 0 }),
          all: ir.sum(x(17, 1013)),
          largest: ir.max(x(20011)),
          softmax: ir.softmax(x(2, 3001)),
        }),
      60_000,
    );
    test('integers', async () => {
      const [a, b] = [ir.input('a', [5, 7], 'i32'), ir.input('b', [7, 6], 'i32')];
      await checkGraph(ir.graph('integers', { outputs: { product: ir.matmul(a, b) } }), await backend(), {
        inputs: {
          a: noise([5, 7], { low: -99, high: 99, dtype: 'i32' }),
          b: noise([7, 6], { seed: 1, low: -99, high: 99, dtype: 'i32' }),
        },
      });
    });
  });

  describe('few rows, as in token-by-token generation', () => {
    for (const rows of [1, 2, 3, 8, 9]) {
      test(`${rows}`, async () => {
        const state: Record<string, ReturnType<typeof noise>> = {};
        const weight = (name: string, shape: readonly number[], dtype: 'f32' | 'i8' | 'u8' = 'f32'): Tensor => {
          state[name] = noise(shape, {
            seed: Object.keys(state).length,
            ...(dtype !== 'f32' && { dtype, low: dtype === 'i8' ? -128 : 0, high: dtype === 'i8' ? 127 : 255 }),
          });
          return ir.state(name, shape, dtype);
        };
        const outputs: Record<string, Tensor> = {};
        for (const [n, k] of [
          [1, 5],
          [70, 37],
          [37, 64],
          [257, 530],
          [40, 0],
          [0, 4],
        ] as const) {
          const [a, at] = [ir.input(`a${k}`, [rows, k]), ir.input(`at${k}`, [k, rows])];
          const [across, down] = [weight(`across${n}x${k}`, [n, k]), weight(`down${n}x${k}`, [k, n])];
          const real = (x: Tensor): Tensor => ir.cast(x, 'f32');
          const scaled = ir.mul(real(weight(`bytes${n}x${k}`, [n, k], 'i8')), weight(`scale${n}x${k}`, [n, 1]));
          const shifted = ir.mul(
            ir.sub(real(weight(`codes${n}x${k}`, [k, n], 'u8')), weight(`zero${n}x${k}`, [n])),
            weight(`step${n}x${k}`, [n]),
          );
          Object.assign(outputs, {
            [`rows${n}x${k}`]: ir.gelu(ir.add(ir.contract('mk,nk->mn', a, across), weight(`bias${n}x${k}`, [n]))),
            [`columns${n}x${k}`]: ir.add(ir.contract('mk,kn->mn', a, down), 1),
            [`transposed${n}x${k}`]: ir.contract('km,kn->mn', at, down),
            [`result${n}x${k}`]: ir.contract('km,nk->nm', at, across),
            [`scaled${n}x${k}`]: ir.contract('mk,nk->mn', a, scaled),
            [`shifted${n}x${k}`]: ir.contract('mk,kn->mn', a, shifted),
          });
        }
        const g = ir.graph('few rows', { outputs });
        await checkGraph(g, await backend(), {
          inputs: Object.fromEntries(
            Object.entries(g.inputs).map(([key, t], i) => [key, noise(t.shape as readonly number[], { seed: i })]),
          ),
          state,
        });
      }, 60_000);
    }
    test('with a run-time number of rows, columns and terms', async () => {
      const [rows, n, k] = [ir.input('a', ['m', 'k']), ir.input('b', ['k', 'n']), ir.input('c', ['n', 'k'])];
      const [q, keys] = [ir.input('q', [3, 1, 16]), ir.input('keys', [3, 'n', 16])];
      const scores = ir.contract('hqd,htd->hqt', q, keys);
      const g = ir.graph('run-time', {
        outputs: {
          columns: ir.contract('mk,kn->mn', rows, n),
          rows: ir.contract('mk,nk->mn', rows, k),
          attended: ir.contract('hqt,htd->hqd', ir.softmax(scores), keys),
        },
      });
      const sizes = { m: 3, n: 53, k: 41 };
      await checkGraph(g, await backend(), {
        inputs: Object.fromEntries(
          Object.entries(g.inputs).map(([key, t], i) => [key, noise(ir.shapeSize(t.shape, sizes), { seed: i })]),
        ),
        compile: { dims: { m: { min: 1, max: 5 } } },
      });
    });
  });
}
