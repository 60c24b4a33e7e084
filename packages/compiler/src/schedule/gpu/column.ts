/** The template of reductions that keep the innermost axis: neighbouring threads take neighbouring columns. */
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import { scheduleReduction } from './reduce.ts';

/** Schedules reductions over the same outer axes, with the maps that follow. */
export function scheduleColumn(ctx: ScheduleContext, group: Group): Scheduled[] {
  const { shape, axes } = group.reduced!;
  const of = group.members.filter((t) => t.op.kind === 'reduce');
  return scheduleReduction(ctx, group, {
    kind: 'column',
    of,
    inner: axes.map((a) => shape[a]!),
    neighbours: 'results',
    terms: (d, at, inner) => {
      let kept = 0;
      const index = shape.map((_, i): LoopExpr => (axes.includes(i) ? inner[axes.indexOf(i)]! : at[kept++]!));
      return of.map((t) => d.low.at(t.inputs[0]!, index));
    },
  });
}
