/**
 * Decides which tensors are stored and which kernel computes each. Everything else is inlined where it is read: a map,
 * a view, a gather or a random number is an expression of its stored operands.
 *
 * A group is one kernel to be. It has an index space and members, which are tensors that are computed together: an
 * anchor (contraction, reduction, scatter) with the maps that follow it, or maps alone. A tensor joins a group when it is
 * computed over the same space and everything else that it reads is there before the group runs.
 */
import type { ContractAttrs, Graph, ReduceAttrs, Shape, Tensor } from '@sinter/ir';
import { graphRoots, ops, parseSpec, sameShape, Tensor as T, topological } from '@sinter/ir';
import { elementCost, storeThreshold } from './cost.ts';
import type { DimRanges } from './lower.ts';
import { orderGroups } from './order.ts';

/** What a group computes, by the template that schedules it. */
export type GroupKind = 'map' | 'row' | 'column' | 'contract' | 'scatter';

/** One kernel to be. */
export interface Group {
  readonly kind: GroupKind;
  /** The index space: of the results of maps and contractions, of what a reduction keeps. */
  readonly space: Shape;
  /** Row groups: the space with the reduced innermost axis. */
  readonly full?: Shape;
  /** Column groups: the shape that is reduced, and its axes. */
  readonly reduced?: { readonly shape: Shape; readonly axes: readonly number[] };
  /** Tensors computed here, operands first. */
  readonly members: Tensor[];
  /** The members that others read, and so are stored. */
  outputs: readonly Tensor[];
  /** Position of the first member in the order of the graph; what a group reads from others stands before it. */
  readonly first: number;
}

/** The result of {@link fuse}. */
export interface Fused {
  /** The graph, with a node of its own for every output and update. */
  readonly graph: Graph;
  /** In the order in which they run. */
  readonly groups: readonly Group[];
  /** The group of every member. */
  readonly groupOf: ReadonlyMap<Tensor, Group>;
  /** Why each tensor that need not be stored is stored all the same. */
  readonly stored: ReadonlyMap<Tensor, string>;
  /** Contractions that compute an operand again while they pack it, and those operands: see {@link recomputedOperands}. */
  readonly recomputed: ReadonlyMap<Tensor, ReadonlySet<Tensor>>;
}

const reshape = ops.get('reshape')!;

/** Data that is there before the run: never computed, read from its buffer. */
export function isData(t: Tensor): boolean {
  return t.op.kind === 'source' && t.op.value === undefined;
}

/** Gives each output and update a node that is computed: leaves and tensors with two names are copied by a view. */
function separateRoots(g: Graph): Graph {
  const taken = new Set<Tensor>();
  const own = (t: Tensor): Tensor => {
    const fresh = isData(t) || taken.has(t) ? T.make(reshape, [t], { shape: t.shape }) : t;
    taken.add(fresh);
    return fresh;
  };
  const record = (r: Graph['outputs']): Graph['outputs'] => Object.fromEntries(Object.entries(r).map(([name, t]) => [name, own(t)]));
  return { ...g, outputs: record(g.outputs), updates: record(g.updates) };
}

/** Operands of a contraction are packed or read many times: what is computed there is computed once, before. */
function contractOperands(order: readonly Tensor[]): Map<Tensor, string> {
  const out = new Map<Tensor, string>();
  for (const t of order) {
    if (t.op.kind !== 'contract') continue;
    for (let x of t.inputs) {
      while (x.op.kind === 'view' && x.inputs.length === 1) x = x.inputs[0]!;
      if (x.op.kind === 'map' || x.op.kind === 'random') out.set(x, 'operand of a contraction');
    }
  }
  return out;
}

/**
 * A contraction is stored after the maps that alone read it, as far as their other operands are there before it: what
 * is stored is then the end of its epilogue and not the bare product.
 */
