/**
 * Decides which tensors are stored and which kernel computes each. Everything else is inlined where it is read: a map,
 * a view, a gather or a random number is an expression of its stored operands.
 *
 * A group is one kernel to be. It has an index space and members, which are tensors that are computed together: an
 * anchor (contraction, reduction, scatter) with the maps that follow it, or maps alone. A tensor joins a group when it is
 * computed over the same space and everything else that it reads is there before the group runs.
 */
import type { Graph, Tensor } from '@sinter/ir';
import { graphRoots, ops, Tensor as T, topological } from '@sinter/ir';
import type { DimRanges } from '../lower.ts';
import type { Region } from '../region.ts';
import { claimedRegions, operandOf } from '../region.ts';
import { blocksOfState } from './block.ts';
import type { Group } from './group.ts';
import { isData } from './group.ts';
import type { Grouping } from './join.ts';
import { groupAll } from './join.ts';
import { cutExpressions, divide, splitConcats } from './limit.ts';
import { orderGroups } from './order.ts';
import { recomputedOperands } from './recompute.ts';
import { contractOperands, extendEpilogue, limitDepth, worthStoring } from './store.ts';
import type { Attention } from './transient.ts';
import { findTransients, isKept, noTransients } from './transient.ts';
import { mergeWalks } from './walk.ts';

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
  /** Contractions that compute an operand again while they pack it, and those operands. */
  readonly recomputed: ReadonlyMap<Tensor, ReadonlySet<Tensor>>;
  /** Contractions that are never stored but computed again in the kernels that read them, and why. */
  readonly transient: ReadonlyMap<Tensor, string>;
  /** Matrices of scores that could be transient and are stored all the same, and why. */
  readonly refused: ReadonlyMap<Tensor, string>;
}

const reshape = ops.get('reshape')!;

/** Gives each output and update a node that is computed: leaves and tensors with two names are copied by a view. */
function separateRoots(g: Graph): Graph {
  const taken = new Set<Tensor>();
  const own = (t: Tensor): Tensor => {
    const fresh = isData(t) || taken.has(t) ? T.make(reshape, [t], { shape: t.shape }) : t;
    taken.add(fresh);
    return fresh;
  };
  const record = (r: Graph['outputs']): Graph['outputs'] =>
    Object.fromEntries(Object.entries(r).map(([name, t]) => [name, own(t)]));
  return { ...g, outputs: record(g.outputs), updates: record(g.updates) };
}

const anchors = new Set(['contract', 'reduce', 'scatter']);

/** Options of {@link fuse}. */
export interface FuseOptions {
  /** Buffers that one kernel may use. */
  readonly maxBindings: number;
  /** Whether to count a state and what replaces it as one buffer; `false` where that cannot be done after all. Default `true`. */
  readonly inPlace?: boolean;
  /** The work up to which a contraction computes an element of an operand again, in simple operations. Default 40. */
  readonly recompute?: number;
  /** Ranges of run-time sizes. */
  readonly dims: DimRanges;
  /** `false`: every op is a kernel of its own. */
  readonly join?: boolean;
  /** Whether the backend runs a contraction its own way. Default: it runs none. */
  readonly claims?: (region: Region) => boolean;
  /** How matrices of attention scores are treated. Default `stored`: the templates of the target must know what is transient. */
  readonly attention?: Attention;
  /** Whether the templates of the target can walk scores for several groups in one kernel. Default `false`. */
  readonly walks?: boolean;
}

