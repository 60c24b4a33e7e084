/** The template of maps: neighbouring threads take neighbouring elements. */
import { elements, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import { draft, ix, kernelName, local, operations, outputsAt, readElsewhere, storeAll, v } from '../draft.ts';
import { eachElement } from './workgroup.ts';

/** Schedules a group of maps over one shape. */
export function scheduleMap(ctx: ScheduleContext, group: Group): Scheduled {
  const d = draft(ctx, group);
  const total = elements(group.space) as LoopExpr;
  d.low.counter(local('f'), total);
  const outputs = outputsAt(d, group, unflatten(group.space, v('f')) as LoopExpr[]);
  const values = outputs.map((o) => o.value);
  return d.close(
    kernelName('map', ctx.fused, group.outputs),
    eachElement(d, ctx.target, 'f', total, storeAll(outputs)),
    ix.mul(total, ix.int(operations(values))),
    { keep: readElsewhere(values, outputs[0]!.at) },
  );
}