function extendEpilogue(contraction: Tensor, index: ReadonlyMap<Tensor, number>, consumers: ReadonlyMap<Tensor, readonly Tensor[]>, stored: Map<Tensor, string>): void {
  const limit = index.get(contraction)!;
  const chain = new Set<Tensor>([contraction]);
  const isEarlier = (t: Tensor): boolean => chain.has(t) || t.op.kind === 'source' || (index.get(t)! < limit && (stored.has(t) || t.inputs.every(isEarlier)));
  let end = contraction;
  while (!stored.has(end) || end === contraction) {
    const readers = consumers.get(end) ?? [];
    const next = readers[0];
    if (readers.length !== 1 || next!.op.kind !== 'map' || !sameShape(next!.shape, end.shape) || !next!.inputs.every(isEarlier)) break;
    end = next!;
    chain.add(end);
  }
  if (!stored.has(end)) stored.set(end, 'end of an epilogue');
}

/** Very long chains of maps are cut, so that no expression is deeper than its readers can recurse. */
function limitDepth(order: readonly Tensor[], stored: Map<Tensor, string>): ReadonlyMap<Tensor, number> {
  const depth = new Map<Tensor, number>();
  for (const t of order) {
    const below = Math.max(0, ...t.inputs.map((x) => (stored.has(x) ? 0 : depth.get(x)!)));
    depth.set(t, below + 1);
    if (below + 1 >= maxDepth) stored.set(t, 'end of a long chain');
  }
  return depth;
}
const maxDepth = 150;

/**
 * An operand that was stored for an early reader and is packed by a late one (the activations of a forward pass, for the gradient of
 * a weight) is computed again while it is packed, where what it is made of is alive until then anyway: the operand itself
 * then need not be.
 */
function recomputedOperands(
  order: readonly Tensor[],
  index: ReadonlyMap<Tensor, number>,
  stored: ReadonlyMap<Tensor, string>,
  grouping: Grouping,
): Map<Tensor, ReadonlySet<Tensor>> {
  const cost = elementCost((t) => stored.has(t) || isData(t));
  const readersOf = new Map<Tensor, Tensor[]>();
  for (const t of order) if (stored.has(t)) for (const leaf of grouping.leaves(t)) readersOf.set(leaf, [...(readersOf.get(leaf) ?? []), t]);
  const out = new Map<Tensor, Set<Tensor>>();
  for (const x of order) {
    if (x.op.kind !== 'map' || stored.get(x) !== 'operand of a contraction' || cost(x) > maxRecompute) continue;
    const readers = readersOf.get(x) ?? [];
    const [first, last] = [readers[0], readers.at(-1)];
    if (!first || first === last || last!.op.kind !== 'contract' || !isPackedOperand(last!, x)) continue;
    const halfway = (index.get(first)! + index.get(last!)!) / 2;
    // Only the last reader packs it anew: the buffer is free after the one before.
    const lateReaders = readers.filter((r) => index.get(r)! > halfway);
    const livesOn = (leaf: Tensor): boolean => isData(leaf) || !sameShape(leaf.shape, x.shape)
      || (readersOf.get(leaf) ?? []).some((r) => r !== x && index.get(r)! > index.get(first)!);
    if (lateReaders.length === 1 && [...grouping.leaves(x)].every(livesOn)) out.set(last!, new Set([...(out.get(last!) ?? []), x]));
  }
  return out;
}
/** The work up to which an element is computed again, in the units of `elementCost`. */
const maxRecompute = 40;

/** Whether a contraction packs this operand rather than read its rows in place: the right one always, the left one if its rows are not contiguous. */
function isPackedOperand(contraction: Tensor, x: Tensor): boolean {
  const labels = parseSpec((contraction.attrs as ContractAttrs).spec);
  const throughViews = (t: Tensor): boolean => t === x || (t.op.kind === 'view' && t.inputs.length === 1 && throughViews(t.inputs[0]!));
  return contraction.inputs.some((operand, i) => {
    if (!throughViews(operand)) return false;
    const names = i === 0 ? labels.a : labels.b;
    const free = i === 0 ? labels.m : labels.n;
    return free.includes(labels.out.at(-1)!) || !labels.k.includes(names.at(-1)!);
  });
}

