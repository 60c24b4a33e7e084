/**
 * Puts every stored tensor into a group: it joins that of a tensor it reads when it can be computed there and everything else that it
 * reads is there before the group runs; else it begins a group of its own.
 */
import type { ReduceAttrs, Tensor } from '@sinter/ir';
import type { Group } from './group.ts';
import { isData, maxDepth } from './group.ts';
import { fits, hasPlaceFor } from './place.ts';
import type { Regions } from '../region.ts';

/** Groups, and what each tensor is computed from. */
export interface Grouping {
  readonly groups: Group[];
  readonly groupOf: Map<Tensor, Group>;
  /** The stored tensors and data that a tensor is computed from. */
  readonly leaves: (t: Tensor) => ReadonlySet<Tensor>;
}

/**
 * Groups all stored tensors, in the order of the graph. Those that are to stand `alone` join no group, but others may join theirs; those of
 * `blocks` are blocks written into their state.
 */
export function groupAll(
  order: readonly Tensor[],
  index: ReadonlyMap<Tensor, number>,
  stored: ReadonlyMap<Tensor, string>,
  depth: ReadonlyMap<Tensor, number>,
  alone: ReadonlySet<Tensor>,
  regions: Regions,
  blocks: ReadonlySet<Tensor>,
): Grouping {
  const groups: Group[] = [];
  const groupOf = new Map<Tensor, Group>();
  const readers = new Map<Tensor, Set<Group>>();
  /** How deep the expression of a stored tensor is in its kernel, where members of its group are inlined too. */
  const depthInGroup = new Map<Tensor, number>();
  const depthIn = (g: Group, t: Tensor): number =>
    depth.get(t)! + Math.max(0, ...[...leaves(t)].map((l) => (groupOf.get(l) === g ? depthInGroup.get(l)! : 0)));
  const leavesOf = new Map<Tensor, ReadonlySet<Tensor>>();

  const leaves = (t: Tensor): ReadonlySet<Tensor> => {
    const known = leavesOf.get(t);
    if (known) return known;
    const out = new Set<Tensor>();
    for (const x of t.inputs) {
      if (stored.has(x) || isData(x)) out.add(x);
      else for (const leaf of leaves(x)) out.add(leaf);
    }
    leavesOf.set(t, out);
    return out;
  };
  // Filled operands first, so that the recursion above is never deep.
  for (const t of order) leaves(t);

  const canJoin = (g: Group, t: Tensor): boolean => {
    for (const leaf of leaves(t))
      if (!isData(leaf) && groupOf.get(leaf) !== g && index.get(leaf)! >= g.first) return false;
    if (depthIn(g, t) > 2 * maxDepth) return false;
    return fits(g, t, (x) => groupOf.get(x) === g, stored);
  };

  for (const t of order) {
    if (!stored.has(t)) continue;
    const near = new Set<Group>();
    if (!alone.has(t) && t.op.kind !== 'contract' && t.op.kind !== 'scatter') {
      for (const leaf of leaves(t)) {
        const home = groupOf.get(leaf);
        if (home && hasPlaceFor(home, t)) near.add(home);
        for (const g of readers.get(leaf) ?? []) if (g.kind !== 'contract' && hasPlaceFor(g, t)) near.add(g);
      }
    }
    const candidates = [...near].sort((a, b) => b.first - a.first);
    let group = candidates.find((g) => canJoin(g, t));
    if (!group) {
      group = newGroup(t, index.get(t)!, regions, blocks);
      groups.push(group);
    }
    group.members.push(t);
    depthInGroup.set(t, depthIn(group, t));
    groupOf.set(t, group);
    for (const leaf of leaves(t)) {
      if (!readers.has(leaf)) readers.set(leaf, new Set());
      readers.get(leaf)!.add(group);
    }
  }
  groups.sort((a, b) => a.first - b.first);
  return { groups, groupOf, leaves };
}

function newGroup(t: Tensor, first: number, regions: Regions, blocks: ReadonlySet<Tensor>): Group {
  const region = regions.get(t);
  const base = { members: [], outputs: [], first, ...(region && { region }) };
  if (t.op.kind === 'reduce') {
    const { shape } = t.inputs[0]!;
    const { axes } = t.attrs as ReduceAttrs;
    if (axes.length === 1 && axes[0] === shape.length - 1) return { ...base, kind: 'row', space: t.shape, full: shape };
    return { ...base, kind: 'column', space: t.shape, reduced: { shape, axes } };
  }
  if (blocks.has(t)) return { ...base, kind: 'update', space: t.inputs[1]!.shape };
  const kind = t.op.kind === 'contract' || t.op.kind === 'scatter' ? t.op.kind : 'map';
  return { ...base, kind, space: t.shape };
}
