/**
 * The template of scatter-add, without atomics and in the order of the updates. A table of few rows is a sum over all updates for
 * each row. For others the updates are linked into lists: first one for every bucket of neighbouring rows, by one thread that
 * looks at all updates; then one for every row, by one thread that looks at the updates of its bucket. With √rows buckets that is
 * some √rows looks for each update and not one for each row. Last, a thread for every element adds up its row's list.
 */
import type { Tensor } from '@sinter/ir';
import { constantExpr, dimExpr, e, elements, unflatten } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Draft, ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, v } from '../draft.ts';
import { scheduleReduction } from './reduce.ts';
import { accumulator, convert } from './sums.ts';
import { eachElement, powerAbove } from './workgroup.ts';

/** Rows up to which every update is looked at for each row. */
const fewRows = 8;
/** Rows of a bucket where their number is known at run time only. */
const usualBucket = 256;

/** Schedules one scatter-add. */
export function scheduleScatter(ctx: ScheduleContext, group: Group): Scheduled[] {
  const t = group.members[0]!;
  const rows = dimExpr(t.shape[0]!) as LoopExpr;
  const fixed = draft(ctx, group).fixed(rows);
  if (fixed !== undefined && fixed <= fewRows) return [...oneSumPerRow(ctx, group)];
  const perBucket = fixed === undefined ? usualBucket : powerAbove(Math.sqrt(fixed));
  const updates = elements(t.inputs[0]!.shape) as LoopExpr;
  const buckets: Lists = { name: 'buckets', count: ix.ceilDiv(rows, perBucket), updates };
  const byRow: Lists = { name: 'rows', count: rows, updates };
  const [inBuckets, inRows] = [scratchOf(buckets), scratchOf(byRow)];
  return [
    linkBuckets(ctx, group, perBucket, buckets, inBuckets),
    linkRows(ctx, group, perBucket, { lists: buckets, from: inBuckets }, { lists: byRow, to: inRows }),
    addLists(ctx, group, byRow, inRows),
  ];
}

/** `out[r, j…] = Σ_i (row of i is r ? updates[i, j…] : 0)`. */
function oneSumPerRow(ctx: ScheduleContext, group: Group): readonly Scheduled[] {
  const t = group.members[0]!;
  const [indices, updates] = t.inputs as [Tensor, Tensor];
  return scheduleReduction(ctx, group, {
    kind: 'scatter',
    of: [t],
    inner: indices.shape,
    neighbours: 'results',
    terms: (d, [row, ...rest], place) => [
      e.select<LoadExpr>(
        e.eq<LoadExpr>(rowOf(d, t, place), row!),
        d.low.at(updates, [...place, ...rest]),
        constantExpr(0, t.dtype),
      ),
    ],
  });
}

/** The row of an update, as an index that exists. */
function rowOf(d: Draft, t: Tensor, place: readonly LoopExpr[]): LoopExpr {
  const last = ix.sub(dimExpr(t.shape[0]!) as LoopExpr, ix.int(1));
  return e.max<LoadExpr>(ix.int(0), ix.min(d.low.at(t.inputs[0]!, place), last));
}

// ---- lists of updates in one buffer: the first of each list, the length of each, and for each update the next one

interface Lists {
  readonly name: string;
  /** How many lists there are, and how many updates. */
  readonly count: LoopExpr;
  readonly updates: LoopExpr;
}
const scratchOf = ({ name, count, updates }: Lists): Scratch => ({
  scratch: name,
  dtype: 'i32',
  length: ix.add(ix.mul(count, ix.int(2)), updates) as Scratch['length'],
});
const lengthAt = ({ count }: Lists, list: LoopExpr): LoopExpr => ix.add(count, list);
const nextAt = ({ count }: Lists, i: LoopExpr): LoopExpr => ix.add(ix.mul(count, ix.int(2)), i);

const zero = ix.int(0);
const variable = (name: string): Stmt => ({
  k: 'alloc',
  name: local(name),
  dtype: 'i32',
  length: 1,
  memory: 'register',
});
const get = (name: string): LoopExpr => load(local(name), zero, 'i32');
const set = (name: string, value: LoopExpr): Stmt => store(local(name), zero, value);

/** Makes list `list` of those updates that `visit` meets and that pass `when`, the last one first. */
function link(
  to: string,
  lists: Lists,
  list: LoopExpr,
  i: LoopExpr,
  when: LoopExpr,
  visit: (put: Stmt) => Stmt[],
): Stmt[] {
  const put: Stmt = {
    k: 'if',
    when,
    body: [store(to, nextAt(lists, i), get('head')), set('head', i), set('length', ix.add(get('length'), ix.int(1)))],
  };
  return [
    variable('head'),
    variable('length'),
    set('head', zero),
    set('length', zero),
    ...visit(put),
    store(to, list, get('head')),
    store(to, lengthAt(lists, list), get('length')),
  ];
}