const anchors = new Set(['contract', 'reduce', 'scatter']);

/** Options of {@link fuse}. */
export interface FuseOptions {
  /** Buffers that one kernel may use. */
  readonly maxBindings: number;
  /** Ranges of run-time sizes. */
  readonly dims: DimRanges;
  /** `false`: every op is a kernel of its own. */
  readonly join?: boolean;
}

/** Groups a graph. */
export function fuse(input: Graph, options: FuseOptions): Fused {
  const { maxBindings, join = true } = options;
  const graph = separateRoots(input);
  const roots = new Set(graphRoots(graph));
  const order = topological(roots);
  const index = new Map(order.map((t, i) => [t, i]));
  const consumers = new Map<Tensor, Tensor[]>();
  for (const t of order) for (const x of new Set(t.inputs)) consumers.set(x, [...(consumers.get(x) ?? []), t]);

  const stored = new Map<Tensor, string>();
  for (const t of order) {
    if (anchors.has(t.op.kind)) stored.set(t, t.op.kind);
    else if (roots.has(t)) stored.set(t, 'root');
    else if (!join && !isData(t)) stored.set(t, 'not fused');
  }
  for (const [t, why] of contractOperands(order)) stored.set(t, why);
  for (const t of order) if (join && t.op.kind === 'contract') extendEpilogue(t, index, consumers, stored);
  const depth = limitDepth(order, stored);

  for (;;) {
    const grouping = groupAll(order, index, stored, depth, join ? maxBindings : 0);
    const more = worthStoring(order, consumers, stored, grouping);
    if (more.length > 0) {
      for (const t of more) stored.set(t, 'read by several kernels');
      continue;
    }
    const recomputed = join ? recomputedOperands(order, index, stored, grouping) : new Map<Tensor, ReadonlySet<Tensor>>();
    const read = new Set<Tensor>(roots);
    const reads = new Map<Group, Set<Tensor>>();
    for (const group of grouping.groups) {
      const own = new Set<Tensor>();
      const add = (t: Tensor, again: ReadonlySet<Tensor> | undefined): void => {
        for (const leaf of grouping.leaves(t)) {
          if (again?.has(leaf)) add(leaf, undefined);
          else if (grouping.groupOf.get(leaf) !== group) own.add(leaf);
        }
      };
      for (const t of group.members) add(t, recomputed.get(t));
      for (const t of own) read.add(t);
      reads.set(group, own);
    }
    for (const group of grouping.groups) group.outputs = group.members.filter((t) => read.has(t));
    const groups = orderGroups(grouping.groups.filter((g) => g.outputs.length > 0), reads, roots, options.dims);
    return { graph, groups, groupOf: grouping.groupOf, stored, recomputed };
  }
}

interface Grouping {
  readonly groups: Group[];
  readonly groupOf: Map<Tensor, Group>;
  /** The stored tensors and data that a tensor is computed from. */
  readonly leaves: (t: Tensor) => ReadonlySet<Tensor>;
}

