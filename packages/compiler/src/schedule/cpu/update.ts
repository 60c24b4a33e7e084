/** The template of a block that is written over its state in place: row by row, as much of each as lies inside. */
import { e, elements, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { blockAt, isInside } from '../block.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import { draft, ix, kernelName, lastOf, local, loop, operations, replace, v } from '../draft.ts';
import { rowsPerBlock } from './map.ts';

/** Schedules a block. */
export function scheduleUpdate(ctx: ScheduleContext, group: Group): Scheduled {
  const t = group.members[0]!;
  const d = draft(ctx, group);
  const { outer, last } = lastOf(group.space);
  const [count, width] = [elements(outer) as LoopExpr, elements([last]) as LoopExpr];
  d.low.counter(local('r'), count);
  d.low.counter(local('j'), width);
  const place = [...(unflatten(outer, v('r')) as LoopExpr[]), v('j')];
  const block = blockAt(d, t, place);
  const to = d.buffer(t, 'update');
  const axes = outer.length;
  const [start, size] = [block.starts[axes]!, block.sizes[axes]!];
  const first = e.max<LoadExpr>(ix.int(0), ix.sub(ix.int(0), start));
  const end = ix.min(width, ix.sub(size, start));
  const inside = isInside(block, place, axes);
  const per = rowsPerBlock(d.fixed(width));
  return d.close(
    kernelName('update', ctx.fused, group.outputs),
    [
      loop('grid', 'g', ix.ceilDiv(count, per), (g) => [
        loop('serial', 'q', ix.min(ix.int(per), ix.sub(count, ix.mul(g, ix.int(per)))), (q) => {
          const r = ix.add(ix.mul(g, ix.int(per)), q);
          const row: Stmt = loop('vector', 'i', e.max<LoadExpr>(ix.int(0), ix.sub(end, first)), (i) => {
            const values = { r, j: ix.add(first, i) };
            return [{ k: 'store', to, at: replace(block.at, values), value: replace(block.value, values) }];
          });
          return [inside ? { k: 'if', when: replace(inside, { r }), body: [row] } : row];
        }),
      ]),
    ],
    ix.mul(ix.mul(count, width), ix.int(operations([block.value]))),
  );
}
