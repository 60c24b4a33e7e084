/**
 * The template of contractions with few rows: the products of token-by-token generation, whose limit is reading the right operand. It is
 * read once, from where it lies, and what is to be done to it (a conversion, a scale) is done on the way; nothing is packed.
 */
import type { Dim, Tensor } from '@sinter/ir';
import { dimSize, dtypeBytes, e, elements, isFloat, sourceName } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import { baseOf } from '../../fuse/operand.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load } from '../../loop/language.ts';
import type { DimRanges } from '../../lower.ts';
import type { Draft, Output, ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import {
  dependsOn,
  draft,
  eachOf,
  ix,
  kernelName,
  local,
  loop,
  operations,
  outputsAt,
  readElsewhere,
  replace,
  storeAll,
  v,
} from '../draft.ts';
import type { Product } from '../product.ts';
import { counters, declare, productOf, size } from '../product.ts';
import { pack, panelLength, rowsInPlace } from './pack.ts';
import { alongRows, downColumns } from './short-sums.ts';

/**
 * The rows up to which an operand is read where it lies. With more than 8 arithmetic is the limit. With more than one, wide vectors
 * wait for what is not one stream: a weight that is packed once, at load, is read faster then, unless its packed form would have more bytes.
 */
function mostRows({ fused, target }: ScheduleContext, right: Tensor): number {
  const x = baseOf(right);
  const steady =
    x.op.name === 'constant' || (x.op.name === 'state' && !Object.hasOwn(fused.graph.updates, sourceName(x)));
  const packedOnce = target.prepares === true && steady && dtypeBytes[x.dtype] === 4;
  return packedOnce && target.vectorBytes > 16 ? 1 : 8;
}

/** Schedules a contraction of few rows with the maps that follow it; `undefined` where it has many, or its right operand lies scattered. */
export function scheduleShort(ctx: ScheduleContext, group: Group): Scheduled[] | undefined {
  const t = group.members[0]!;
  const p = productOf(t, ctx.fused.recomputed.get(t));
  const rows = mostOf(p.m, ctx.dims);
  if (rows < 1 || rows > mostRows(ctx, p.b)) return undefined;
  const dtype = isFloat(t.dtype) ? 'f32' : t.dtype;
  const right = (d: Draft): LoopExpr => {
    declare(d, p);
    return e.cast<LoadExpr>(d.low.at(p.b, p.indexB(counters)), dtype);
  };
  const probe = draft(ctx, undefined, undefined, p.recomputed);
  const layout = layoutOf(probe, right(probe));
  if (!layout) return undefined;
  const [M, N, K] = [size(p.m), size(p.n), size(p.k)];
  const known = { n: probe.fixed(N), k: probe.fixed(K), batch: probe.fixed(size(p.batch)) };
  const { block, slice, slices } = layout === 'rows' ? wholeRows : divide(ctx, rows, known);
  const inPlace = rowsInPlace(ctx, p);
  const a: Tensor | Scratch = inPlace?.from ?? { scratch: 'rows_a', dtype, length: panelLength(p, p.m, 1) };
  const partial: Scratch | undefined =
    slices === 1 ? undefined : { scratch: 'sums', dtype, length: elements([...p.batch, slices, ...p.m, ...p.n]) };

  let sum: LoopExpr = load('tile', v('slot'), dtype);
  const d = partial
    ? draft(ctx, undefined, undefined, p.recomputed)
    : draft(ctx, group, (x) => (x === t ? e.cast<LoadExpr>(sum, t.dtype) : undefined), p.recomputed);
  const { term, factor } = factorsOf(right(d));
  if (factor) sum = e.mul<LoadExpr>(sum, factor);
  const left = d.buffer(a, 'read');
  const outputs = partial
    ? [{ to: d.buffer(partial, 'write'), at: partialAt(p, slices, v('slice')), value: sum }]
    : outputsAt(d, group, p.indexOut(counters));

  const [batch, n0, k0] = [v('batch'), v('n0'), slices === 1 ? ix.int(0) : v('k0')];
  const width = atMost(block, N, n0, known.n);
  const inner = slices === 1 ? K : atMost(slice, K, k0, known.k);
  const rowOf = (row: number): LoopExpr =>
    d.fixed(M) !== undefined ? ix.int(row) : ix.min(ix.int(row), ix.sub(M, ix.int(1)));
  const startOf = (row: number): LoopExpr =>
    inPlace ? replace(inPlace.row, { m: rowOf(row), b: batch }) : ix.mul(ix.add(ix.mul(batch, M), rowOf(row)), K);
  const sums = (layout === 'rows' ? alongRows : downColumns)(ctx.target, {
    dtype,
    rows,
    block,
    width,
    inner,
    fixedInner: d.fixed(inner),
    left: (row, k) => e.cast<LoadExpr>(load(left, ix.add(startOf(row), ix.add(k0, k)), a.dtype), dtype),
    right: (column, k) => replace(term, { n: ix.add(n0, column), k: ix.add(k0, k), b: batch }),
  });
  const blocks = ix.ceilDiv(N, block);
  const each = ix.mul(blocks, ix.int(slices));
  const work = ix.add(ix.mul(K, ix.int(2)), ix.int(partial ? 0 : operations(outputs.map((o) => o.value))));
  const product = d.close(
    kernelName(partial ? 'short_sums' : 'short', ctx.fused, partial ? [t] : group.outputs),
    [
      loop('grid', 'g', ix.mul(size(p.batch), each), (g) => [
        { k: 'let', name: batch.name, value: ix.div(g, each) },
        { k: 'let', name: n0.name, value: ix.mul(ix.mod(ix.div(g, ix.int(slices)), blocks), ix.int(block)) },
        { k: 'let', name: local('slice'), value: ix.mod(g, ix.int(slices)) },
        { k: 'let', name: local('k0'), value: ix.mul(v('slice'), ix.int(slice)) },
        { k: 'alloc', name: 'tile', dtype, length: rows * block, memory: 'local' },
        ...sums,
        finish(
          M,
          width,
          (i, j) => ({ b: batch, m: i, n: ix.add(n0, j), slot: ix.add(ix.mul(i, ix.int(block)), j) }),
          outputs,
        ),
      ]),
    ],
    ix.mul(ix.product([size(p.batch), M, N]), work),
    {
      keep: readElsewhere([...outputs.map((o) => o.value), term], outputs[0]!.at).add(left),
      ...(partial && { computes: [] }),
    },
  );
  return [
    ...('scratch' in a ? [pack(ctx, p, 'a', 1, a)] : []),
    product,
    ...(partial ? [addUp(ctx, group, p, partial, slices)] : []),
  ];
}

/** Adds up the sums of all slices, in their order, and computes what follows. */
function addUp(ctx: ScheduleContext, group: Group, p: Product, partial: Scratch, slices: number): Scheduled {
  const t = group.members[0]!;
  const d = draft(ctx, group, (x) => (x === t ? e.cast<LoadExpr>(total(), t.dtype) : undefined));
  declare(d, p);
  const sums = d.buffer(partial, 'read');
  const total = (): LoopExpr =>
    Array.from({ length: slices }, (_, slice): LoopExpr =>
      load(sums, partialAt(p, slices, ix.int(slice)), partial.dtype),
    ).reduce((x, y) => e.add<LoadExpr>(x, y));
  const outputs = outputsAt(d, group, p.indexOut(counters));
  const N = size(p.n);
  const block = 256;
  const blocks = ix.ceilDiv(N, block);
  const [batch, n0] = [v('batch'), v('n0')];
  const width = atMost(block, N, n0, d.fixed(N));
  return d.close(
    kernelName('short', ctx.fused, group.outputs),
    [
      loop('grid', 'g', ix.mul(size(p.batch), blocks), (g) => [
        { k: 'let', name: batch.name, value: ix.div(g, blocks) },
        { k: 'let', name: n0.name, value: ix.mul(ix.mod(g, blocks), ix.int(block)) },
        finish(size(p.m), width, (i, j) => ({ b: batch, m: i, n: ix.add(n0, j) }), outputs),
      ]),
    ],
    ix.mul(ix.product([size(p.batch), size(p.m), N]), ix.int(operations(outputs.map((o) => o.value)))),
    {
      keep: readElsewhere(
        outputs.map((o) => o.value),
        outputs[0]!.at,
      ).add(sums),
    },
  );
}

/** How much of an axis is left from some place on, `most` of it. */
function atMost(most: number, axis: LoopExpr, from: LoopExpr, fixed: number | undefined): LoopExpr {
  return fixed !== undefined && fixed % most === 0 ? ix.int(most) : ix.min(ix.int(most), ix.sub(axis, from));
}

/** Where the sum of a slice is kept. */
function partialAt(p: Product, slices: number, slice: LoopExpr): LoopExpr {
  const row = ix.add(ix.mul(ix.add(ix.mul(counters.batch, ix.int(slices)), slice), size(p.m)), counters.m);
  return ix.add(ix.mul(row, size(p.n)), counters.n);
}

/** Stores what is computed from the sums of a block. */
function finish(
  rows: LoopExpr,
  width: LoopExpr,
  place: (i: LoopExpr, j: LoopExpr) => Readonly<Record<string, LoopExpr>>,
  outputs: readonly Output[],
): Stmt {
  return loop('serial', 'i', rows, (i) => [
    loop('vector', 'j', width, (j) => {
      const at = { slice: v('slice'), ...place(i, j) };
      return storeAll(outputs.map((o) => ({ to: o.to, at: replace(o.at, at), value: replace(o.value, at) })));
    }),
  ]);
}

/** The elements of some axes with the largest run-time sizes. */
function mostOf(axes: readonly Dim[], dims: DimRanges): number {
  const most = Object.fromEntries(Object.entries(dims).map(([name, { max }]) => [name, max]));
  return axes.reduce((product: number, d) => product * dimSize(d, most), 1);
}

/** Along which axis everything lies side by side that differs from one element of the right operand to the next. */
function layoutOf(d: Draft, operand: LoopExpr): 'rows' | 'columns' | undefined {
  let [rows, columns] = [true, true];
  eachOf([operand], (x) => {
    if (x.k !== 'load' || !dependsOn(x.at, counters.k.name) || !dependsOn(x.at, counters.n.name)) return;
    const isNext = (counter: 'k' | 'n'): boolean => {
      const by = d.low.simplify(ix.sub(replace(x.at, { [counter]: ix.add(v(counter), ix.int(1)) }), x.at));
      return by.k === 'const' && by.value === 1;
    };
    rows &&= isNext('k');
    columns &&= isNext('n');
  });
  return columns ? 'columns' : rows ? 'rows' : undefined;
}

/** A factor that all terms of a sum share is multiplied once, behind the sum: the scale of a column. */
function factorsOf(x: LoopExpr): { readonly term: LoopExpr; readonly factor?: LoopExpr } {
  if (x.k !== 'op' || x.op !== 'mul' || x.dtype !== 'f32') return { term: x };
  const [p, q] = x.args as [LoopExpr, LoopExpr];
  for (const [shared, other] of [[p, q] as const, [q, p] as const]) {
    if (dependsOn(shared, counters.k.name) || !dependsOn(other, counters.k.name)) continue;
    const { term, factor } = factorsOf(other);
    return { term, factor: factor ? e.mul<LoadExpr>(factor, shared) : shared };
  }
  return { term: x };
}

/** How the work is divided: into blocks of columns, and slices of the inner axis, whose sums a second kernel adds up. */
interface Division {
  readonly block: number;
  readonly slices: number;
  /** Positions on the inner axis in a slice, where there are several. */ readonly slice: number;
}

/** Rows of the right operand are long streams by themselves. */
const wholeRows: Division = { block: 32, slices: 1, slice: 0 };

/** Into how many parts a product is divided at least, for threads to share. It is the same for any number of them: so are the results. */
const parts = 12;

/**
 * Blocks of columns as wide as the nearest cache can hold the sums of: memory is read in long streams. Where that makes too few of
 * them, the inner axis is cut into slices.
 */
function divide(
  { target }: ScheduleContext,
  rows: number,
  {
    n,
    k,
    batch = 1,
  }: { readonly n?: number | undefined; readonly k?: number | undefined; readonly batch?: number | undefined },
): Division {
  const roundUp = (x: number, to: number): number => Math.max(1, Math.ceil(x / to)) * to;
  const most = Math.floor(target.cacheBytes[0]! / (64 * 4 * rows)) * 64;
  if (n === undefined) return { block: Math.min(most, 256), slices: 1, slice: 0 };
  const worthSlicing = k !== undefined && batch * n * k >= 1 << 17;
  const count = Math.max(Math.ceil(n / most), worthSlicing ? 1 : Math.ceil(parts / Math.max(1, batch)));
  const block = roundUp(n / count, 64);
  const blocks = batch * Math.ceil(n / block);
  if (!worthSlicing || blocks >= parts) return { block, slices: 1, slice: 0 };
  const slice = roundUp(k / Math.ceil(parts / blocks), 16);
  return { block, slices: Math.ceil(k / slice), slice };
}
