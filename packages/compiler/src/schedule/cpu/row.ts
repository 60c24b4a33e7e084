/**
 * The template of row reductions: softmax, norms and their gradients. Each row is walked a few times while it is in cache:
 * once for each level of reductions that build on each other, and once for what is written at full width.
 */
import type { Expr, Tensor } from '@sinter/ir';
import { elements, flatIndex, sameShape, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import { mapExprs } from '../../loop/walk.ts';
import type { Target } from '../../target.ts';
import type { ScheduleContext, Scheduled } from '../draft.ts';
import {
  draft,
  eachOf,
  ix,
  kernelName,
  lastOf,
  local,
  loop,
  operations,
  readElsewhere,
  replace,
  storeAll,
  v,
} from '../draft.ts';
import { combine, initial, levels } from '../reduction.ts';
import { keptValues, swap } from './kept.ts';
import { rowsPerBlock } from './map.ts';

/**
 * Partial results of one reduction: two vectors, so that one addition need not wait for the other, where rows are whole
 * numbers of them; else so few that the rest of a row, which is summed up element by element, stays short.
 */
function partialResults({ vectorBytes }: Target, width: number | undefined): number {
  const lanes = vectorBytes / 4;
  if (width === undefined) return Math.max(8, lanes);
  if (width < 8) return 1;
  return [2 * lanes, lanes, lanes / 2].find((n) => n >= 8 && width % n === 0) ?? 8;
}

/** Schedules a group of reductions over the innermost axis with the maps around them. */
export function scheduleRow(ctx: ScheduleContext, group: Group): Scheduled {
  const level = levels(group);
  const reductions = [...level.keys()];
  const result = new Map(reductions.map((t, i) => [t, v(`sum${i}`, t.dtype)]));
  const d = draft(ctx, group, (t) => result.get(t));
  const { outer, last } = lastOf(group.full!);
  const [count, width] = [elements(outer) as LoopExpr, elements([last]) as LoopExpr];
  d.low.counter(local('r'), count);
  d.low.counter(local('c'), width);
  const row = unflatten(outer, v('r')) as LoopExpr[];
  const at = [...row, v('c') as LoopExpr];
  const fixedWidth = d.fixed(width);
  const lanes = partialResults(ctx.target, fixedWidth);
  const narrow = lanes === 1;

  const passes = Array.from({ length: Math.max(...level.values()) + 1 }, (_, pass) => {
    const now = reductions.filter((t) => level.get(t) === pass);
    return { now, terms: now.map((t) => d.low.at(t.inputs[0]!, at)) };
  });
  const wide = group.outputs.filter((t) => sameShape(t.shape, group.full!) && !result.has(t));
  const wideExprs = wide.map((t) => d.low.at(t, at));
  const kept = keptValues([...passes.map(({ terms }) => terms), wideExprs], 'c', fixedWidth);
  const keptNames = new Map(kept.flat().map((x, i) => [x, `kept${i}`]));
  /** What earlier walks have kept is read. */
  const held = new Map<LoopExpr, LoopExpr>();

  const body: Stmt[] = kept
    .flat()
    .map((x) => ({ k: 'alloc', name: keptNames.get(x)!, dtype: 'f32', length: fixedWidth!, memory: 'local' }));
  let work = 0;
  passes.forEach(({ now, terms }, pass) => {
    const keeps = kept[pass]!;
    const values = keeps.map((x) => swap(x, held));
    const named = new Map([...held, ...keeps.map((x) => [x, v(keptNames.get(x)!, 'f32')] as const)]);
    const summands = terms.map((x) => swap(x, named));
    work += operations([...values, ...summands]) + now.length;
    const acc = now.map((t) => `acc${reductions.indexOf(t)}`);
    /** All that one element adds. */
    const element = (slot: LoopExpr, c: LoopExpr): Stmt[] => [
      ...keeps.flatMap((x, i): Stmt[] => {
        const name = keptNames.get(x)!;
        return [{ k: 'let', name: local(name), value: replace(values[i]!, { c }) }, store(name, c, v(name, 'f32'))];
      }),
      ...now.map((t, i) =>
        store(acc[i]!, slot, combine(t, load(acc[i]!, slot, t.dtype), replace(summands[i]!, { c }))),
      ),
    ];
    now.forEach((t, i) => body.push({ k: 'alloc', name: acc[i]!, dtype: t.dtype, length: lanes, memory: 'register' }));
    body.push(
      narrow
        ? loop('unroll', 'l', ix.int(1), (l) => now.map((t, i) => store(acc[i]!, l, initial(t))))
        : loop('vector', 'l', ix.int(lanes), (l) => now.map((t, i) => store(acc[i]!, l, initial(t)))),
    );
    if (!narrow) {
      body.push(
        loop('serial', 'k', ix.div(width, ix.int(lanes)), (k) => [
          loop('vector', 'l', ix.int(lanes), (l) => element(l, ix.add(ix.mul(k, ix.int(lanes)), l))),
        ]),
      );
    }
    const done = narrow ? ix.int(0) : ix.mul(ix.div(width, ix.int(lanes)), ix.int(lanes));
    if (fixedWidth === undefined || fixedWidth % lanes !== 0 || narrow) {
      body.push(
        loop('serial', 'k', narrow ? width : ix.mod(width, ix.int(lanes)), (k) => element(ix.int(0), ix.add(done, k))),
      );
    }
    now.forEach((t, i) => {
      let values: LoopExpr[] = Array.from({ length: lanes }, (_, l) => load(acc[i]!, ix.int(l), t.dtype));
      while (values.length > 1)
        values = Array.from({ length: values.length / 2 }, (_, l) =>
          combine(t, values[l]!, values[l + values.length / 2]!),
        );
      body.push({ k: 'let', name: result.get(t)!.name, value: values[0]! });
    });
    for (const x of keeps) held.set(x, load(keptNames.get(x)!, v('c'), 'f32'));
  });

  const narrowOut = group.outputs.filter((t) => !wide.includes(t));
  const position = d.low.simplify(flatIndex(group.full!, at as readonly Expr[]));
  const wideValues = wideExprs.map((x) => ({ to: '', at: position, value: swap(x, held) }));
  const rowPosition = d.low.simplify(flatIndex(outer, row as readonly Expr[]));
  const rowValues = narrowOut.map((t) => ({
    to: '',
    at: rowPosition,
    value: result.get(t) ?? d.low.at(t, t.shape.length > outer.length ? [...row, ix.int(0)] : row),
  }));
  work += operations(wideValues.map((v) => v.value));
  // Results of a row's full width are stored when its sums are done: they may lie where an operand of that width lay.
  const full = [...passes.flatMap(({ terms }) => terms), ...wideExprs];
  const keep = readElsewhere(full, position);
  eachOf(
    rowValues.map((o) => o.value),
    (x) => x.k === 'load' && keep.add(x.from),
  );
  const named = <T extends { readonly to: string }>(values: readonly T[], tensors: readonly Tensor[]): T[] =>
    values.map((v, i) => ({ ...v, to: d.buffer(tensors[i]!, 'write') }));
  const wideOut = named(wideValues, wide);
  const rowOut = named(rowValues, narrowOut);
  if (wide.length > 0) {
    body.push(
      loop('vector', 'j', width, (j) =>
        storeAll(wideOut.map((o) => ({ to: o.to, at: replace(o.at, { c: j }), value: replace(o.value, { c: j }) }))),
      ),
    );
  }
  rowOut.forEach((o) => body.push(store(o.to, o.at, o.value)));

  const per = rowsPerBlock(fixedWidth);
  const flops = ix.mul(ix.mul(count, width), ix.int(work));
  return d.close(
    kernelName('row', ctx.fused, group.outputs),
    [
      loop('grid', 'g', ix.ceilDiv(count, per), (g) => [
        loop('serial', 'q', ix.min(ix.int(per), ix.sub(count, ix.mul(g, ix.int(per)))), (q) =>
          mapExprs(body, (x) => replace(x, { r: ix.add(ix.mul(g, ix.int(per)), q) })),
        ),
      ]),
    ],
    flops,
    { keep },
  );
}
