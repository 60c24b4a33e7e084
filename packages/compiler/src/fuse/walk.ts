/**
 * Groups that walk the same matrix of scores as one kernel. Forward: the largest score of a row, the sum of its exponentials and its product with
 * the values, in one running pass (Rabe and Staats 2021; Dao et al. 2022). Backward: all gradients, which share the scores and
 * their gradients (Dao 2023).
 */
import type { ContractAttrs, Dim, Tensor } from '@sinter/ir';
import { parseSpec, sameShape, Tensor as T } from '@sinter/ir';
import type { DimRanges } from '../lower.ts';
import type { Group } from './group.ts';
import { isData } from './group.ts';
import type { Grouping } from './join.ts';
import { leastSize } from './transient.ts';

/** What {@link mergeWalks} knows of tensors. */
export interface WalkOptions {
  readonly stored: ReadonlyMap<Tensor, string>;
  readonly transient: ReadonlyMap<Tensor, string>;
  readonly dims: DimRanges;
}

/**
 * Matrices from which on gradients of both sides are made together: a thread then takes a matrix whole, so there must be several. It
 * saves two products of seven.
 */
const manyMatrices = 4;

/** The axes of a matrix of scores, by their positions in the shape of the scores. */
export interface MatrixAxes {
  readonly batch: string;
  readonly rows: string;
  readonly columns: string;
}

/** How a contraction reads scores: its inner axis is their columns. */
export function axesReadBy(contraction: Tensor): MatrixAxes {
  const labels = parseSpec((contraction.attrs as ContractAttrs).spec);
  const left = !labels.m.includes(labels.out.at(-1)!);
  const [names, rows] = left ? [labels.a, labels.m] : [labels.b, labels.n];
  const at = (axes: readonly string[]): string => axes.map((l) => names.indexOf(l)).join();
  return { batch: at(labels.batch), rows: at(rows), columns: at(labels.k) };
}

/** The operand of a contraction that is made of scores: the one that does not have the result's innermost axis. */
export function weightOf(contraction: Tensor): Tensor {
  const labels = parseSpec((contraction.attrs as ContractAttrs).spec);
  return contraction.inputs[labels.m.includes(labels.out.at(-1)!) ? 1 : 0]!;
}

/** Whether rows of one are columns of the other. */
export const isFlipped = (a: MatrixAxes, b: MatrixAxes): boolean => a.rows === b.columns && a.columns === b.rows;

/** A row's softmax as it is written: the sum of `exp(x − max x)`. */
export interface Softmax {
  readonly sum: Tensor;
  readonly exponential: Tensor;
  readonly exponent: Tensor;
  readonly top: Tensor;
}

/** The softmax that a sum belongs to, if it does. */
export function softmaxOf(sum: Tensor): Softmax | undefined {
  const [exponential] = sum.inputs;
  if (sum.op.name !== 'reduceSum' || sum.dtype !== 'f32' || exponential!.op.name !== 'exp') return undefined;
  const [difference] = exponential!.inputs;
  if (difference!.op.name !== 'sub') return undefined;
  let top = difference!.inputs[1]!;
  while (top.op.name === 'reshape' || top.op.name === 'broadcastTo') top = top.inputs[0]!;
  const exponent = difference!.inputs[0]!;
  if (top.op.name !== 'reduceMax' || top.inputs[0] !== exponent) return undefined;
  return { sum, exponential: exponential!, exponent, top };
}

/** The groups that a group was made of, each with its members. */
export function partsOf({
  kind,
  full,
  members,
  parts = [{ kind, ...(full && { full }), count: members.length }],
}: Group): Pick<Group, 'kind' | 'full' | 'members'>[] {
  let from = 0;
  return parts.map(({ count, ...part }) => ({ ...part, members: members.slice(from, (from += count)) }));
}

/** The softmax of a group of rows, if that is all that it reduces. */
export function softmaxIn({ kind, members, full }: Pick<Group, 'kind' | 'full' | 'members'>): Softmax | undefined {
  if (kind !== 'row') return undefined;
  const reductions = members.filter((t) => t.op.kind === 'reduce');
  const found = reductions.map(softmaxOf).find((s) => s !== undefined);
  const isNarrow = (t: Tensor): boolean => t.op.kind === 'reduce' || !sameShape(t.shape, full!);
  return found && reductions.length === 2 && reductions.includes(found.top) && members.every(isNarrow)
    ? found
    : undefined;
}

