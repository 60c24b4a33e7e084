/**
 * The template of sums that end in one element each: column reductions, products of a matrix and a few vectors, tables of few
 * rows. A workgroup takes some neighbouring results, and its threads share out their terms. Where there are few results of many
 * terms, the terms are shared out over workgroups too, and a second kernel adds up what they leave.
 */
import type { Dim, Expr, Tensor } from '@sinter/ir';
import { elements, flatIndex, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Draft, Output, ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, outputsAt, readElsewhere, storeAll, v } from '../draft.ts';
import { combine, initial } from '../reduction.ts';
import { gpuTile } from '../tiles.ts';
import type { Sum, Team } from './sums.ts';
import { addUp, convert, partOf, resultOf, sumsOf, teamOf, threadsFor, threadsOf, valueOf } from './sums.ts';
import { below, eachElement, powerAbove, workgroups } from './workgroup.ts';

/** What is summed for each element of a group's space. */
export interface Reduction {
  /** For the kernel's name. */
  readonly kind: string;
  /** The members that are sums. */
  readonly of: readonly Tensor[];
  /** The axes that are summed. */
  readonly inner: readonly Dim[];
  /** The term of each sum, for an element of the space and an index of the inner axes. */
  readonly terms: (d: Draft, at: readonly LoopExpr[], inner: readonly LoopExpr[]) => readonly LoopExpr[];
  /** What lies side by side in memory: the terms of one result, or those of neighbouring results. */
  readonly neighbours: 'parts' | 'results';
  /** Stored tensors that are computed again in the terms. */
  readonly recomputed?: ReadonlySet<Tensor> | undefined;
}

/** Schedules a group whose anchors are sums. */
export function scheduleReduction(ctx: ScheduleContext, group: Group, what: Reduction): Scheduled[] {
  const sums = sumsOf(what.of);
  const probe = draft(ctx, group);
  const [total, count] = [
    probe.fixed(elements(group.space) as LoopExpr),
    probe.fixed(elements(what.inner) as LoopExpr),
  ];
  const team = teamFor(ctx, what, sums, total, count);
  const cuts = cutsFor(ctx, team, total, count);
  if (cuts > 1) {
    const cut = inParts(ctx, group, what, sums, team, cuts);
    if (isBindable(ctx, cut)) return cut;
  }
  return [atOnce(ctx, group, what, sums, team)];
}

/** Results that are neighbours, as many as read memory well; then as many threads for each as have some terms. */
function teamFor(
  { target }: ScheduleContext,
  { neighbours }: Reduction,
  sums: readonly Sum[],
  total: number | undefined,
  count: number | undefined,
): Team {
  const most = threadsFor(target, sums);
  const side = Math.min(most, powerAbove(total ?? Infinity), neighbours === 'parts' ? 4 : 32);
  if (target.software && (total ?? Infinity) > 16) return teamOf('results', side, 1);
  const parts = Math.min(most / side, powerAbove((count ?? Infinity) / 4));
  // Where there are few terms the threads are better spent on results.
  const results = parts === 1 ? Math.min(most, powerAbove(total ?? Infinity), 64) : side;
  return teamOf(parts === 1 ? 'results' : neighbours, results, parts);
}

/** Into how many parts the terms are cut over workgroups. */
function cutsFor(ctx: ScheduleContext, team: Team, total: number | undefined, count: number | undefined): number {
  if (total === undefined || total === 0) return 1;
  const wanted = Math.floor(gpuTile(ctx).groups / Math.ceil(total / team.results));
  const most = count === undefined ? 16 : Math.floor(count / (8 * team.parts));
  const cuts = Math.min(wanted, most, 32);
  return cuts < worthCutting ? 1 : cuts;
}

/** The cuts from which a second kernel pays. */
export const worthCutting = 4;

/** Whether kernels are within the buffers that the target can bind. */
export function isBindable({ target }: ScheduleContext, kernels: readonly Scheduled[]): boolean {
  return kernels.every((s) => s.kernel.buffers.length <= target.maxBindings);
}

interface Place {
  readonly total: LoopExpr;
  readonly count: LoopExpr;
  readonly at: LoopExpr[];
  readonly terms: readonly LoopExpr[];
}

/** Lowers the terms: of element `o` of the space, over `k`. */
function lower(d: Draft, group: Group, what: Reduction, sums: readonly Sum[]): Place {
  const [total, count] = [elements(group.space) as LoopExpr, elements(what.inner) as LoopExpr];
  d.low.counter(local('o'), total);
  d.low.counter(local('k'), count);
  const at = unflatten(group.space, v('o')) as LoopExpr[];
  const terms = what.terms(d, at, unflatten(what.inner, v('k')) as LoopExpr[]);
  return { total, count, at, terms: terms.map((x, i) => convert(x, sums[i]!.dtype)) };
}

