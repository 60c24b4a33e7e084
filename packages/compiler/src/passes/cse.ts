/** Common subexpressions: nodes with the same op, operands and attributes become one node. */
import type { Graph, Tensor } from '@sinter/ir';
import { plainText } from '../plain.ts';
import { rewriteGraph } from './rewrite.ts';

/** Merges equal nodes. */
export function mergeEqual(g: Graph): Graph {
  const ids = new Map<unknown, number>();
  const idOf = (x: unknown): number => {
    const known = ids.get(x);
    if (known !== undefined) return known;
    ids.set(x, ids.size);
    return ids.size - 1;
  };
  const seen = new Map<string, Tensor>();
  return rewriteGraph(g, (t) => {
    const key = `${idOf(t.op)}(${t.inputs.map(idOf).join()})${plainText(t.attrs, (data) => `#${idOf(data)}`)}`;
    const known = seen.get(key);
    if (known) return known;
    seen.set(key, t);
    return t;
  });
}
