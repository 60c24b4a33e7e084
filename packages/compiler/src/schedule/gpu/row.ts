/**
 * The template of row reductions: softmax, norms and their gradients. The threads of a row walk it once for each level of
 * reductions that build on each other, and once for what is written at full width; it is in cache after the first walk.
 */
import type { Tensor } from '@sinter/ir';
import { elements, flatIndex, sameShape, unflatten } from '@sinter/ir';
import type { Expr } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr, Stmt } from '../../loop/language.ts';
import type { Draft, Output, ScheduleContext, Scheduled } from '../draft.ts';
import { draft, isStep, ix, kernelName, lastOf, local, loop, operations, storeAll, v } from '../draft.ts';
import { levels } from '../reduction.ts';
import type { Sum, Team } from './sums.ts';
import { addUp, convert, partOf, resultOf, sumsOf, teamOf, threadsFor, threadsOf, valueOf } from './sums.ts';
import { below, powerAbove, workgroups } from './workgroup.ts';

/** Schedules a group of reductions over the innermost axis with the maps around them. */
export function scheduleRow(ctx: ScheduleContext, group: Group): Scheduled {
  const level = levels(group);
  const sums = sumsOf([...level.keys()]);
  const held = new Map(sums.map((s) => [s.of, valueOf(s)]));
  const d = draft(ctx, group, (t) => held.get(t));
  const { outer, last } = lastOf(group.full!);
  const [count, width] = [elements(outer) as LoopExpr, elements([last]) as LoopExpr];
  d.low.counter(local('r'), count);
  d.low.counter(local('k'), width);
  const row = unflatten(outer, v('r')) as LoopExpr[];
  const at = [...row, v('k') as LoopExpr];
  const termsOf = (pass: number): LoopExpr[] =>
    sums.filter((s) => level.get(s.of) === pass).map((s) => convert(d.low.at(s.of.inputs[0]!, at), s.dtype));
  // A product with a vector may run along rows where its matrix lies in columns.
  const first = termsOf(0);
  const across = !first.some((x) => isStep(d, x, 'k')) && first.some((x) => isStep(d, x, 'r'));
  const team = rowTeam(ctx, d, count, width, sums, across ? 'results' : 'parts');

  const body: Stmt[] = [];
  const shared: Stmt[] = [];
  let work = 0;
  for (let pass = 0; pass <= Math.max(...level.values()); pass++) {
    const now = sums.filter((s) => level.get(s.of) === pass);
    const terms = pass === 0 ? first : termsOf(pass);
    const walk = addUp(now, terms, { end: width }, team);
    work += operations(terms) + now.length;
    body.push(...walk.body);
    shared.push(...walk.shared);
  }

  const wide = group.outputs.filter((t) => sameShape(t.shape, group.full!) && !held.has(t));
  const narrow = group.outputs.filter((t) => !wide.includes(t));
  const place = d.low.simplify(flatIndex(group.full!, at as readonly Expr[]));
  const rowPlace = d.low.simplify(flatIndex(outer, row as readonly Expr[]));
  const wideValues = wide.map((t) => d.low.at(t, at));
  const narrowValues = narrow.map((t) => d.low.at(t, t.shape.length > outer.length ? [...row, ix.int(0)] : row));
  work += operations(wideValues);
  const outputs = (tensors: readonly Tensor[], where: LoopExpr, values: readonly LoopExpr[]): Output[] =>
    tensors.map((t, i) => ({ to: d.buffer(t, 'write'), at: where, value: values[i]! }));
  const finish: Stmt[] = [];
  if (wide.length > 0) {
    finish.push(
      loop('serial', 'step', ix.ceilDiv(ix.sub(width, v('part')), team.parts), (step) => [
        { k: 'let', name: local('k'), value: ix.add(ix.mul(step, ix.int(team.parts)), v('part')) },
        ...storeAll(outputs(wide, place, wideValues)),
      ]),
    );
  }
  if (narrow.length > 0) finish.push(below(v('part'), ix.int(1), storeAll(outputs(narrow, rowPlace, narrowValues))));

  const index = ix.add(ix.mul(v('g'), ix.int(team.results)), resultOf(team));
  return d.close(
    kernelName('row', ctx.fused, group.outputs),
    [
      workgroups(
        ix.ceilDiv(count, team.results),
        threadsOf(team),
        [
          { k: 'let', name: local('part'), value: partOf(team) },
          // Threads without a row of their own take part in the barriers all the same.
          { k: 'let', name: local('r'), value: ix.min(index, ix.sub(count, ix.int(1))) },
          ...body,
          ...((d.fixed(count) ?? 1) % team.results === 0 ? finish : [below(index, count, finish)]),
        ],
        shared,
      ),
    ],
    ix.mul(ix.mul(count, width), ix.int(work)),
  );
}

/** A few elements for each thread: many threads for long rows, many rows for a workgroup where they are short. */
function rowTeam(
  { target }: ScheduleContext,
  d: Draft,
  count: LoopExpr,
  width: LoopExpr,
  sums: readonly Sum[],
  neighbours: 'parts' | 'results',
): Team {
  const [rows, length] = [d.fixed(count), d.fixed(width)];
  const most = threadsFor(target, sums);
  if (target.software) {
    const fewAndLong = rows !== undefined && rows <= 4 && (length ?? Infinity) > 256;
    return fewAndLong ? teamOf('parts', 1, Math.min(most, 16)) : teamOf('parts', Math.min(most, 16), 1);
  }
  const wanted = length === undefined ? 64 : length <= 16 ? 1 : powerAbove(length / 4);
  const least = neighbours === 'parts' ? 1 : Math.min(32, most, powerAbove(rows ?? Infinity));
  const parts = Math.min(most / least, wanted);
  return teamOf(neighbours, Math.max(least, Math.min(most, 64) / parts), parts);
}
