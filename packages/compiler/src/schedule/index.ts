/** From groups to kernels: the templates of the target's kind, one per kernel class. */
import type { Group } from '../fuse/group.ts';
import { cpu } from './cpu/index.ts';
import type { ScheduleContext, Scheduled, Templates } from './draft.ts';
import { gpu } from './gpu/index.ts';
import { withSchedule } from './kernel-shape.ts';
import { scheduleRegion } from './region.ts';

const templates: Readonly<Record<ScheduleContext['target']['kind'], Templates>> = { cpu, gpu };

/** The kernels that compute a group, in the order in which they run. */
export function schedule(ctx: ScheduleContext, group: Group): readonly Scheduled[] {
  if (group.region) return [scheduleRegion(ctx, group)];
  return templates[ctx.target.kind][group.kind](withSchedule(ctx, group), group);
}
