/** Templates for GPUs: workgroups of threads that share memory, neighbours that read what lies side by side. */
import { readsTransients } from '../transient.ts';
import type { Templates } from '../draft.ts';
import { scheduleBlockwiseContract, scheduleBlockwiseRow } from './blockwise.ts';
import { scheduleColumn } from './column.ts';
import { scheduleContract } from './contract.ts';
import { scheduleMap } from './map.ts';
import { scheduleRow } from './row.ts';
import { scheduleScatter } from './scatter.ts';
import { scheduleUpdate } from './update.ts';

/** One template per kernel class, and those of groups that read what is never stored. */
export const gpu: Templates = {
  map: (ctx, group) => [scheduleMap(ctx, group)],
  row: (ctx, group) => [(readsTransients(ctx, group) ? scheduleBlockwiseRow : scheduleRow)(ctx, group)],
  column: scheduleColumn,
  contract: (ctx, group) =>
    readsTransients(ctx, group) ? [scheduleBlockwiseContract(ctx, group)] : scheduleContract(ctx, group),
  scatter: scheduleScatter,
  update: (ctx, group) => [scheduleUpdate(ctx, group)],
};
