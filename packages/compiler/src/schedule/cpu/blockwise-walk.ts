/**
 * The template of contractions that read scores which are never stored, one or several in a walk. Forward: scores of a block become exponentials
 * relative to the largest score of their row so far; sums and products are scaled down where that grows (Milakov and Gimelshein 2018; Rabe and
 * Staats 2021; Dao et al. 2022). Backward: all gradients share the scores of a block, and add up in memory of the
 * thread, or, where their rows are the columns of the walk, in a buffer (Dao 2023).
 */
import type { Expr, Tensor } from '@sinter/ir';
import { constantExpr, e, flatIndex } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { Softmax } from '../../fuse/walk.ts';
import { axesReadBy, factorRows, factorsOf, isFlipped, partsOf, softmaxIn, weightOf } from '../../fuse/walk.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Draft, ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, replace, storeAll, v } from '../draft.ts';
import type { Product } from '../product.ts';
import { productOf, size } from '../product.ts';
import { matrixReadBy } from '../transient.ts';
import type { Block } from './blockwise.ts';
import { alloc, blockOf, overColumns, overRows, overTiles, registerTile, scoresIn } from './blockwise.ts';
import { possible } from './corner.ts';
import { pack, panelLength } from './pack.ts';
import { exponentials, startSoftmax } from './softmax.ts';

/** A contraction of a walk. */
interface Part {
  readonly t: Tensor;
  readonly p: Product;
  /** Whether its rows are the columns of the walk. */
  readonly flipped: boolean;
  /** What is multiplied, and what each row of the result is multiplied with afterwards. */
  readonly weight: Tensor;
  readonly after: readonly Tensor[];
  readonly right: Scratch;
  /** Where it adds up (memory of the thread, or a buffer), and how wide a row is there: whole tiles. */
  readonly sums: string | Scratch;
  readonly span: number;
  readonly outputs: readonly Tensor[];
}

