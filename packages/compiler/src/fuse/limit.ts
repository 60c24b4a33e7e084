/** Keeps kernels within the buffers that a target can bind: expressions of many operands are cut, groups of too many buffers divided. */
import type { Graph, Tensor } from '@sinter/ir';
import { sourceName, stateOp, Tensor as T } from '@sinter/ir';
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

/** What {@link divide} knows of groups besides their members. */
export interface Uses {
  /** What each group reads of others. */
  readonly reads: ReadonlyMap<Group, ReadonlySet<Tensor>>;
  /** The stored tensors and data that a tensor is computed from. */
  readonly leaves: (t: Tensor) => ReadonlySet<Tensor>;
  /** The state, by name, that a tensor replaces: where the group reads that too, and no later one does, the two are one buffer. */
  readonly replaces: ReadonlyMap<Tensor, string>;
}

/**
 * Members that must begin groups of their own, so that no group reads and writes more buffers than a kernel can bind. A group is cut
 * where the parts have least in common: between one parameter's update and the next rather than within.
 */
export function divide(groups: readonly Group[], uses: Uses, maxBindings: number): Tensor[] {
  const { reads, leaves, replaces } = uses;
  const stateOf = (x: Tensor): string | undefined => (x.op === stateOp ? sourceName(x) : undefined);
  const readLast = new Map<string | undefined, number>();
  for (const g of groups)
    for (const x of reads.get(g)!) readLast.set(stateOf(x), Math.max(g.first, readLast.get(stateOf(x)) ?? 0));
  const bindings = (g: Group, read: ReadonlySet<Tensor>, written: Iterable<Tensor>): number => {
    const states = new Set([...read].map(stateOf).filter((name) => readLast.get(name)! <= g.first));
    let count = read.size;
    for (const t of written) if (!replaces.has(t) || !states.has(replaces.get(t))) count++;
    return count;
  };
  return groups.flatMap((g) => {
    if (g.members.length < 2 || bindings(g, reads.get(g)!, g.outputs) <= maxBindings) return [];
    const starts: Tensor[] = [];
    for (let from = 0; from < g.members.length;) {
      const to = Math.max(1, longest(g, from));
      if (from + to >= g.members.length) break;
      from += bestCut(g.members.slice(from, from + to + 1));
      starts.push(g.members[from]!);
    }
    return starts.length > 0 ? starts : [g.members.at(-1)!];
  });

  /** How many members from one on a kernel can hold. */
  function longest(g: Group, from: number): number {
    const read = new Set<Tensor>();
    const outputs = new Set(g.outputs);
    const held: Tensor[] = [];
    for (let at = from; at < g.members.length; at++) {
      const t = g.members[at]!;
      for (const x of leaves(t)) if (!held.includes(x)) read.add(x);
      held.push(t);
      const written = held.filter((x) => outputs.has(x));
      if (bindings(g, read, written) > maxBindings) return at - from;
    }
    return g.members.length - from;
  }

  /** Where some members, the last of which is one too many, have least in common; the latest such place. */
  function bestCut(members: readonly Tensor[]): number {
    const last = new Map<Tensor, number>();
    const first = new Map<Tensor, number>();
    members.forEach((t, i) => {
      for (const x of [...leaves(t), t]) {
        if (!first.has(x)) first.set(x, i);
        last.set(x, i);
      }
    });
    let best = members.length - 1;
    let fewest = Infinity;
    for (let cut = members.length - 1; cut > 0; cut--) {
      let common = 0;
      for (const [x, i] of first) if (i < cut && last.get(x)! >= cut) common++;
      if (common < fewest) [fewest, best] = [common, cut];
    }
    return best;
  }
}
