/** Templates for CPUs: threads that take blocks of a grid, vectors, caches. */
import type { Templates } from '../draft.ts';
import { scheduleColumn } from './column.ts';
import { scheduleContract } from './contract.ts';
import { scheduleMap } from './map.ts';
import { scheduleRow } from './row.ts';
import { scheduleScatter } from './scatter.ts';

/** One template per kernel class. */
export const cpu: Templates = {
  map: (ctx, group) => [scheduleMap(ctx, group)],
  row: (ctx, group) => [scheduleRow(ctx, group)],
  column: (ctx, group) => [scheduleColumn(ctx, group)],
  contract: scheduleContract,
  scatter: (ctx, group) => [scheduleScatter(ctx, group)],
};