/** Schedules contractions whose left operands are made of scores, and the softmax of their rows if it is made in the same walk. */
export function scheduleWalk(ctx: ScheduleContext, group: Group): Scheduled[] {
  const groups = partsOf(group);
  const softmax = groups.map(softmaxIn).find((s) => s !== undefined);
  const block = blockOf(ctx);
  const probe = draft(ctx, undefined);
  const contractions = groups.filter((g) => g.kind === 'contract');
  const axes = contractions.map((g) => axesReadBy(g.members[0]!));
  const agreeing = axes.map((a) => axes.filter((b) => !isFlipped(a, b)).length);
  const main = agreeing.indexOf(Math.max(...agreeing));
  const parts = contractions.map((g, i): Part => {
    const t = g.members[0]!;
    const p = productOf(t, ctx.fused.recomputed.get(t));
    const flipped = isFlipped(axes[i]!, axes[main]!);
    const span = Math.ceil(probe.fixed(size(p.n))! / block.nr) * block.nr;
    const { inner, rows } = softmax ? factorRows(weightOf(t)) : { inner: weightOf(t), rows: [] };
    return {
      t,
      p,
      flipped,
      weight: inner,
      after: rows,
      right: { scratch: 'packed_b', dtype: t.dtype, length: panelLength(p, p.n, block.nr) },
      sums: flipped ? sumsBuffer(p, t, block, span) : `sums${i}`,
      span,
      outputs: g.members.filter((x) => group.outputs.includes(x)),
    };
  });
  const matrix = matrixReadBy(parts[main]!.p);
  const [batch, M, N] = [size(matrix.batch), size(matrix.m), size(matrix.n)];
  const scores = scoresIn(ctx, group, matrix, block);
  const recomputed = new Set(parts.flatMap(({ p }) => [...(p.recomputed ?? [])]));

  const nameOf = ({ sums }: Part): string => (typeof sums === 'string' ? sums : d.buffer(sums, 'update'));
  const sumOf = (part: Part): LoopExpr => {
    const sum = load(nameOf(part), v('slot'), part.t.dtype);
    return part.after.length === 0 ? sum : e.mul<LoadExpr>(sum, v('after', 'f32'));
  };
  const d: Draft = draft(
    ctx,
    group,
    (x) => {
      const part = parts.find(({ t }) => t === x);
      if (part) return sumOf(part);
      if (x === softmax?.top) return load('top', v('i'), 'f32');
      if (x === softmax?.sum) return load('sum', v('i'), 'f32');
      if (x === softmax?.exponential) return load('scores0', v('slot'), 'f32');
      return scores.held(x);
    },
    recomputed,
  );
  d.low.counter(local('b'), batch);
  d.low.counter(local('m'), M);
  d.low.counter(local('n'), N);
  const place = matrix.index({ batch: v('b'), m: v('m'), n: v('n') });
  const row = place.slice(0, -1);
  const weights = [...new Set(parts.map((p) => p.weight))];
  const values = new Map(weights.map((w) => [w, d.low.at(w, place)]));
  const exponent = softmax ? d.low.at(softmax.exponent, place) : undefined;
  const tiles = tilesOf(weights, softmax, scores.count);

  const { allocs, block: scoreTiles } = scores.bind(d);
  const flippedParts = parts.filter((p) => p.flipped);
  const straight = parts.filter((p) => !p.flipped);
  /** Rows of a buffer of sums: those of the last block exist all. */
  const paddedN = ix.mul(ix.ceilDiv(N, block.columns), ix.int(block.columns));
  // ---- what a block of scores becomes
  const eachRow = (body: (i: LoopExpr) => readonly Stmt[]): Stmt => loop('serial', 'i', v('height'), (i) => body(i));
  const at = (i: LoopExpr, j: LoopExpr): Record<string, LoopExpr> => ({
    i,
    b: v('batch'),
    m: ix.add(v('m0'), i),
    n: ix.add(v('n0'), j),
    slot: ix.add(ix.mul(i, ix.int(block.columns)), j),
  });
  const computed = weights.filter((w) => w !== softmax?.exponential);
  const weigh = eachRow((i) => [
    ...(exponent
      ? exponentials(ctx, block, {
          row: i,
          width: v('width'),
          value: (j) => replace(exponent, at(i, j)),
          rescale: (scale) =>
            straight.map((part) =>
              loop('vector', 'j', ix.int(part.span), (j) => {
                const slot = ix.add(ix.mul(i, ix.int(part.span)), j);
                return [store(nameOf(part), slot, e.mul<LoadExpr>(load(nameOf(part), slot, 'f32'), scale))];
              }),
            ),
        })
      : []),
    ...(computed.length === 0
      ? []
      : [
          loop('vector', 'j', v('width'), (j) => {
            const here = at(i, j);
            return storeAll(
              computed.map((w) => ({ to: tiles.get(w)!, at: here['slot']!, value: replace(values.get(w)!, here) })),
            );
          }),
        ]),
  ]);
  const multiply = parts.map((part): Stmt => {
    const b = d.buffer(part.right, 'read');
    const tile = tiles.get(part.weight)!;
    const panels = ix.int(part.span / block.nr);
    const [inner, first] = part.flipped ? [M, v('m0')] : [N, v('n0')];
    const base = ix.add(ix.mul(ix.add(ix.mul(v('batch'), panels), v('jt')), inner), first);
    const depth = part.flipped ? v('height') : v('width');
    const [mr, columns] = [ix.int(block.mr), ix.int(block.columns)];
    const corner = ix.mul(v('it'), part.flipped ? mr : ix.mul(mr, columns));
    return overTiles(ix.ceilDiv(part.flipped ? v('width') : v('height'), block.mr), panels, [
      { k: 'let', name: local('base_b'), value: ix.mul(base, ix.int(block.nr)) },
      { k: 'let', name: local('base_a'), value: corner },
      ...registerTile(block, part.t, {
        depth,
        left: (i, k) => {
          const [y, x] = part.flipped ? [k, i] : [i, k];
          return load(tile, ix.add(v('base_a'), ix.add(ix.mul(y, columns), x)), part.t.dtype);
        },
        right: (k, j) => load(b, ix.add(v('base_b'), ix.add(ix.mul(k, ix.int(block.nr)), j)), part.t.dtype),
        result: {
          name: nameOf(part),
          width: part.span,
          addsUp: true,
          ...(part.flipped && { base: ix.mul(ix.add(ix.mul(v('batch'), paddedN), v('n0')), ix.int(part.span)) }),
        },
      }),
    ]);
  });
  const needed = maskOf(d, parts, softmax, place);
  const walk = [...scoreTiles, weigh, ...multiply];
  const columns = overColumns(N, block, needed ? [{ k: 'if', when: needed, body: walk }] : walk);

  // ---- what is stored
  const finish = parts.map((part, i) => finishPart(d, part, i, { row, paddedN }));
  const rowStores = groups
    .filter((g) => g.kind === 'row')
    .flatMap((g) => g.members.filter((t) => group.outputs.includes(t)))
    .map((t) => {
      const index = t.shape.length > row.length ? [...row, ix.int(0)] : row;
      return { t, at: d.low.simplify(flatIndex(t.shape, index as readonly Expr[])), value: d.low.at(t, index) };
    })
    .map((o) => ({ ...o, to: d.buffer(o.t, 'write') }));
  const clear = (name: string, length: LoopExpr, from: LoopExpr): Stmt =>
    loop('vector', 'j', length, (j) => [store(name, ix.add(from, j), constantExpr(0, 'f32'))]);
  const startRows: Stmt[] = [
    ...straight.map((p) => clear(nameOf(p), ix.int(block.rows * p.span), ix.int(0))),
    ...(softmax ? [startSoftmax(block)] : []),
  ];
  const finishRows = [
    ...(rowStores.length > 0
      ? [eachRow((i) => storeAll(rowStores.map((o) => ({ ...o, at: replace(o.at, at(i, ix.int(0))), value: replace(o.value, at(i, ix.int(0))) }))))] // prettier-ignore
      : []),
    ...straight.map((p) => finish[parts.indexOf(p)]!),
  ];
  const memory: Stmt[] = [
    ...allocs,
    ...[...new Set(tiles.values())]
      .filter((name) => !name.startsWith('scores'))
      .map((name) => alloc(name, { dtype: 'f32' }, block.rows * block.columns)),
    ...straight.map((p) => alloc(nameOf(p), p.t, block.rows * p.span)),
    ...(softmax ? [alloc('top', { dtype: 'f32' }, block.rows), alloc('sum', { dtype: 'f32' }, block.rows)] : []),
  ];
  const body = [...startRows, columns, ...finishRows];
  const grid =
    flippedParts.length === 0
      ? overRows(batch, M, block, [...memory, ...body])
      : loop('grid', 'g', batch, (g) => [
          { k: 'let', name: local('batch'), value: g },
          ...memory,
          ...flippedParts.map((p) => {
            const length = ix.mul(paddedN, ix.int(p.span));
            return clear(nameOf(p), length, ix.mul(v('batch'), length));
          }),
          loop('serial', 'mb', ix.ceilDiv(M, block.rows), (mb) => [
            { k: 'let', name: local('m0'), value: ix.mul(mb, ix.int(block.rows)) },
            { k: 'let', name: local('height'), value: ix.min(ix.int(block.rows), ix.sub(M, v('m0'))) },
            ...body,
          ]),
          ...flippedParts.map((p) => finish[parts.indexOf(p)]!),
        ]);
  const work =
    scores.work +
    operations([...values.values(), ...(exponent ? [exponent] : [])]) +
    parts.reduce((sum, { span }) => sum + 2 * span, 0);
  return [
    ...scores.packs,
    ...parts.map(({ p, right }) => pack(ctx, p, 'b', block.nr, right)),
    d.close(kernelName('blockwise', ctx.fused, group.outputs), [grid], ix.mul(ix.product([batch, M, N]), ix.int(work))),
  ];
}

