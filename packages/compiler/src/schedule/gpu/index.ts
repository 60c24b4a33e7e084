/** Templates for GPUs: workgroups of threads that share memory, neighbours that read what lies side by side. */
import type { Templates } from '../draft.ts';
import { scheduleColumn } from './column.ts';
import { scheduleContract } from './contract.ts';
import { scheduleMap } from './map.ts';
import { scheduleRow } from './row.ts';
import { scheduleScatter } from './scatter.ts';

/** One template per kernel class. */
export const gpu: Templates = {
  map: (ctx, group) => [scheduleMap(ctx, group)],
  row: (ctx, group) => [scheduleRow(ctx, group)],
  column: scheduleColumn,
  contract: scheduleContract,
  scatter: scheduleScatter,
};
