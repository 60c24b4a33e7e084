/** The template of maps: one pass over the elements, flat where every operand is, else row by row. */
import { elements, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr, Stmt } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import {
  dependsOn,
  draft,
  ix,
  kernelName,
  lastOf,
  local,
  loop,
  operations,
  outputsAt,
  readElsewhere,
  replace,
  storeAll,
  v,
  eachOf,
} from '../draft.ts';

/** Elements that a thread takes at a time. */
const block = 4096;

/** Schedules a group of maps over one shape. */
export function scheduleMap(ctx: ScheduleContext, group: Group): Scheduled {
  return flat(ctx, group) ?? rows(ctx, group);
}

/** All elements in one row: possible when each operand is read at the position that is written, or at one fixed place. */
function flat(ctx: ScheduleContext, group: Group): Scheduled | undefined {
  const d = draft(ctx, group);
  const total = elements(group.space) as LoopExpr;
  d.low.counter(local('f'), total);
  const f = v('f');
  const outputs = outputsAt(d, group, unflatten(group.space, f) as LoopExpr[]);
  const values = outputs.map((o) => o.value);
  let possible = true;
  eachOf(values, (x) => {
    if (x.k === 'load' && dependsOn(x.at, local('f')) && d.low.simplify(f) !== x.at) possible = false;
    if (x.k === 'op' && (x.op === 'div' || x.op === 'mod') && x.dtype === 'i32' && dependsOn(x, local('f')))
      possible = false;
  });
  if (!possible) return undefined;
  const keep = readElsewhere(values, d.low.simplify(f));
  const size = d.fixed(total);
  const work = ix.mul(total, ix.int(operations(values)));
  const name = kernelName('map', ctx.fused, group.outputs);
  const close = (body: Stmt[]): Scheduled => d.close(name, body, work, { keep });
  const body = (at: LoopExpr): Stmt[] =>
    storeAll(outputs.map((o) => ({ to: o.to, at: replace(o.at, { f: at }), value: replace(o.value, { f: at }) })));
  if (size === 1) return close(body(ix.int(0)));
  const step = size === undefined ? block : Math.min(block, size);
  return close([
    loop('grid', 'g', ix.ceilDiv(total, step), (g) => [
      loop(
        'vector',
        'i',
        size !== undefined && size % step === 0
          ? ix.int(step)
          : ix.min(ix.int(step), ix.sub(total, ix.mul(g, ix.int(step)))),
        (i) => body(ix.add(ix.mul(g, ix.int(step)), i)),
      ),
    ]),
  ]);
}

/** Row by row, vectors along the innermost axis. */
function rows(ctx: ScheduleContext, group: Group): Scheduled {
  const d = draft(ctx, group);
  const { outer, last } = lastOf(group.space);
  const [count, width] = [elements(outer) as LoopExpr, elements([last]) as LoopExpr];
  d.low.counter(local('r'), count);
  d.low.counter(local('j'), width);
  const outputs = outputsAt(d, group, [...unflatten(outer, v('r')), v('j')] as LoopExpr[]);
  const keep = readElsewhere(
    outputs.map((o) => o.value),
    outputs[0]!.at,
  );
  const per = rowsPerBlock(d.fixed(width));
  const work = ix.mul(ix.mul(count, width), ix.int(operations(outputs.map((o) => o.value))));
  return d.close(
    kernelName('map', ctx.fused, group.outputs),
    [
      loop('grid', 'g', ix.ceilDiv(count, per), (g) => [
        loop('serial', 'q', ix.min(ix.int(per), ix.sub(count, ix.mul(g, ix.int(per)))), (q) => [
          loop('vector', 'j', width, (j) => {
            const values = { r: ix.add(ix.mul(g, ix.int(per)), q), j };
            return storeAll(
              outputs.map((o) => ({ to: o.to, at: replace(o.at, values), value: replace(o.value, values) })),
            );
          }),
        ]),
      ]),
    ],
    work,
    { keep },
  );
}

/** How many rows make a block that is worth taking. */
export function rowsPerBlock(width: number | undefined): number {
  return width === undefined ? 8 : Math.max(1, Math.floor(block / Math.max(1, width)));
}
