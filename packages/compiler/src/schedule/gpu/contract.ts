/**
 * The template of contractions. A workgroup takes a block of the result, each of its threads a register tile of it whose
 * rows and columns lie a workgroup apart, so that neighbours read and write neighbours. Operands are brought slab by slab into
 * shared memory, or read where they lie; either way their expressions are computed as they are read, so transposes, gathers
 * and dequantisation cost nothing extra. What follows is computed on the tile before it is stored. Where the result is small and the
 * inner axis long, the inner axis is cut over workgroups.
 */
import type { DType, Expr } from '@sinter/ir';
import { constantExpr, e, elements, flatIndex, isFloat } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import { decompose } from '../../loop/decompose.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { Target } from '../../target.ts';
import type { Draft, Output, ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import {
  draft,
  isStep,
  ix,
  kernelName,
  local,
  loop,
  operations,
  readElsewhere,
  replace,
  storeAll,
  v,
} from '../draft.ts';
import type { Product } from '../product.ts';
import { counters, declare, productOf, size } from '../product.ts';
import type { GpuTile } from '../tiles.ts';
import { gpuTile } from '../tiles.ts';
import { finishParts, isBindable, partialAt, partialsOf, scheduleReduction, worthCutting } from './reduce.ts';
import { accumulator, convert, sumsOf } from './sums.ts';
import { below, powerAbove, workgroups } from './workgroup.ts';

/** A thread's register tile, and a copy of it that any index may read. */
const [accName, tileName] = [local('acc'), local('tile')];
/** Rows or columns up to which a product is that of a matrix and some vectors: nothing is read twice, so tiles save nothing. */
const fewVectors = 2;
/** Terms up to which a sum is not worth a tile. */
const fewTerms = 4;

/** Schedules a contraction with the maps that follow it. */
export function scheduleContract(ctx: ScheduleContext, group: Group): Scheduled[] {
  const t = group.members[0]!;
  const p = productOf(t, ctx.fused.recomputed.get(t));
  const probe = draft(ctx, undefined, undefined, p.recomputed);
  declare(probe, p);
  const [m, n, k] = [probe.fixed(size(p.m)), probe.fixed(size(p.n)), probe.fixed(size(p.k))];
  const few = (x: number | undefined, most: number): boolean => x !== undefined && x <= most;
  if (few(m, fewVectors) || few(n, fewVectors) || few(k, fewTerms)) return vectors(ctx, group, p);
  const tile = fit(gpuTile(ctx, probe.fixed(elements(group.space) as LoopExpr)), m, n);
  const cuts = cutsFor(probe, p, tile, k);
  if (cuts < worthCutting) return [product(ctx, group, p, tile)];
  const sums = sumsOf([t]);
  const partials = partialsOf(group, sums, cuts);
  const cut = [product(ctx, group, p, tile, { cuts, to: partials[0]! }), finishParts(ctx, group, sums, partials, cuts)];
  return isBindable(ctx, cut) ? cut : [product(ctx, group, p, tile)];
}

/** A product with few rows or columns: every element is a sum by itself. */
function vectors(ctx: ScheduleContext, group: Group, p: Product): Scheduled[] {
  const t = group.members[0]!;
  const probe = draft(ctx, undefined, undefined, p.recomputed);
  declare(probe, p);
  const larger = (probe.fixed(size(p.m)) ?? Infinity) > (probe.fixed(size(p.n)) ?? Infinity) ? 'a' : 'b';
  const [operand, index] = larger === 'a' ? [p.a, p.indexA] : [p.b, p.indexB];
  return scheduleReduction(ctx, group, {
    kind: 'contract',
    of: [t],
    inner: p.k,
    neighbours: isStep(probe, probe.low.at(operand, index(counters)), 'k') ? 'parts' : 'results',
    recomputed: p.recomputed,
    terms: (d, at, inner) => {
      const [a, b] = p.operandsAt(at, inner);
      const dtype = accumulator(t.dtype);
      return [e.mul<LoadExpr>(convert(d.low.at(p.a, a), dtype), convert(d.low.at(p.b, b), dtype))];
    },
  });
}

/** A tile that is no larger than what it is to compute. */
function fit(tile: GpuTile, m: number | undefined, n: number | undefined): GpuTile {
  const side = (block: number, register: number, whole: number | undefined): { register: number; block: number } => {
    const least = Math.min(register, powerAbove(whole ?? Infinity));
    const threads = Math.min(block / register, powerAbove((whole ?? Infinity) / least));
    return { register: least, block: threads * least };
  };
  const [rows, columns] = [side(tile.mb, tile.mr, m), side(tile.nb, tile.nr, n)];
  return { ...tile, mr: rows.register, mb: rows.block, nr: columns.register, nb: columns.block };
}

/** Into how many parts the inner axis is cut. */
function cutsFor(d: Draft, p: Product, tile: GpuTile, k: number | undefined): number {
  const blocks = d.fixed(ix.product([size(p.batch), ix.ceilDiv(size(p.m), tile.mb), ix.ceilDiv(size(p.n), tile.nb)]));
  if (blocks === undefined || blocks === 0) return 1;
  const most = k === undefined ? 16 : Math.floor(k / (4 * Math.max(16, tile.kb)));
  return Math.min(Math.floor(tile.groups / blocks), most, 16);
}

/** One operand: where its values come from, and the side of the block that it spans. */
interface Side {
  readonly value: LoopExpr;
  /** Its counter, and how far that goes. */ readonly axis: 'm' | 'n';
  readonly length: LoopExpr;
  /** The first row or column of the block, and how many. */ readonly first: LoopExpr;
  readonly block: number;
  /** The position of the thread on this side, the number of threads, and what each has. */
  readonly thread: LoopExpr;
  readonly threads: number;
  readonly each: number;
}

/** A row or column of a thread's register tile. */
const own = (s: Side, i: number | LoopExpr): LoopExpr =>
  ix.add(s.first, ix.add(s.thread, ix.mul(typeof i === 'number' ? ix.int(i) : i, ix.int(s.threads))));
/** The same, or the last one that there is. */
const clamped = (x: LoopExpr, s: Side): LoopExpr => ix.min(x, ix.sub(s.length, ix.int(1)));
const lastOfInner = (p: Product): LoopExpr => ix.sub(size(p.k), ix.int(1));

/** The kernel: the whole product with what follows it, or with `parts` the products of parts of the inner axis. */
function product(
  ctx: ScheduleContext,
  group: Group,
  p: Product,
  tile: GpuTile,
  parts?: { readonly cuts: number; readonly to: Scratch },
): Scheduled {
  const t = group.members[0]!;
  const dtype = accumulator(t.dtype);
  const cuts = parts?.cuts ?? 1;
  const element = v('element', dtype);
  const d = draft(ctx, group, (x) => (x === t ? convert(element, t.dtype) : undefined), p.recomputed);
  declare(d, p);
  const valueA = convert(d.low.at(p.a, p.indexA(counters)), dtype);
  const valueB = convert(d.low.at(p.b, p.indexB(counters)), dtype);
  const { outputs, values, position } = parts ? partOutput(d, group, p, parts.to, element) : outputsOf(d, group, p);

  const [tm, tn] = [tile.mb / tile.mr, tile.nb / tile.nr];
  const a: Side = {
    value: valueA,
    axis: 'm',
    length: size(p.m),
    first: v('row'),
    block: tile.mb,
    thread: v('ty'),
    threads: tm,
    each: tile.mr,
  };
  const b: Side = {
    value: valueB,
    axis: 'n',
    length: size(p.n),
    first: v('column'),
    block: tile.nb,
    thread: v('tx'),
    threads: tn,
    each: tile.nr,
  };
  const [mBlocks, nBlocks] = [ix.ceilDiv(a.length, tile.mb), ix.ceilDiv(b.length, tile.nb)];
  const blocks = ix.mul(mBlocks, nBlocks);
  const g = v('g');
  const each = ix.ceilDiv(ix.ceilDiv(size(p.k), cuts), tile.kb);
  const first = ix.mul(v('cut'), ix.mul(each, ix.int(tile.kb)));
  const where: Stmt[] = [
    { k: 'let', name: local('b'), value: ix.div(g, ix.mul(blocks, ix.int(cuts))) },
    ...(cuts === 1 ? [] : [{ k: 'let', name: local('cut'), value: ix.mod(ix.div(g, blocks), ix.int(cuts)) } as const]),
    { k: 'let', name: local('row'), value: ix.mul(ix.mod(ix.div(g, nBlocks), mBlocks), ix.int(tile.mb)) },
    { k: 'let', name: local('column'), value: ix.mul(ix.mod(g, nBlocks), ix.int(tile.nb)) },
    { k: 'let', name: local('ty'), value: ix.div(v('l'), ix.int(tn)) },
    { k: 'let', name: local('tx'), value: ix.mod(v('l'), ix.int(tn)) },
    { k: 'let', name: local('first'), value: cuts === 1 ? ix.int(0) : first },
    {
      k: 'let',
      name: local('end'),
      value: cuts === 1 ? size(p.k) : ix.min(size(p.k), ix.add(v('first'), ix.mul(each, ix.int(tile.kb)))),
    },
  ];
  const zero = constantExpr(0, dtype);
  const slots = tile.mr * tile.nr;
  const acc: Stmt[] = [
    { k: 'alloc', name: accName, dtype, length: slots, memory: 'register' },
    loop('unroll', 'i', ix.int(slots), (i) => [store(accName, i, zero)]),
  ];
  const { body, shared } = tile.shared ? fromShared(d, p, a, b, tile, dtype) : fromBuffers(a, b, dtype);
  const whole = ix.product([size(p.batch), a.length, b.length]);
  const work = parts ? ix.mul(size(p.k), ix.int(2)) : ix.add(ix.mul(size(p.k), ix.int(2)), ix.int(operations(values)));
  return d.close(
    `${kernelName('contract', ctx.fused, parts ? [t] : group.outputs)}${parts ? '_parts' : ''}`,
    [
      workgroups(
        ix.product([size(p.batch), ix.int(cuts), blocks]),
        tm * tn,
        [...where, ...acc, ...body, ...finish(d, ctx.target, a, b, outputs, dtype)],
        shared,
      ),
    ],
    ix.mul(whole, work),
    // Threads at the edge read the last row or column, whoever may write there.
    parts
      ? { computes: [] }
      : { keep: new Set([...readElsewhere(values, position), ...readElsewhere([valueA, valueB], ix.int(-1))]) },
  );
}

interface Outputs {
  readonly outputs: readonly Output[];
  readonly values: readonly LoopExpr[];
  readonly position: LoopExpr;
}
function outputsOf(d: Draft, group: Group, p: Product): Outputs {
  const place = p.indexOut(counters);
  const values = group.outputs.map((x) => d.low.at(x, place));
  const position = d.low.simplify(flatIndex(group.space, place as readonly Expr[]));
  return {
    values,
    position,
    outputs: group.outputs.map((x, i) => ({ to: d.buffer(x, 'write'), at: position, value: values[i]! })),
  };
}
function partOutput(d: Draft, group: Group, p: Product, to: Scratch, value: LoopExpr): Outputs {
  const position = d.low.simplify(flatIndex(group.space, p.indexOut(counters) as readonly Expr[]));
  const at = partialAt(elements(group.space) as LoopExpr, v('cut'), position);
  return { outputs: [{ to: d.buffer(to, 'write'), at, value }], values: [], position };
}

const multiply = (dtype: DType, x: LoopExpr, y: LoopExpr, sum: LoopExpr): LoopExpr =>
  isFloat(dtype) ? e.fma<LoadExpr>(x, y, sum) : e.add<LoadExpr>(e.mul<LoadExpr>(x, y), sum);

/** Adds the products of a thread's rows and columns to its tile. */
function outer(
  a: Side,
  b: Side,
  dtype: DType,
  left: (i: LoopExpr) => LoopExpr,
  right: (j: LoopExpr) => LoopExpr,
): Stmt {
  return loop('unroll', 'i', ix.int(a.each), (i) => [
    loop('unroll', 'j', ix.int(b.each), (j) => {
      const slot = ix.add(ix.mul(i, ix.int(b.each)), j);
      return [store(accName, slot, multiply(dtype, left(i), right(j), load(accName, slot, dtype)))];
    }),
  ]);
}

interface Multiplication {
  readonly body: readonly Stmt[];
  readonly shared: readonly Stmt[];
}

/** Slabs of `kb` along the inner axis, brought to shared memory by all threads together. */
function fromShared(d: Draft, p: Product, a: Side, b: Side, tile: GpuTile, dtype: DType): Multiplication {
  const threads = a.threads * b.threads;
  const fixedK = d.fixed(size(p.k));
  const bring = (s: Side, to: string): { readonly stmt: Stmt; readonly pitch: number } => {
    const along = isStep(d, s.value, 'k');
    // Threads that are neighbours along the inner axis write a row apart: an odd pitch keeps them off each other's banks.
    const pitch = s.block + (along ? 1 : 0);
    const count = s.block * tile.kb;
    const x = v('x');
    const [inner, across] = along
      ? [ix.mod(x, ix.int(tile.kb)), ix.div(x, ix.int(tile.kb))]
      : [ix.div(x, ix.int(s.block)), ix.mod(x, ix.int(s.block))];
    const k = ix.add(v('slab'), inner);
    const even = fixedK !== undefined && fixedK % tile.kb === 0;
    const fits = (d.fixed(s.length) ?? 1) % s.block === 0;
    const at = ix.add(s.first, across);
    const put: Stmt[] = [
      { k: 'let', name: local(s.axis), value: fits ? at : clamped(at, s) },
      { k: 'let', name: local('k'), value: even ? k : ix.min(k, lastOfInner(p)) },
      store(
        to,
        ix.add(ix.mul(inner, ix.int(pitch)), across),
        even ? s.value : e.select<LoadExpr>(ix.lt(k, v('end')), s.value, constantExpr(0, dtype)),
      ),
    ];
    const guarded = count % threads === 0 ? put : [below(x, ix.int(count), put)];
    const stmt = loop('serial', 'i', ix.int(Math.ceil(count / threads)), (i) => [
      { k: 'let', name: local('x'), value: ix.add(ix.mul(i, ix.int(threads)), v('l')) },
      ...guarded,
    ]);
    return { stmt, pitch };
  };
  const [left, right] = [bring(a, local('a_slab')), bring(b, local('b_slab'))];
  const at = (k: LoopExpr, pitch: number, s: Side, i: LoopExpr): LoopExpr =>
    ix.add(ix.mul(k, ix.int(pitch)), ix.add(s.thread, ix.mul(i, ix.int(s.threads))));
  const shared = (name: string, pitch: number): Stmt => ({
    k: 'alloc',
    name,
    dtype,
    length: pitch * tile.kb,
    memory: 'shared',
  });
  return {
    shared: [shared(local('a_slab'), left.pitch), shared(local('b_slab'), right.pitch)],
    body: [
      loop('serial', 'step', ix.ceilDiv(ix.sub(v('end'), v('first')), tile.kb), (step) => [
        { k: 'let', name: local('slab'), value: ix.add(v('first'), ix.mul(step, ix.int(tile.kb))) },
        left.stmt,
        right.stmt,
        { k: 'barrier' },
        loop('serial', 'q', ix.int(tile.kb), (q) => [
          outer(
            a,
            b,
            dtype,
            (i) => load(local('a_slab'), at(q, left.pitch, a, i), dtype),
            (j) => load(local('b_slab'), at(q, right.pitch, b, j), dtype),
          ),
        ]),
        { k: 'barrier' },
      ]),
    ],
  };
}

/** Every thread reads what its own tile needs. */
function fromBuffers(a: Side, b: Side, dtype: DType): Multiplication {
  const values = (s: Side, name: string): Stmt[] => [
    { k: 'alloc', name, dtype, length: s.each, memory: 'register' },
    loop('unroll', 'i', ix.int(s.each), (i) => [store(name, i, replace(s.value, { [s.axis]: clamped(own(s, i), s) }))]),
  ];
  return {
    shared: [],
    body: [
      loop('serial', 'step', ix.sub(v('end'), v('first')), (step) => [
        { k: 'let', name: local('k'), value: ix.add(v('first'), step) },
        ...values(a, local('left')),
        ...values(b, local('right')),
        outer(
          a,
          b,
          dtype,
          (i) => load(local('left'), i, dtype),
          (j) => load(local('right'), j, dtype),
        ),
      ]),
    ],
  };
}

/** Operations up to which what follows is written out for every element of the tile. */
const shortEpilogue = 12;

/** Computes and stores what follows, for the elements of the tile that exist. */
function finish(d: Draft, { spells }: Target, a: Side, b: Side, outputs: readonly Output[], dtype: DType): Stmt[] {
  const slots = a.each * b.each;
  const long = operations(outputs.map((o) => decompose(o.value, spells))) > shortEpilogue && slots > 4;
  const kind = long ? 'serial' : 'unroll';
  const from = long ? tileName : accName;
  const fits = (s: Side): boolean => (d.fixed(s.length) ?? 1) % s.block === 0;
  const put = (i: LoopExpr, j: LoopExpr): Stmt[] => [
    { k: 'let', name: local('element'), value: load(from, ix.add(ix.mul(i, ix.int(b.each)), j), dtype) },
    ...storeAll(outputs),
  ];
  const guard = (s: Side, body: readonly Stmt[]): readonly Stmt[] =>
    fits(s) ? body : [below(v(s.axis), s.length, body)];
  const loops = loop(kind, 'i', ix.int(a.each), (i) => [
    { k: 'let', name: local('m'), value: own(a, i) },
    ...guard(a, [
      loop(kind, 'j', ix.int(b.each), (j) => [
        { k: 'let', name: local('n'), value: own(b, j) },
        ...guard(b, put(i, j)),
      ]),
    ]),
  ]);
  if (!long) return [loops];
  // A long text once, in loops over a copy of the tile that any index may read.
  return [
    { k: 'alloc', name: tileName, dtype, length: slots, memory: 'local' },
    loop('unroll', 'i', ix.int(slots), (i) => [store(tileName, i, load(accName, i, dtype))]),
    loops,
  ];
}
