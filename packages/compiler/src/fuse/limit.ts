/** Keeps kernels within the buffers that a target can bind: expressions of many operands are cut, groups of too many buffers divided. */
import type { Graph, Tensor } from '@sinter/ir';
import { Tensor as T } from '@sinter/ir';
import { rewriteGraph } from '../passes/rewrite.ts';
import type { Group } from './group.ts';
import { isData } from './group.ts';

/** Joins of more tensors than a kernel can read become joins of joins. */
export function splitConcats(g: Graph, maxBindings: number): Graph {
  const most = maxBindings - 1;
  const split = (t: Tensor): Tensor => {
    if (t.op.name !== 'concat' || t.inputs.length <= most) return t;
    const parts = Array.from({ length: Math.ceil(t.inputs.length / most) }, (_, i) =>
      T.make(t.op, t.inputs.slice(i * most, (i + 1) * most), t.attrs),
    );
    return split(T.make(t.op, parts, t.attrs));
  };
  return rewriteGraph(g, split);
}

/**
 * Stores operands of expressions that read more tensors than a kernel can, those with the most first, until every expression
 * that is stored can be computed by a kernel of its own.
 */
export function cutExpressions(order: readonly Tensor[], stored: Map<Tensor, string>, maxBindings: number): void {
  const leaves = new Map<Tensor, ReadonlySet<Tensor>>();
  const seenAs = (x: Tensor): ReadonlySet<Tensor> => (stored.has(x) || isData(x) ? new Set([x]) : leaves.get(x)!);
  for (const t of order) {
    // Its own result, and the lists that a scatter keeps.
    const most = maxBindings - (t.op.kind === 'scatter' ? 2 : 1);
    let all = new Set(t.inputs.flatMap((x) => [...seenAs(x)]));
    while (all.size > most) {
      const widest = t.inputs.reduce((a, b) => (seenAs(b).size > seenAs(a).size ? b : a));
      if (seenAs(widest).size < 2) break;
      stored.set(beneathViews(widest, leaves), 'operands that one kernel cannot bind');
      for (let x = widest; !stored.has(x); x = x.inputs[0]!) leaves.set(x, seenAs(beneathViews(x, leaves)));
      all = new Set(t.inputs.flatMap((x) => [...seenAs(x)]));
    }
    leaves.set(t, all);
  }
}

/** What a view of one tensor shows, where that has as many operands: it is stored rather than its view. */
function beneathViews(t: Tensor, leaves: ReadonlyMap<Tensor, ReadonlySet<Tensor>>): Tensor {
  let x = t;
  while (x.op.kind === 'view' && x.inputs.length === 1 && leaves.get(x.inputs[0]!)?.size === leaves.get(t)!.size)
    x = x.inputs[0]!;
  return x;
}

/** The last member of every group that reads and writes too many buffers: it must begin a group of its own. */
export function overfull(
  groups: readonly Group[],
  reads: ReadonlyMap<Group, ReadonlySet<Tensor>>,
  maxBindings: number,
): Tensor[] {
  return groups.flatMap((g) =>
    g.members.length > 1 && reads.get(g)!.size + g.outputs.length > maxBindings ? [g.members.at(-1)!] : [],
  );
}