/** A weight as what differs along a row, times what is one value for each row. */
export function factorRows(weight: Tensor): { readonly inner: Tensor; readonly rows: readonly Tensor[] } {
  const isRow = (x: Tensor): boolean => x.shape.length === 0 || x.shape.at(-1) === 1;
  const { op, inputs, attrs } = weight;
  if (op.name === 'mul') {
    const wide = inputs.filter((x) => !isRow(x));
    const parts = wide.map(factorRows);
    const rows = [...inputs.filter(isRow), ...parts.flatMap((p) => p.rows)];
    if (rows.length === 0) return { inner: weight, rows };
    return { inner: wide.length === 2 ? T.make(op, parts.map((p) => p.inner), attrs) : parts[0]!.inner, rows }; // prettier-ignore
  }
  if (isMasked(weight)) {
    const [condition, x, zero] = inputs as [Tensor, Tensor, Tensor];
    const { inner, rows } = factorRows(x);
    return rows.length === 0 ? { inner: weight, rows } : { inner: T.make(op, [condition, inner, zero], attrs), rows };
  }
  return { inner: weight, rows: [] };
}

/** What a product vanishes with: its factors, through masks. */
export function factorsOf(t: Tensor): Tensor[] {
  if (t.op.name === 'mul') return t.inputs.flatMap(factorsOf);
  return isMasked(t) ? factorsOf(t.inputs[1]!) : [t];
}

/** `where(condition, x, 0)`. */
function isMasked({ op, inputs }: Tensor): boolean {
  const rest = inputs[2];
  return op.name === 'where' && rest!.op.name === 'full' && (rest!.attrs as { value: number }).value === 0;
}

/** The transient contractions that tensors are computed from, in the order of their first use. */
export function transientsRead(
  members: readonly Tensor[],
  { stored, transient }: Pick<WalkOptions, 'stored' | 'transient'>,
): Tensor[] {
  const out: Tensor[] = [];
  const seen = new Set<Tensor>();
  const visit = (t: Tensor): void => {
    for (const x of t.inputs) {
      if (seen.has(x) || stored.has(x) || isData(x)) continue;
      seen.add(x);
      if (transient.has(x)) out.push(x);
      else visit(x);
    }
  };
  members.forEach(visit);
  return out;
}

/** Merges groups that walk the same scores, where no other group stands between them. */
export function mergeWalks(grouping: Grouping, options: WalkOptions): Grouping {
  if (options.transient.size === 0) return grouping;
  const groupOf = new Map(grouping.groupOf);
  const groups: Group[] = [];
  const walks: Walk[] = [];
  const needs = (g: Group): Set<Group> => {
    const found = g.members.flatMap((t) => [...grouping.leaves(t)].flatMap((x) => groupOf.get(x) ?? []));
    return new Set(found.filter((x) => x !== g));
  };
  const reaches = (from: Group, to: Group, seen = new Set<Group>()): boolean => {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...needs(from)].some((x) => reaches(x, to, seen));
  };
  for (const g of grouping.groups) {
    const scores = g.region ? [] : transientsRead(g.members, options);
    const made = scores.length === 0 ? undefined : walkOf(g, scores, options);
    const walk =
      made &&
      walks.find((w) => {
        if (!joins(made, w, options)) return false;
        const near = needs(g);
        const reads = near.has(w.group);
        return [...near].every((x) => x === w.group || !reaches(x, w.group)) && (!reads || rescales(g, w, options));
      });
    if (!walk) {
      groups.push(g);
      if (made) walks.push(made);
      continue;
    }
    const parts = [...partsOf(walk.group), g].map(({ kind, full, members }) => ({ kind, ...(full && { full }), count: members.length })); // prettier-ignore
    const merged: Group = { ...walk.group, kind: 'contract', parts, members: [...walk.group.members, ...g.members] };
    for (const t of merged.members) groupOf.set(t, merged);
    groups[groups.indexOf(walk.group)] = merged;
    walk.group = merged;
  }
  return { ...grouping, groups, groupOf };
}

