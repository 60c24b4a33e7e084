/**
 * The shape of a kernel as a text: what decides how it is best cut. A record from such texts to schedules is what tuning finds, and
 * what planning takes.
 */
import type { Dim } from '@sinter/ir';
import type { Group } from '../fuse/group.ts';
import { printExpr } from '../loop/print.ts';
import type { Draft, ScheduleContext } from './draft.ts';
import { draft, isStep, kernelName } from './draft.ts';
import { counters, declare, productOf, size } from './product.ts';
import type { Tile } from './tiles.ts';
import { readsTransients } from './transient.ts';

/** How the kernels of one shape are cut. Members that are left out are as the target suggests. */
export type Schedule = Partial<Tile>;

/** Schedules by kernel shape, a text such as `contract_add f32 1×batch*seq×1536×384 k·n`. Plain JSON. */
export type Schedules = Readonly<Record<string, Schedule>>;

/**
 * The shape of the kernels of a group: the ops that it computes, the dtype, batch × rows × columns × inner axis with run-time sizes
 * by name, and which axis of each operand lies in neighbouring elements (`-`: neither):
 * `contract_add f32 1×batch*seq×1536×384 k·n`. `undefined` for groups that are not cut by a schedule: all but contractions
 * whose operands and results are stored.
 */
export function kernelShape(ctx: ScheduleContext, group: Group): string | undefined {
  if (group.kind !== 'contract' || group.region || readsTransients(ctx, group)) return undefined;
  const t = group.members[0]!;
  const p = productOf(t, ctx.fused.recomputed.get(t));
  const d = draft(ctx, undefined, undefined, p.recomputed);
  declare(d, p);
  const near = (index: typeof p.indexA, of: typeof t, axis: 'm' | 'n'): string => {
    const value = d.low.at(of, index(counters));
    return isStep(d, value, axis) ? axis : isStep(d, value, 'k') ? 'k' : '-';
  };
  const sizes = [p.batch, p.m, p.n, p.k].map((dims) => showSize(d, dims)).join('×');
  const layout = `${near(p.indexA, p.a, 'm')}·${near(p.indexB, p.b, 'n')}`;
  return `${kernelName('contract', ctx.fused, group.outputs)} ${t.dtype} ${sizes} ${layout}`;
}

/** `1024`, or `batch*seq`. */
function showSize(d: Draft, dims: readonly Dim[]): string {
  return printExpr(d.low.simplify(size(dims))).replace(/[ ()]/g, '');
}

/** The context in which a group is scheduled: with the schedule of its shape, where there is one. */
export function withSchedule(ctx: ScheduleContext, group: Group): ScheduleContext {
  if (!ctx.schedules || Object.keys(ctx.schedules).length === 0) return ctx;
  const shape = kernelShape(ctx, group);
  const schedule = shape === undefined ? undefined : ctx.schedules[shape];
  return schedule ? { ...ctx, tile: { ...ctx.tile, ...schedule } } : ctx;
}

/** Those of the given schedules that kernels of a plan have, as a member of an artifact. */
export function schedulesOf({ context }: { readonly context: ScheduleContext }): { readonly schedules?: Schedules } {
  const { schedules, fused } = context;
  if (!schedules) return {};
  const shapes = new Set(fused.groups.map((group) => kernelShape(context, group)));
  const used = Object.entries(schedules).filter(([shape]) => shapes.has(shape));
  return used.length > 0 ? { schedules: Object.fromEntries(used) } : {};
}
