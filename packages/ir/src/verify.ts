/** Checks that a graph is well formed; run between passes in tests, and on graphs that come from text. */
import { GraphError } from './errors.ts';
import type { Graph } from './graph.ts';
import { graph, graphRoots, topological } from './graph.ts';
import { sameShape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** Throws a {@link GraphError} for the first node whose recorded type is not what its op infers, or whose records disagree. */
export function verifyGraph(g: Graph): Graph {
  for (const t of topological(graphRoots(g))) {
    const inferred = t.op.infer(t.inputs, t.attrs);
    if (inferred.dtype !== t.dtype || !sameShape(inferred.shape, t.shape)) {
      throw new GraphError(`graph '${g.name}': ${String(t)} should be ${inferred.dtype}[${inferred.shape.join(', ')}]`);
    }
  }
  const again = graph(g.name, g);
  for (const part of ['inputs', 'state'] as const) {
    const [found, recorded]: Readonly<Record<string, Tensor>>[] = [again[part], g[part]];
    for (const name of Object.keys(found!)) {
      if (!Object.hasOwn(recorded!, name))
        throw new GraphError(`graph '${g.name}': '${name}' is used but missing from its ${part}`);
    }
  }
  return g;
}