/** Groups a graph. */
export function fuse(input: Graph, options: FuseOptions): Fused {
  const {
    maxBindings,
    inPlace = true,
    recompute = 40,
    join = true,
    claims = () => false,
    attention = 'stored',
    walks = false,
  } = options;
  const graph = separateRoots(splitConcats(input, maxBindings));
  const roots = new Set(graphRoots(graph));
  const order = topological(roots);
  const index = new Map(order.map((t, i) => [t, i]));
  const consumers = new Map<Tensor, Tensor[]>();
  for (const t of order) for (const x of new Set(t.inputs)) consumers.set(x, [...(consumers.get(x) ?? []), t]);

  const regions = claimedRegions(order, claims);
  const isRegion = (t: Tensor): boolean => regions.has(t);
  const transients = join
    ? findTransients(order, { attention, dims: options.dims, roots, consumers, isRegion })
    : noTransients;
  const { contractions: transient, again, refused } = transients;
  const own = order.filter((t) => t.op.kind === 'contract' && !regions.has(t) && !transient.has(t));
  const stored = new Map<Tensor, string>();
  for (const t of order) {
    if (transient.has(t)) continue;
    if (anchors.has(t.op.kind)) stored.set(t, t.op.kind);
    else if (roots.has(t)) stored.set(t, 'root');
    else if (!join && !isData(t)) stored.set(t, 'not fused');
  }
  for (const [t, why] of contractOperands([...transient.keys(), ...own], again, join ? recompute : 0))
    stored.set(t, why);
  for (const t of regions.keys()) for (const x of t.inputs) storeOperand(x, stored);
  if (join) for (const t of own) extendEpilogue(t, index, consumers, stored);
  cutExpressions(order, stored, maxBindings);
  const depth = limitDepth(order, stored);
  if (isKept(stored, transients)) return withStoredScores(input, options, transient.keys());

  const replaces = new Map(inPlace ? Object.entries(graph.updates).map(([name, t]) => [t, name]) : []);
  const blocks = inPlace ? blocksOfState(graph, order, consumers) : new Set<Tensor>();
  /** Tensors that begin a group. */
  const alone = new Set<Tensor>(join ? blocks : order);
  for (;;) {
    cutExpressions(order, stored, maxBindings);
    if (isKept(stored, transients)) return withStoredScores(input, options, transient.keys());
    const apart = groupAll(order, index, stored, depth, alone, regions, blocks);
    const grouping = walks ? mergeWalks(apart, { stored, transient, dims: options.dims }) : apart;
    const more = worthStoring(order, consumers, stored, grouping, again);
    if (more.length > 0) {
      for (const t of more) stored.set(t, 'read by several kernels');
      continue;
    }
    const recomputed = join
      ? recomputedOperands(order, index, stored, grouping, { maxBindings, recompute })
      : new Map<Tensor, ReadonlySet<Tensor>>();
    const reads = readsOf(grouping, recomputed);
    const read = new Set([...roots, ...[...reads.values()].flatMap((own) => [...own])]);
    for (const group of grouping.groups) group.outputs = group.members.filter((t) => read.has(t));
    const divided = divide(grouping.groups, { reads, leaves: grouping.leaves, replaces }, maxBindings);
    if (divided.length > 0) {
      for (const t of divided) alone.add(t);
      continue;
    }
    const groups = orderGroups(
      grouping.groups.filter((g) => g.outputs.length > 0),
      reads,
      roots,
      options.dims,
    );
    return { graph, groups, groupOf: grouping.groupOf, stored, recomputed, transient, refused };
  }
}

/** Groups a graph whose scores cannot be transient after all. */
function withStoredScores(input: Graph, options: FuseOptions, scores: Iterable<Tensor>): Fused {
  const why = `kernels that compute them again would bind more than ${options.maxBindings} buffers`;
  return {
    ...fuse(input, { ...options, attention: 'stored' }),
    refused: new Map([...scores].map((t) => [t, why])),
  };
}

/** Operands of a region lie in buffers as they are. */
function storeOperand(x: Tensor, stored: Map<Tensor, string>): void {
  const operand = operandOf(x, (t) => stored.has(t));
  if (!isData(operand) && !stored.has(operand)) stored.set(operand, 'operand of a region');
}

/** What each group reads of others and of data. */
function readsOf(
  { groups, groupOf, leaves }: Grouping,
  recomputed: ReadonlyMap<Tensor, ReadonlySet<Tensor>>,
): Map<Group, ReadonlySet<Tensor>> {
  return new Map(
    groups.map((group) => {
      const own = new Set<Tensor>();
      const add = (t: Tensor, again: ReadonlySet<Tensor> | undefined): void => {
        for (const leaf of leaves(t)) {
          if (again?.has(leaf)) add(leaf, undefined);
          else if (groupOf.get(leaf) !== group) own.add(leaf);
        }
      };
      for (const t of group.members) add(t, recomputed.get(t));
      return [group, own];
    }),
  );
}
