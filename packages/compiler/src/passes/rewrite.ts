/** The frame of every graph pass: rebuilds a graph bottom-up, handing each node with its new operands to a rule. */
import type { Graph } from '@sinter/ir';
import { graphRoots, Tensor, topological } from '@sinter/ir';

/** Gives the tensor that stands for `node` from now on; `node` already has rewritten operands. */
export type Rule = (node: Tensor) => Tensor;

/** Applies a rule to every node, operands first. The records of the graph keep their names. */
export function rewriteGraph(g: Graph, rule: Rule): Graph {
  const replaced = new Map<Tensor, Tensor>();
  for (const t of topological(graphRoots(g))) {
    const inputs = t.inputs.map((x) => replaced.get(x)!);
    const same = inputs.every((x, i) => x === t.inputs[i]);
    replaced.set(t, rule(same ? t : Tensor.make(t.op, inputs, t.attrs)));
  }
  const record = (r: Graph['outputs']): Graph['outputs'] =>
    Object.fromEntries(Object.entries(r).map(([name, t]) => [name, replaced.get(t) ?? t]));
  return {
    name: g.name,
    inputs: record(g.inputs),
    state: record(g.state),
    outputs: record(g.outputs),
    updates: record(g.updates),
  };
}