/** The local matrix of each weight: scores become weights where they are, as far as there are enough of them. */
function tilesOf(weights: readonly Tensor[], softmax: Softmax | undefined, count: number): Map<Tensor, string> {
  const alone = weights.length === 1;
  return new Map(
    weights.map((w, i) => {
      if (softmax) return [w, w === softmax.exponential || alone ? 'scores0' : `weights${i}`];
      return [w, i < count ? `scores${i}` : `weights${i}`];
    }),
  );
}

/** Whether some score of a block is more than −∞ for sure unless this is false: a causal mask hides whole blocks. */
function maskOf(
  d: Draft,
  parts: readonly Part[],
  softmax: Softmax | undefined,
  place: readonly LoopExpr[],
): LoopExpr | undefined {
  const exponents = parts.map(({ weight }) => {
    if (softmax) return softmax.exponent;
    const factor = factorsOf(weight).find((x) => x.op.name === 'exp' && x.inputs[0]!.op.name === 'sub');
    return factor?.inputs[0]!.inputs[0];
  });
  const [first] = exponents;
  if (!first || exponents.some((x) => x !== first)) return undefined;
  const end = (from: string, length: string): LoopExpr => ix.sub(ix.add(v(from), v(length)), ix.int(1));
  return possible(d.low, d.low.at(first, place), {
    m: [v('m0'), end('m0', 'height')],
    n: [v('n0'), end('n0', 'width')],
    b: [v('batch'), v('batch')],
  });
}

