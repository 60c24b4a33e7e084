/** Attention whose scores are never stored: with every mask, with dropout, with all gradients, as the evaluator has them. */
import type { Graph, Shape, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import type { Values } from '../check.ts';
import { compareAll, withProgram } from '../check.ts';
import { noise } from '../data.ts';
import type { Suite } from '../suite.ts';

interface Options {
  readonly causal?: boolean;
  readonly dropout?: number;
  /** How many heads of queries share those of a key. */
  readonly group?: number;
}

/** The context of two heads of keys, and the gradients of what is attended: `n` sequences of `m` queries and `k` keys. */
function attention(name: string, { causal = false, dropout = 0, group = 1 }: Options): Graph {
  const input = (name: string, seq: string, heads = 2): Tensor => ir.input(name, ['n', seq, heads, 20]);
  const [query, key, value] = [input('query', 'm', 2 * group), input('key', 'k'), input('value', 'k')];
  const past = ir.lessEqual(ir.iota(['m', 'k'], 1) as Tensor, ir.iota(['m', 'k'], 0) as Tensor);
  const padding = ir.mul(ir.input('padding', ['n', 1, 1, 'k'], 'i32') as Tensor, 1);
  const hidden = ir.where(ir.equal(padding, 0) as Tensor<Shape, 'bool'>, ir.full([], -1e9), ir.full([], 0)) as Tensor;
  const future = ir.where(past as Tensor<Shape, 'bool'>, ir.full([], 0), ir.full([], -Infinity)) as Tensor;
  const { context } = ir.attention(query, key, value, {
    bias: causal ? (ir.add(hidden, future) as Tensor) : hidden,
    dropout: (p) => ir.dropout(p, dropout, ir.input('seed', [2], 'u32'), 1),
  });
  const loss = ir.sum(ir.square(ir.sub(context, input('target', 'm', 2 * group)))) as Tensor;
  const [queries, keys, values] = ir.gradients(loss, [query, key, value]) as [Tensor, Tensor, Tensor];
  return ir.graph(name, { outputs: { context, queries, keys, values } });
}

/** Blocks that are whole and that are not, and a single score. */
const sizes = [
  { n: 2, m: 7, k: 7 },
  { n: 1, m: 26, k: 99 },
  { n: 1, m: 1, k: 1 },
];

function inputsOf(g: Graph, at: Readonly<Record<string, number>>): Values {
  return Object.fromEntries(
    Object.entries(g.inputs).map(([name, t], i) => [
      name,
      noise(ir.shapeSize(t.shape, at), { seed: i, dtype: t.dtype, ...(t.dtype === 'i32' && { low: 0, high: 3 }) }),
    ]),
  );
}

/** One test per kind of mask. */
export function attentionTests({ describe, test, backend }: Suite): void {
  describe('blockwise attention', () => {
    for (const [name, options] of Object.entries<Options>({
      padding: {},
      'padding, causal, dropout': { causal: true, dropout: 0.2 },
      'padding, causal, heads that share keys': { causal: true, group: 3 },
    })) {
      test(
        name,
        async () => {
          const g = attention(name, options);
          await withProgram(g, await backend(), { attention: 'blockwise' }, async (program) => {
            for (const at of sizes) {
              const inputs = inputsOf(g, at);
              compareAll(g, g.outputs, await program.run(inputs), ir.evaluate(g, inputs).outputs, {
                scale: 1,
                what: `m = ${at.m}, k = ${at.k}`,
              });
            }
          });
        },
        60_000,
      );
    }
  });
}