/** The kernel of a team: `first` and `end` bound the terms; `finish` runs in the first thread of every result. */
function kernel(
  d: Draft,
  sums: readonly Sum[],
  team: Team,
  { total, count, terms }: Place,
  cuts: number,
  finish: readonly Stmt[],
): Stmt[] {
  const blocks = ix.ceilDiv(total, team.results);
  const block = cuts === 1 ? v('g') : ix.mod(v('g'), blocks);
  const index = ix.add(ix.mul(block, ix.int(team.results)), resultOf(team));
  const even = (d.fixed(total) ?? 1) % team.results === 0;
  const first = ix.mul(v('cut'), ix.ceilDiv(count, cuts));
  const range = cuts === 1 ? { end: count } : { first, end: ix.min(count, ix.add(first, ix.ceilDiv(count, cuts))) };
  const { body, shared } = addUp(sums, terms, range, team);
  const done = team.parts === 1 ? finish : [below(v('part'), ix.int(1), finish)];
  return [
    workgroups(
      ix.mul(blocks, ix.int(cuts)),
      threadsOf(team),
      [
        ...(cuts === 1 ? [] : [{ k: 'let', name: local('cut'), value: ix.div(v('g'), blocks) } as const]),
        { k: 'let', name: local('part'), value: partOf(team) },
        // Threads without a result of their own take part in the barriers all the same.
        { k: 'let', name: local('o'), value: even ? index : ix.min(index, ix.sub(total, ix.int(1))) },
        ...body,
        ...(even ? done : [below(index, total, done)]),
      ],
      shared,
    ),
  ];
}

function flopsOf({ total, count, terms }: Place, values: readonly LoopExpr[]): LoopExpr {
  return ix.mul(total, ix.add(ix.mul(count, ix.int(operations(terms) + terms.length)), ix.int(operations(values))));
}

/** Sums and what follows in one kernel. */
function atOnce(ctx: ScheduleContext, group: Group, what: Reduction, sums: readonly Sum[], team: Team): Scheduled {
  const held = new Map(sums.map((s) => [s.of, valueOf(s)]));
  const d = draft(ctx, group, (t) => held.get(t), what.recomputed);
  const place = lower(d, group, what, sums);
  const outputs = outputsAt(d, group, place.at);
  const values = outputs.map((o) => o.value);
  const position = outputs[0]!.at;
  // A thread beyond the last result reads what another writes.
  const keep = new Set([...readElsewhere(values, position), ...readElsewhere(place.terms, ix.int(-1))]);
  return d.close(
    kernelName(what.kind, ctx.fused, group.outputs),
    kernel(d, sums, team, place, 1, storeAll(outputs)),
    flopsOf(place, values),
    { keep },
  );
}

/** Sums of parts of the terms, then their sums and what follows. */
function inParts(
  ctx: ScheduleContext,
  group: Group,
  what: Reduction,
  sums: readonly Sum[],
  team: Team,
  cuts: number,
): Scheduled[] {
  const d = draft(ctx, group, undefined, what.recomputed);
  const place = lower(d, group, what, sums);
  const partials = partialsOf(group, sums, cuts);
  const outputs = partials.map((p, i): Output => ({
    to: d.buffer(p, 'write'),
    at: partialAt(place.total, v('cut'), v('o')),
    value: v(sums[i]!.name, sums[i]!.dtype),
  }));
  return [
    d.close(
      `${kernelName(what.kind, ctx.fused, what.of)}_parts`,
      kernel(d, sums, team, place, cuts, storeAll(outputs)),
      flopsOf(place, []),
      { computes: [] },
    ),
    finishParts(ctx, group, sums, partials, cuts),
  ];
}

/** The buffers of sums of parts: for each sum `[cuts, elements of the space]`. */
export function partialsOf(group: Group, sums: readonly Sum[], cuts: number): Scratch[] {
  const length = elements([cuts, ...group.space]);
  return sums.map((s): Scratch => ({ scratch: `parts_${s.name}`, dtype: s.dtype, length }));
}
/** Where the sum of a part stands. */
export function partialAt(total: LoopExpr, cut: LoopExpr, o: LoopExpr): LoopExpr {
  return ix.add(ix.mul(cut, total), o);
}

/** The kernel that adds up the sums of parts and computes what follows: one thread for each element. */
export function finishParts(
  ctx: ScheduleContext,
  group: Group,
  sums: readonly Sum[],
  partials: readonly Scratch[],
  cuts: number,
): Scheduled {
  const held = new Map(sums.map((s) => [s.of, valueOf(s)]));
  const d = draft(ctx, group, (t) => held.get(t));
  const total = elements(group.space) as LoopExpr;
  d.low.counter(local('o'), total);
  const outputs = outputsAt(d, group, unflatten(group.space, v('o')) as LoopExpr[]);
  const values = outputs.map((o) => o.value);
  const zero = ix.int(0);
  const body: Stmt[] = sums.flatMap((s, i): Stmt[] => {
    const acc = local(`${s.name}_part`);
    const from = d.buffer(partials[i]!, 'read');
    return [
      { k: 'alloc', name: acc, dtype: s.dtype, length: 1, memory: 'register' },
      store(acc, zero, initial(s.of, s.dtype)),
      loop('serial', 'cut', ix.int(cuts), (cut) => [
        store(acc, zero, combine(s.of, load(acc, zero, s.dtype), load(from, partialAt(total, cut, v('o')), s.dtype))),
      ]),
      { k: 'let', name: local(s.name), value: load(acc, zero, s.dtype) },
    ];
  });
  return d.close(
    kernelName('sum', ctx.fused, group.outputs),
    eachElement(d, ctx.target, 'o', total, [...body, ...storeAll(outputs)]),
    ix.mul(total, ix.int(operations(values) + cuts)),
    { keep: readElsewhere(values, d.low.simplify(flatIndex(group.space, unflatten(group.space, v('o')) as Expr[]))) },
  );
}
