/** One template per kernel class. */
import type { Group } from '../fuse/group.ts';
import { scheduleColumn } from './column.ts';
import { scheduleContract } from './contract.ts';
import type { ScheduleContext, Scheduled } from './draft.ts';
import { scheduleMap } from './map.ts';
import { scheduleRow } from './row.ts';
import { scheduleScatter } from './scatter.ts';

/** The kernels that compute a group, in the order in which they run. */
export function schedule(ctx: ScheduleContext, group: Group): Scheduled[] {
  switch (group.kind) {
    case 'map':
      return [scheduleMap(ctx, group)];
    case 'row':
      return [scheduleRow(ctx, group)];
    case 'column':
      return [scheduleColumn(ctx, group)];
    case 'contract':
      return scheduleContract(ctx, group);
    case 'scatter':
      return [scheduleScatter(ctx, group)];
    default:
      return group.kind satisfies never;
  }
}
