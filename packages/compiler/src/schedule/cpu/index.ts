/** Templates for CPUs: threads that take blocks of a grid, vectors, caches. */
import type { Templates } from '../draft.ts';
import { readsTransients } from '../transient.ts';
import { scheduleBlockwiseRow } from './blockwise-row.ts';
import { scheduleWalk } from './blockwise-walk.ts';
import { scheduleColumn } from './column.ts';
import { scheduleContract } from './contract.ts';
import { scheduleMap } from './map.ts';
import { scheduleRow } from './row.ts';
import { scheduleScatter } from './scatter.ts';
import { scheduleUpdate } from './update.ts';

/** One template per kernel class, and those of groups that read what is never stored. */
export const cpu: Templates = {
  map: (ctx, group) => [scheduleMap(ctx, group)],
  row: (ctx, group) => (readsTransients(ctx, group) ? scheduleBlockwiseRow(ctx, group) : [scheduleRow(ctx, group)]),
  column: (ctx, group) => [scheduleColumn(ctx, group)],
  contract: (ctx, group) => (readsTransients(ctx, group) ? scheduleWalk : scheduleContract)(ctx, group),
  scatter: (ctx, group) => [scheduleScatter(ctx, group)],
  update: (ctx, group) => [scheduleUpdate(ctx, group)],
};