function groupAll(order: readonly Tensor[], index: ReadonlyMap<Tensor, number>, stored: ReadonlyMap<Tensor, string>, depth: ReadonlyMap<Tensor, number>, maxBindings: number): Grouping {
  const groups: Group[] = [];
  const groupOf = new Map<Tensor, Group>();
  const readers = new Map<Tensor, Set<Group>>();
  const reads = new Map<Group, Set<Tensor>>();
  /** How deep the expression of a stored tensor is in its kernel, where members of its group are inlined too. */
  const depthInGroup = new Map<Tensor, number>();
  const depthIn = (g: Group, t: Tensor): number => depth.get(t)! + Math.max(0, ...[...leaves(t)].map((l) => (groupOf.get(l) === g ? depthInGroup.get(l)! : 0)));
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
    for (const leaf of leaves(t)) if (!isData(leaf) && groupOf.get(leaf) !== g && index.get(leaf)! >= g.first) return false;
    if (depthIn(g, t) > 2 * maxDepth) return false;
    const bindings = new Set([...reads.get(g)!, ...leaves(t)]);
    if (bindings.size + g.members.length + 1 > maxBindings) return false;
    return fits(g, t, (x) => groupOf.get(x) === g, stored);
  };

  for (const t of order) {
    if (!stored.has(t)) continue;
    const near = new Set<Group>();
    for (const leaf of leaves(t)) {
      const home = groupOf.get(leaf);
      if (home) near.add(home);
      for (const g of readers.get(leaf) ?? []) if (g.kind !== 'contract') near.add(g);
    }
    const candidates = t.op.kind === 'contract' || t.op.kind === 'scatter' ? [] : [...near].sort((a, b) => b.first - a.first);
    let group = candidates.find((g) => canJoin(g, t));
    if (!group) {
      group = newGroup(t, index.get(t)!);
      groups.push(group);
      reads.set(group, new Set());
    }
    group.members.push(t);
    depthInGroup.set(t, depthIn(group, t));
    groupOf.set(t, group);
    for (const leaf of leaves(t)) {
      reads.get(group)!.add(leaf);
      if (!readers.has(leaf)) readers.set(leaf, new Set());
      readers.get(leaf)!.add(group);
    }
  }
  groups.sort((a, b) => a.first - b.first);
  return { groups, groupOf, leaves };
}

function newGroup(t: Tensor, first: number): Group {
  const base = { members: [], outputs: [], first };
  if (t.op.kind === 'reduce') {
    const { shape } = t.inputs[0]!;
    const { axes } = t.attrs as ReduceAttrs;
    if (axes.length === 1 && axes[0] === shape.length - 1) return { ...base, kind: 'row', space: t.shape, full: shape };
    return { ...base, kind: 'column', space: t.shape, reduced: { shape, axes } };
  }
  const kind = t.op.kind === 'contract' || t.op.kind === 'scatter' ? t.op.kind : 'map';
  return { ...base, kind, space: t.shape };
}

/** Whether `t` can be computed in the kernel of `g`: over its space, and reading its members only at the same place. */
function fits(g: Group, t: Tensor, isMember: (x: Tensor) => boolean, stored: ReadonlyMap<Tensor, string>): boolean {
  if (g.kind === 'scatter') return false;
  if (t.op.kind === 'reduce') {
    const { shape } = t.inputs[0]!;
    const { axes } = t.attrs as ReduceAttrs;
    if (g.kind === 'row') return sameShape(shape, g.full!) && axes.length === 1 && axes[0] === shape.length - 1 && aligned(g, t, isMember, stored);
    const { reduced } = g;
    return g.kind === 'column' && sameShape(shape, reduced!.shape) && sameShape(axes, reduced!.axes) && independent(t, isMember, stored);
  }
  return placesOf(g).some((s) => sameShape(s, t.shape)) && aligned(g, t, isMember, stored);
}

/** The shapes that have one element per point of the group's space: `[rows]` and `[rows, 1]`, and for rows the full shape. */
function placesOf(g: Group): Shape[] {
  switch (g.kind) {
    case 'row': return [g.full!, g.space, [...g.space, 1]];
    case 'map': case 'contract': case 'column': return [g.space];
    case 'scatter': return [];
    default: return g.kind satisfies never;
  }
}

function independent(t: Tensor, isMember: (x: Tensor) => boolean, stored: ReadonlyMap<Tensor, string>): boolean {
  return t.inputs.every((x) => (stored.has(x) || isData(x) ? !isMember(x) : independent(x, isMember, stored)));
}

