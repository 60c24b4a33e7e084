/** The template of a block that is written over its state in place: a thread for every element or every few of them. */
import { elements, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr } from '../../loop/language.ts';
import { blockAt, isInside } from '../block.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import { draft, ix, kernelName, local, operations, v } from '../draft.ts';
import { eachElement } from './workgroup.ts';

/** Schedules a block. */
export function scheduleUpdate(ctx: ScheduleContext, group: Group): Scheduled {
  const t = group.members[0]!;
  const d = draft(ctx, group);
  const total = elements(group.space) as LoopExpr;
  d.low.counter(local('f'), total);
  const place = unflatten(group.space, v('f')) as LoopExpr[];
  const block = blockAt(d, t, place);
  const to = d.buffer(t, 'update');
  return d.close(
    kernelName('update', ctx.fused, group.outputs),
    eachElement(d, ctx.target, 'f', total, [
      {
        k: 'if',
        when: isInside(block, place, place.length)!,
        body: [{ k: 'store', to, at: block.at, value: block.value }],
      },
    ]),
    ix.mul(total, ix.int(operations([block.value]))),
  );
}
