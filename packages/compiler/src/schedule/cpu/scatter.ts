/**
 * The template of scatter-add: every block of result rows looks through all indices and takes what is its own. No atomics,
 * and the order of additions is the order of the updates, with any number of threads.
 */
import type { Tensor } from '@sinter/ir';
import { dimExpr, e, elements, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, replace, v } from '../draft.ts';

/** Blocks of rows: enough for the threads of a CPU to share, few enough that looking through the indices costs little. */
const blocks = 32;

/** Schedules one scatter-add. */
export function scheduleScatter(ctx: ScheduleContext, group: Group): Scheduled {
  const t = group.members[0]!;
  const [indices, updates] = t.inputs as [Tensor, Tensor];
  const d = draft(ctx, group);
  const rest = t.shape.slice(1);
  const [size, width, count] = [
    dimExpr(t.shape[0]!) as LoopExpr,
    elements(rest) as LoopExpr,
    elements(indices.shape) as LoopExpr,
  ];
  d.low.counter(local('i'), count);
  d.low.counter(local('j'), width);
  const place = unflatten(indices.shape, v('i')) as LoopExpr[];
  const index = d.low.at(indices, place);
  const value = d.low.at(updates, [...place, ...(unflatten(rest, v('j')) as LoopExpr[])]);
  const out = d.buffer(t, 'update');
  const rows = ix.ceilDiv(size, blocks);
  const [first, mine, row] = [v('first'), v('mine'), v('row')];
  return d.close(
    kernelName('scatter', ctx.fused, group.outputs),
    [
      loop('grid', 'g', ix.int(blocks), (g) => [
        { k: 'let', name: local('first'), value: ix.mul(g, rows) },
        { k: 'let', name: local('mine'), value: ix.min(rows, ix.sub(size, first)) },
        loop('vector', 'z', ix.mul(mine, width), (z) => [
          store(out, ix.add(ix.mul(first, width), z), { k: 'const', value: 0, dtype: t.dtype }),
        ]),
        loop('serial', 'i', count, () => [
          { k: 'let', name: local('row'), value: e.max<LoadExpr>(ix.int(0), ix.min(index, ix.sub(size, ix.int(1)))) },
          {
            k: 'if',
            when: e.and<LoadExpr>(e.le<LoadExpr>(first, row), e.lt<LoadExpr>(row, ix.add(first, mine))),
            body: [
              loop('vector', 'j', width, (j) => {
                const at = ix.add(ix.mul(row, width), j);
                return [store(out, at, e.add<LoadExpr>(load(out, at, t.dtype), replace(value, { j })))];
              }),
            ],
          },
        ]),
      ]),
    ],
    ix.mul(ix.mul(count, width), ix.int(1 + operations([value]))),
    {},
  );
}
