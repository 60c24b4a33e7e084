/**
 * The template of reductions over rows of scores that are never stored: what softmax and its gradient need to know of each row. The largest
 * score and the sum of exponentials, which is relative to it, are found in one walk (Milakov and Gimelshein 2018).
 */
import type { Expr, Tensor } from '@sinter/ir';
import { constantExpr, e, flatIndex, sameShape } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, replace, storeAll, v } from '../draft.ts';
import { size } from '../product.ts';
import { combine, initial, levels } from '../reduction.ts';
import { matrixOf, transientsOf } from '../transient.ts';
import { blockOf, overColumns, overRows, scoresIn } from './blockwise.ts';

/** Partial results of a reduction: as many as a row is added up in at a time. */
const lanes = 8;
/** The least `f32`: scores of −∞ are relative to it where a row has nothing else so far, so that no difference is NaN. */
const least = constantExpr(-3.4028234663852886e38, 'f32') as LoopExpr;

/** Schedules reductions over the innermost axis of scores, with the maps of their results. */
export function scheduleBlockwiseRow(ctx: ScheduleContext, group: Group): Scheduled[] {
  const matrix = matrixOf(transientsOf(ctx, group)[0]!);
  const block = blockOf(ctx);
  const scores = scoresIn(ctx, group, matrix, block);
  const level = levels(group);
  const reductions = [...level.keys()];
  const running = runningSums(reductions);
  for (const [sum, top] of running) level.set(sum, level.get(top)!);
  const name = (t: Tensor): string => `result${reductions.indexOf(t)}`;
  const part = (t: Tensor): string => `part${reductions.indexOf(t)}`;
  const d = draft(ctx, group, (t) => (level.has(t) ? load(name(t), v('i'), t.dtype) : scores.held(t)));
  for (const [counter, axes] of [
    ['b', matrix.batch],
    ['m', matrix.m],
    ['n', matrix.n],
  ] as const)
    d.low.counter(local(counter), size(axes));
  const at = matrix.index({ batch: v('b'), m: v('m'), n: v('n') });
  const row = at.slice(0, -1);
  const here = (i: LoopExpr, column: LoopExpr): Record<string, LoopExpr> => ({
    i,
    b: v('batch'),
    m: ix.add(v('m0'), i),
    n: ix.add(v('n0'), column),
    slot: ix.add(ix.mul(i, ix.int(block.columns)), column),
  });
  const terms = new Map(reductions.map((t) => [t, d.low.at(t.inputs[0]!, at)]));
  const { allocs, block: scoreTiles } = scores.bind(d);
  const wide = group.outputs.filter((t) => sameShape(t.shape, group.full!) && !level.has(t));
  const outputs = group.outputs.map((t) => {
    const index = wide.includes(t) ? at : t.shape.length > row.length ? [...row, ix.int(0)] : row;
    return {
      t,
      at: d.low.simplify(flatIndex(t.shape, index as readonly Expr[])),
      value: d.low.at(t, index),
    };
  });
  const stores = outputs.map((o) => ({ ...o, to: d.buffer(o.t, 'write') }));

  const eachRow = (body: (i: LoopExpr) => readonly Stmt[]): Stmt => loop('serial', 'i', v('height'), (i) => body(i));
  const eachPart = (body: (l: LoopExpr) => readonly Stmt[]): Stmt => loop('vector', 'l', ix.int(lanes), (l) => body(l));
  /** Combines a row of the block into partial results. */
  const reduceRow = (i: LoopExpr, now: readonly Tensor[]): Stmt[] => {
    const step = (l: LoopExpr, column: LoopExpr): Stmt[] =>
      now.map((t) => {
        const slot = ix.add(ix.mul(i, ix.int(lanes)), l);
        return store(part(t), slot, combine(t, load(part(t), slot, t.dtype), replace(terms.get(t)!, here(i, column))));
      });
    const whole = ix.div(v('width'), ix.int(lanes));
    return [
      loop('serial', 'k', whole, (k) => [eachPart((l) => step(l, ix.add(ix.mul(k, ix.int(lanes)), l)))]),
      loop('serial', 'k', ix.mod(v('width'), ix.int(lanes)), (k) =>
        step(ix.int(0), ix.add(ix.mul(whole, ix.int(lanes)), k)),
      ),
    ];
  };
  const total = (t: Tensor, i: LoopExpr): LoopExpr => {
    let values: LoopExpr[] = Array.from({ length: lanes }, (_, l) =>
      load(part(t), ix.add(ix.mul(i, ix.int(lanes)), ix.int(l)), t.dtype),
    );
    while (values.length > 1)
      values = Array.from({ length: values.length / 2 }, (_, l) =>
        combine(t, values[l]!, values[l + values.length / 2]!),
      );
    return values[0]!;
  };

  const body: Stmt[] = [...allocs];
  for (const t of reductions)
    body.push(
      { k: 'alloc', name: name(t), dtype: t.dtype, length: block.rows, memory: 'local' },
      { k: 'alloc', name: part(t), dtype: t.dtype, length: block.rows * lanes, memory: 'local' },
      loop('vector', 'j', ix.int(block.rows * lanes), (j) => [store(part(t), j, initial(t))]),
    );
  for (let pass = 0; pass <= Math.max(...level.values()); pass++) {
    const now = reductions.filter((t) => level.get(t) === pass);
    if (now.length === 0) continue;
    const first = now.filter((t) => !running.has(t));
    const second = now.filter((t) => running.has(t));
    body.push(
      ...second.map((t) => {
        const top = running.get(t)!;
        return loop('vector', 'j', ix.int(block.rows), (j) => [store(name(top), j, least)]);
      }),
      overColumns(size(matrix.n), block, [
        ...scoreTiles,
        eachRow((i) => [
          ...reduceRow(i, first),
          ...second.flatMap((t) => rescale(t, running.get(t)!, i)),
          ...reduceRow(i, second),
        ]),
      ]),
      eachRow((i) => now.map((t) => store(name(t), i, total(t, i)))),
    );
  }

  /** The sum so far, relative to the largest score so far: which may have grown in this block. */
  function rescale(t: Tensor, top: Tensor, i: LoopExpr): Stmt[] {
    const known = load(name(top), i, 'f32');
    return [
      { k: 'let', name: local('top'), value: e.max<LoadExpr>(known, total(top, i)) },
      { k: 'let', name: local('scale'), value: e.exp<LoadExpr>(e.sub<LoadExpr>(known, v('top', 'f32'))) },
      store(name(top), i, v('top', 'f32')),
      eachPart((l) => {
        const slot = ix.add(ix.mul(i, ix.int(lanes)), l);
        return [store(part(t), slot, e.mul<LoadExpr>(load(part(t), slot, 'f32'), v('scale', 'f32')))];
      }),
    ];
  }

  const narrowStores = stores.filter((o) => !wide.includes(o.t));
  const wideStores = stores.filter((o) => wide.includes(o.t));
  if (wideStores.length > 0)
    body.push(
      overColumns(size(matrix.n), block, [
        eachRow((i) => [
          loop('vector', 'j', v('width'), (j) =>
            storeAll(
              wideStores.map((o) => ({ to: o.to, at: replace(o.at, here(i, j)), value: replace(o.value, here(i, j)) })),
            ),
          ),
        ]),
      ]),
    );
  if (narrowStores.length > 0)
    body.push(
      eachRow((i) =>
        storeAll(
          narrowStores.map((o) => ({
            to: o.to,
            at: replace(o.at, here(i, ix.int(0))),
            value: replace(o.value, here(i, ix.int(0))),
          })),
        ),
      ),
    );

  const walks = new Set(level.values()).size;
  const work = ix.int(walks * scores.work + operations([...terms.values()]) + reductions.length);
  return [
    ...scores.packs,
    d.close(
      kernelName('blockwise', ctx.fused, group.outputs),
      [overRows(size(matrix.batch), size(matrix.m), block, body)],
      ix.mul(ix.product([size(matrix.batch), size(matrix.m), size(matrix.n)]), work),
    ),
  ];
}

/** Sums of `exp(x − max x)` among reductions, with the maximum: both can be found in one walk. */
function runningSums(reductions: readonly Tensor[]): Map<Tensor, Tensor> {
  const out = new Map<Tensor, Tensor>();
  for (const t of reductions) {
    const [exponential] = t.inputs;
    const [difference] = exponential!.inputs;
    if (
      t.op.name !== 'reduceSum' ||
      t.dtype !== 'f32' ||
      exponential!.op.name !== 'exp' ||
      difference!.op.name !== 'sub'
    )
      continue;
    let top = difference!.inputs[1]!;
    while (top.op.name === 'reshape' || top.op.name === 'broadcastTo') top = top.inputs[0]!;
    if (top.op.name === 'reduceMax' && top.inputs[0] === difference!.inputs[0] && reductions.includes(top))
      out.set(t, top);
  }
  return out;
}