/** Whether `t` reads the members of the group only at its own place in the group's space. */
function aligned(g: Group, t: Tensor, isMember: (x: Tensor) => boolean, stored: ReadonlyMap<Tensor, string>): boolean {
  const known = new Map<Tensor, 'no member' | 'aligned' | 'misaligned'>();
  const look = (x: Tensor): 'no member' | 'aligned' | 'misaligned' => {
    const found = known.get(x);
    if (found) return found;
    let out: 'no member' | 'aligned' | 'misaligned' = 'no member';
    for (const y of x.inputs) {
      const below = isMember(y) ? 'aligned' : stored.has(y) || isData(y) ? 'no member' : look(y);
      if (below === 'no member') continue;
      out = below === 'aligned' && keepsPlace(g, x, y) ? 'aligned' : 'misaligned';
      if (out === 'misaligned') break;
    }
    known.set(x, out);
    return out;
  };
  return look(t) !== 'misaligned';
}

/** Whether `x` reads its operand `y` at its own place: the same element, or in row groups the value of its row. */
function keepsPlace(g: Group, x: Tensor, y: Tensor): boolean {
  const column = [...g.space, 1];
  const isRow = (s: Shape): boolean => sameShape(s, g.space) || sameShape(s, column);
  switch (x.op.kind) {
    case 'reduce': return true;
    case 'map':
      if (sameShape(x.shape, y.shape)) return true;
      return g.kind === 'row' && sameShape(x.shape, g.full!) && (sameShape(y.shape, column) || y.shape.length + g.space.length === 0);
    case 'view':
      if (x.op.name === 'reshape') return sameShape(x.shape, y.shape) || (g.kind === 'row' && isRow(x.shape) && isRow(y.shape));
      return g.kind === 'row' && x.op.name === 'broadcastTo' && sameShape(x.shape, g.full!) && sameShape(y.shape, column);
    default: return false;
  }
}

/** Inlined tensors that several groups compute and that cost more to compute again than to store. */
function worthStoring(order: readonly Tensor[], consumers: ReadonlyMap<Tensor, readonly Tensor[]>, stored: ReadonlyMap<Tensor, string>, grouping: Grouping): Tensor[] {
  const evaluatedIn = new Map<Tensor, Set<Group>>();
  for (const group of grouping.groups) {
    const seen = new Set<Tensor>();
    const visit = (t: Tensor): void => {
      for (const x of t.inputs) {
        if (seen.has(x) || stored.has(x) || isData(x)) continue;
        seen.add(x);
        if (!evaluatedIn.has(x)) evaluatedIn.set(x, new Set());
        evaluatedIn.get(x)!.add(group);
        visit(x);
      }
    };
    group.members.forEach(visit);
  }
  const isBroadcast = (t: Tensor, shape: Shape): boolean => (consumers.get(t) ?? []).some((c) =>
    c.op.name === 'broadcastTo' || (c.op.kind === 'map' ? !sameShape(c.shape, shape) : c.op.name === 'reshape' && isBroadcast(c, c.shape)));
  const chosen = new Set<Tensor>();
  const expensive = (t: Tensor): boolean => {
    const groups = evaluatedIn.get(t);
    if (!groups || groups.size < 2 || t.op.kind === 'view' || t.op.kind === 'source') return false;
    return elementCost((x) => stored.has(x) || chosen.has(x) || isData(x))(t) >= storeThreshold(t, isBroadcast(t, t.shape));
  };
  const same = (a: ReadonlySet<Group>, b: ReadonlySet<Group>): boolean => a.size === b.size && [...a].every((g) => b.has(g));
  // Of a chain that is computed in the same kernels, its end is stored, unless the end is larger; what follows may then be cheap.
  for (const t of order) {
    if (!expensive(t)) continue;
    const further = (consumers.get(t) ?? []).some((c) => sameShape(c.shape, t.shape) && evaluatedIn.has(c) && same(evaluatedIn.get(c)!, evaluatedIn.get(t)!)
      && storeThreshold(c, false) <= storeThreshold(t, false) && expensive(c));
    if (!further) chosen.add(t);
  }
  return [...chosen];
}