/** Stores what is made of the sums of a contraction. */
function finishPart(
  d: Draft,
  { t, p, after, span, flipped, outputs }: Part,
  i: number,
  { row, paddedN }: { readonly row: readonly LoopExpr[]; readonly paddedN: LoopExpr },
): Stmt {
  const column = v(`d${i}`);
  d.low.counter(column.name, size(p.n));
  const place = p.indexOut({ batch: v('b'), m: flipped ? v('n') : v('m'), n: column, k: ix.int(0) });
  const position = d.low.simplify(flatIndex(t.shape, place as readonly Expr[]));
  const values = outputs.map((x) => d.low.at(x, place));
  const times = after.map((x) => d.low.at(x, x.shape.length === 0 ? [] : [...row, ix.int(0)]));
  const targets = outputs.map((x) => d.buffer(x, 'write'));
  const [count, first] = flipped ? [size(p.m), ix.int(0)] : [v('height'), v('m0')];
  const begin = flipped ? ix.mul(ix.mul(v('batch'), paddedN), ix.int(span)) : ix.int(0);
  return loop('serial', 'i', count, (r) => {
    const own = { i: r, b: v('batch'), [flipped ? 'n' : 'm']: ix.add(first, r) };
    const product = times.map((x) => replace(x, own)).reduce((a, b) => e.mul<LoadExpr>(a, b), constantExpr(1, 'f32') as LoopExpr); // prettier-ignore
    return [
      ...(after.length > 0 ? [{ k: 'let', name: local('after'), value: product } satisfies Stmt] : []),
      loop('vector', 'j', size(p.n), (j) => {
        const here = { ...own, [`d${i}`]: j, slot: ix.add(begin, ix.add(ix.mul(r, ix.int(span)), j)) };
        return storeAll(
          outputs.map((_, o) => ({ to: targets[o]!, at: replace(position, here), value: replace(values[o]!, here) })),
        );
      }),
    ];
  });
}

/** Where a contraction adds up whose rows are the columns of the walk: the rows of the last block exist all. */
function sumsBuffer(p: Product, { dtype }: Tensor, block: Block, span: number): Scratch {
  const rows = ix.mul(ix.ceilDiv(size(p.m), block.columns), ix.int(block.columns));
  return { scratch: 'sums', dtype, length: ix.product([size(p.batch), rows, ix.int(span)]) as Expr };
}