/** A group that walks scores, and those that were merged with it. */
interface Walk {
  group: Group;
  readonly scores: readonly Tensor[];
  readonly axes: MatrixAxes;
  readonly matrices: readonly Dim[];
  readonly softmax: Softmax | undefined;
}

function walkOf(group: Group, scores: readonly Tensor[], { transient }: WalkOptions): Walk | undefined {
  const [t] = group.members as [Tensor];
  if (group.kind === 'contract') {
    const axes = axesReadBy(t);
    const matrices = axes.batch.split(',').map((i) => weightOf(t).shape[Number(i)]!);
    return { group, scores, axes, matrices, softmax: undefined };
  }
  const softmax = softmaxIn(group);
  const made = scores.find((x) => transient.has(x));
  if (!softmax || !made) return undefined;
  const labels = parseSpec((made.attrs as ContractAttrs).spec);
  const at = (wanted: (l: string, i: number) => boolean): number[] =>
    labels.out.flatMap((l, i) => (wanted(l, i) ? [i] : []));
  const last = labels.out.length - 1;
  const batch = at((l) => labels.batch.includes(l));
  const axes = {
    batch: labels.batch.map((l) => labels.out.indexOf(l)).join(),
    rows: at((_, i) => i !== last && !batch.includes(i)).join(),
    columns: String(last),
  };
  return { group, scores, axes, matrices: batch.map((i) => made.shape[i]!), softmax };
}

/** Whether a contraction can walk with others: over the same matrices of the same scores. */
function joins(g: Walk, w: Walk, { dims }: WalkOptions): boolean {
  if (g.softmax || g.axes.batch !== w.axes.batch || !g.scores.some((x) => w.scores.includes(x))) return false;
  if (g.axes.rows === w.axes.rows && g.axes.columns === w.axes.columns) return true;
  return !w.softmax && isFlipped(g.axes, w.axes) && leastSize(g.matrices, dims) >= manyMatrices;
}

/**
 * Whether a contraction that reads the softmax of a walk can add up before that is known: what it adds up is proportional to the exponentials,
 * which are relative to the largest score so far.
 */
function rescales(g: Group, w: Walk, { stored, transient }: WalkOptions): boolean {
  if (!w.softmax) return false;
  const { exponential } = w.softmax;
  const members = new Set(w.group.members);
  const [t, ...rest] = g.members as [Tensor, ...Tensor[]];
  const weight = weightOf(t);
  /** Whether something but the product itself is computed from members or from scores. */
  const depends = (x: Tensor): boolean =>
    x !== t && (members.has(x) || transient.has(x) || (!stored.has(x) && !isData(x) && x.inputs.some(depends)));
  /** Whether something is computed from members at its own row. */
  const isAligned = (x: Tensor): boolean => {
    if (!depends(x)) return true;
    if (transient.has(x)) return false;
    if (!members.has(x) && x.op.kind !== 'map' && x.op.name !== 'reshape') return false;
    if (x.op.kind === 'reduce') return sameShape(x.shape, weight.shape.slice(0, -1));
    const column = [...weight.shape.slice(0, -1), 1];
    if (x.op.name === 'reshape' && sameShape(x.inputs[0]!.shape, column.slice(0, -1)))
      return sameShape(x.shape, column) && isAligned(x.inputs[0]!);
    return sameShape(x.shape, column) && x.inputs.every(isAligned);
  };
  const { inner, rows } = factorRows(weight);
  const factors = innerFactors(inner);
  const others = t.inputs.filter((x) => x !== weight);
  return (
    factors.filter((x) => x === exponential).length === 1 &&
    factors.every((x) => x === exponential || !depends(x)) &&
    rows.every(isAligned) &&
    !others.some(depends) &&
    // What follows the product reads it, and nothing else of the walk.
    !rest.some((x) => x.inputs.some(depends))
  );
}

/** The factors of a weight, conditions of masks among them. */
function innerFactors(t: Tensor): Tensor[] {
  if (t.op.name === 'mul') return t.inputs.flatMap(innerFactors);
  return isMasked(t) ? [t.inputs[0]!, ...innerFactors(t.inputs[1]!)] : [t];
}