/** Walks list `list`, with the update at hand as `i`. */
function walk(from: string, lists: Lists, list: LoopExpr, body: readonly Stmt[]): Stmt[] {
  const read = (at: LoopExpr): LoopExpr => load(from, at, 'i32');
  return [
    variable('at'),
    set('at', read(list)),
    loop('serial', 'turn', read(lengthAt(lists, list)), () => [
      { k: 'let', name: local('i'), value: get('at') },
      ...body,
      set('at', read(nextAt(lists, v('i')))),
    ]),
  ];
}

// ---- kernels

/** One thread for each bucket looks at all updates. Its list begins with the last. */
function linkBuckets(ctx: ScheduleContext, group: Group, perBucket: number, lists: Lists, scratch: Scratch): Scheduled {
  const t = group.members[0]!;
  const d = draft(ctx, group);
  d.low.counter(local('i'), lists.updates);
  const row = rowOf(d, t, unflatten(t.inputs[0]!.shape, v('i')) as LoopExpr[]);
  const to = d.buffer(scratch, 'write');
  const mine = e.eq<LoadExpr>(ix.div(row, ix.int(perBucket)), v('bucket'));
  const body = link(to, lists, v('bucket'), v('i'), mine, (put) => [loop('serial', 'i', lists.updates, () => [put])]);
  return d.close(
    kernelName('link_buckets', ctx.fused, []),
    eachElement(d, ctx.target, 'bucket', lists.count, body, 1),
    ix.mul(ix.mul(lists.count, lists.updates), ix.int(3)),
    { computes: [] },
  );
}

/** One thread for each row looks at the updates of its bucket. Its list begins with the first. */
function linkRows(
  ctx: ScheduleContext,
  group: Group,
  perBucket: number,
  buckets: { readonly lists: Lists; readonly from: Scratch },
  rows: { readonly lists: Lists; readonly to: Scratch },
): Scheduled {
  const t = group.members[0]!;
  const d = draft(ctx, group);
  d.low.counter(local('i'), rows.lists.updates);
  const row = rowOf(d, t, unflatten(t.inputs[0]!.shape, v('i')) as LoopExpr[]);
  const from = d.buffer(buckets.from, 'read');
  const to = d.buffer(rows.to, 'write');
  const bucket = ix.div(v('row'), ix.int(perBucket));
  const body = link(to, rows.lists, v('row'), v('i'), e.eq<LoadExpr>(row, v('row')), (put) =>
    walk(from, buckets.lists, bucket, [put]),
  );
  return d.close(
    kernelName('link_rows', ctx.fused, []),
    eachElement(d, ctx.target, 'row', rows.lists.count, body, 1),
    ix.mul(ix.mul(ix.int(perBucket), rows.lists.updates), ix.int(3)),
    { computes: [] },
  );
}

/** One thread for each element adds up the updates of its row. */
function addLists(ctx: ScheduleContext, group: Group, lists: Lists, scratch: Scratch): Scheduled {
  const t = group.members[0]!;
  const [indices, updates] = t.inputs as [Tensor, Tensor];
  const d = draft(ctx, group);
  const rest = t.shape.slice(1);
  const width = elements(rest) as LoopExpr;
  d.low.counter(local('i'), lists.updates);
  d.low.counter(local('j'), width);
  const place = [...unflatten(indices.shape, v('i')), ...unflatten(rest, v('j'))] as LoopExpr[];
  const dtype = accumulator(t.dtype);
  const value = convert(d.low.at(updates, place), dtype);
  const from = d.buffer(scratch, 'read');
  const out = d.buffer(t, 'write');
  const sum = local('sum');
  const total = ix.mul(lists.count, width);
  const body: Stmt[] = [
    { k: 'let', name: local('j'), value: ix.mod(v('f'), width) },
    { k: 'alloc', name: sum, dtype, length: 1, memory: 'register' },
    store(sum, zero, constantExpr(0, dtype)),
    ...walk(from, lists, ix.div(v('f'), width), [store(sum, zero, e.add<LoadExpr>(load(sum, zero, dtype), value))]),
    store(out, v('f'), convert(load(sum, zero, dtype), t.dtype)),
  ];
  return d.close(
    kernelName('scatter', ctx.fused, group.outputs),
    eachElement(d, ctx.target, 'f', total, body),
    ix.add(total, ix.mul(ix.mul(lists.updates, width), ix.int(1 + operations([value])))),
  );
}
