/**
 * The template of contractions: the right operand packed into panels of `nr` columns, the left one read in place where its rows
 * are contiguous and packed into panels of a few tiles where not; a register tile per step; what follows is computed on the
 * tile before it is stored. Packing takes any expression of the operand: transposes and gathers cost nothing extra.
 */
import type { Dim, Expr, Tensor } from '@sinter/ir';
import { e, flatIndex, isFloat } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import { isData } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import {
  dependsOn,
  draft,
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
import { cpuTile } from '../tiles.ts';

/** Packs one operand: `[batch, panel, k, width]`, the last panel filled up with copies of the last row or column. */
function pack(ctx: ScheduleContext, p: Product, side: 'a' | 'b', width: number, target: Scratch): Scheduled {
  const d = draft(ctx, undefined, undefined, p.recomputed);
  declare(d, p);
  const [t, index, axis, name] =
    side === 'a' ? ([p.a, p.indexA, size(p.m), 'm'] as const) : ([p.b, p.indexB, size(p.n), 'n'] as const);
  const value = d.low.at(t, index(counters));
  const out = d.buffer(target, 'write');
  const panels = ix.ceilDiv(axis, width);
  const [panel, first] = [ix.mod(v('g'), panels), v('first')];
  const at = (k: LoopExpr, i: LoopExpr): LoopExpr =>
    ix.add(ix.mul(ix.add(ix.mul(v('g'), size(p.k)), k), ix.int(width)), i);
  const put = (k: LoopExpr, i: LoopExpr, row: LoopExpr): Stmt =>
    store(out, at(k, i), replace(value, { [name]: row, k, b: v('batch') }));
  const whole = loop('serial', 'k', size(p.k), (k) => [
    loop('vector', 'i', ix.int(width), (i) => [put(k, i, ix.add(first, i))]),
  ]);
  const rest = loop('serial', 'k', size(p.k), (k) => [
    loop('serial', 'i', ix.int(width), (i) => [put(k, i, ix.min(ix.add(first, i), ix.sub(axis, ix.int(1))))]),
  ]);
  const fixed = d.fixed(axis);
  const full = e.le<LoadExpr>(ix.add(first, ix.int(width)), axis);
  const body: Stmt[] =
    fixed !== undefined && fixed % width === 0
      ? [whole]
      : [
          { k: 'if', when: full, body: [whole] },
          { k: 'if', when: e.not<LoadExpr>(full), body: [rest] },
        ];
  return d.close(
    kernelName(`pack_${side}`, ctx.fused, []),
    [
      loop('grid', 'g', ix.mul(size(p.batch), panels), (g) => [
        { k: 'let', name: local('batch'), value: ix.div(g, panels) },
        { k: 'let', name: local('first'), value: ix.mul(panel, ix.int(width)) },
        ...body,
      ]),
    ],
    ix.mul(ix.product([size(p.batch), axis, size(p.k)]), ix.int(operations([value]))),
    { computes: [] },
  );
}

/** Where the rows of the left operand lie, if they can be read in place: contiguous along `k`, with nothing to compute. */
function rowsInPlace(ctx: ScheduleContext, p: Product): { readonly from: Tensor; readonly row: LoopExpr } | undefined {
  const d = draft(ctx, undefined, undefined, p.recomputed);
  declare(d, p);
  const value = d.low.at(p.a, p.indexA(counters));
  if (value.k !== 'load') return undefined;
  let from = p.a;
  while (from.op.kind === 'view' && !ctx.fused.stored.has(from)) from = from.inputs[0]!;
  if (!isData(from) && !ctx.fused.stored.has(from)) return undefined;
  const row = d.low.simplify(replace(value.at, { k: ix.int(0) }));
  const step = d.low.simplify(ix.sub(value.at, row));
  if (step !== d.low.simplify(counters.k) && d.fixed(size(p.k)) !== 1) return undefined;
  if (dependsOn(row, local('k'))) return undefined;
  return { from, row };
}

/** Schedules a contraction with the maps that follow it: up to two packing kernels, then the product. */
export function scheduleContract(ctx: ScheduleContext, group: Group): Scheduled[] {
  const t = group.members[0]!;
  const p = productOf(t, ctx.fused.recomputed.get(t));
  const tile = cpuTile(ctx);
  const probe = draft(ctx, undefined);
  const fixedM = probe.fixed(size(p.m));
  const fixedN = probe.fixed(size(p.n));
  const fixedK = probe.fixed(size(p.k));
  const mr = fixedM === undefined ? tile.mr : Math.min(tile.mr, fixedM);
  const nr = fixedN !== undefined && fixedN <= 4 ? 4 : tile.nr;
  const panelLength = (dims: readonly Dim[], width: number): Expr =>
    e.mul(
      e.mul(ix.ceilDiv(size(dims), width) as Expr, e.mul(size(p.batch) as Expr, size(p.k) as Expr)),
      ix.int(width) as Expr,
    );
  const packedB: Scratch = { scratch: 'packed_b', dtype: t.dtype, length: panelLength(p.n, nr) };
  const out: Scheduled[] = [pack(ctx, p, 'b', nr, packedB)];
  const inPlace = rowsInPlace(ctx, p);
  // Panels of several tiles: they are packed as whole vectors, and each tile reads its rows of them.
  const pr = 4 * mr;
  const packedA: Scratch = { scratch: 'packed_a', dtype: t.dtype, length: panelLength(p.m, pr) };
  if (!inPlace) out.push(pack(ctx, p, 'a', pr, packedA));

  const d = draft(ctx, group, (x) => (x === t ? load('tile', v('slot'), t.dtype) : undefined));
  declare(d, p);
  const a = d.buffer(inPlace ? inPlace.from : packedA, 'read');
  const b = d.buffer(packedB, 'read');
  const place = p.indexOut(counters);
  const values = group.outputs.map((x) => d.low.at(x, place));
  const position = d.low.simplify(flatIndex(t.shape, place as readonly Expr[]));
  const targets = group.outputs.map((x) => d.buffer(x, 'write'));

  const [M, N, K] = [size(p.m), size(p.n), size(p.k)];
  const mb = Math.ceil(tile.mb / mr) * mr;
  const nb = Math.ceil(tile.nb / nr) * nr;
  const [mBlocks, nBlocks] = [ix.ceilDiv(M, mb), ix.ceilDiv(N, nb)];
  const [g, batch, m0, n0] = [v('g'), v('batch'), v('m0'), v('n0')];
  const rowTiles = ix.ceilDiv(ix.min(ix.int(mb), ix.sub(M, m0)), mr);
  const panels = ix.ceilDiv(ix.min(ix.int(nb), ix.sub(N, n0)), nr);

  const multiply = (row: LoopExpr, panel: LoopExpr): Stmt[] => {
    const panelsAll = ix.ceilDiv(N, nr);
    const baseB = ix.mul(ix.mul(ix.add(ix.mul(batch, panelsAll), panel), K), ix.int(nr));
    const baseA = ix.add(
      ix.mul(ix.mul(ix.add(ix.mul(batch, ix.ceilDiv(M, pr)), ix.div(row, ix.int(pr))), K), ix.int(pr)),
      ix.mod(row, ix.int(pr)),
    );
    const step = (k: LoopExpr): Stmt =>
      loop('unroll', 'i', ix.int(mr), (i) => [
        loop('vector', 'j', ix.int(nr), (j) => {
          const slot = ix.add(ix.mul(i, ix.int(nr)), j);
          const left = inPlace
            ? load(a, ix.add(load('rows', i, 'i32'), k), t.dtype)
            : load(a, ix.add(v('base_a'), ix.add(ix.mul(k, ix.int(pr)), i)), t.dtype);
          const right = load(b, ix.add(v('base_b'), ix.add(ix.mul(k, ix.int(nr)), j)), t.dtype);
          const sum = load('acc', slot, t.dtype);
          return [
            store(
              'acc',
              slot,
              isFloat(t.dtype) ? e.fma<LoadExpr>(left, right, sum) : e.add<LoadExpr>(e.mul<LoadExpr>(left, right), sum),
            ),
          ];
        }),
      ]);
    const unrolled = fixedK !== undefined && fixedK < tile.unroll ? 1 : tile.unroll;
    const loops: Stmt[] = [];
    if (unrolled > 1) {
      loops.push(
        loop('serial', 'k', ix.div(K, ix.int(unrolled)), (k) => [
          loop('unroll', 'u', ix.int(unrolled), (u) => [step(ix.add(ix.mul(k, ix.int(unrolled)), u))]),
        ]),
      );
    }
    if (fixedK === undefined || fixedK % unrolled !== 0 || unrolled === 1) {
      const done = unrolled === 1 ? ix.int(0) : ix.mul(ix.div(K, ix.int(unrolled)), ix.int(unrolled));
      loops.push(loop('serial', 'k', unrolled === 1 ? K : ix.mod(K, ix.int(unrolled)), (k) => [step(ix.add(done, k))]));
    }
    const rowsOf: Stmt[] = inPlace
      ? [
          { k: 'alloc', name: 'rows', dtype: 'i32', length: mr, memory: 'register' },
          loop('unroll', 'i', ix.int(mr), (i) => [
            store('rows', i, replace(inPlace.row, { m: ix.min(ix.add(row, i), ix.sub(M, ix.int(1))), b: batch })),
          ]),
        ]
      : [{ k: 'let', name: local('base_a'), value: baseA }];
    return [
      ...rowsOf,
      { k: 'let', name: local('base_b'), value: baseB },
      { k: 'alloc', name: 'acc', dtype: t.dtype, length: mr * nr, memory: 'register' },
      loop('unroll', 'i', ix.int(mr), (i) => [
        loop('vector', 'j', ix.int(nr), (j) => [
          store('acc', ix.add(ix.mul(i, ix.int(nr)), j), { k: 'const', value: 0, dtype: t.dtype }),
        ]),
      ]),
      ...loops,
      loop('unroll', 'i', ix.int(mr), (i) => [
        loop('vector', 'j', ix.int(nr), (j) => {
          const slot = ix.add(ix.mul(i, ix.int(nr)), j);
          return [store('tile', slot, load('acc', slot, t.dtype))];
        }),
      ]),
    ];
  };
  const finish = (row: LoopExpr, column: LoopExpr): Stmt => {
    const height = fixedM !== undefined && fixedM % mr === 0 ? ix.int(mr) : ix.min(ix.int(mr), ix.sub(M, row));
    const width = fixedN !== undefined && fixedN % nr === 0 ? ix.int(nr) : ix.min(ix.int(nr), ix.sub(N, column));
    return loop('serial', 'i', height, (i) => [
      loop('vector', 'j', width, (j) => {
        const at = { b: batch, m: ix.add(row, i), n: ix.add(column, j), slot: ix.add(ix.mul(i, ix.int(nr)), j) };
        return storeAll(
          group.outputs.map((_, o) => ({ to: targets[o]!, at: replace(position, at), value: replace(values[o]!, at) })),
        );
      }),
    ]);
  };
  const keep = readElsewhere(values, position).add(a).add(b);
  const blocks = ix.mul(mBlocks, nBlocks);
  const flops = ix.mul(ix.product([size(p.batch), M, N]), ix.add(ix.mul(K, ix.int(2)), ix.int(operations(values))));
  out.push(
    d.close(
      kernelName('contract', ctx.fused, group.outputs),
      [
        loop('grid', 'g', ix.mul(size(p.batch), blocks), () => [
          { k: 'let', name: local('batch'), value: ix.div(g, blocks) },
          { k: 'let', name: local('m0'), value: ix.mul(ix.div(ix.mod(g, blocks), nBlocks), ix.int(mb)) },
          { k: 'let', name: local('n0'), value: ix.mul(ix.mod(g, nBlocks), ix.int(nb)) },
          { k: 'alloc', name: 'tile', dtype: t.dtype, length: mr * nr, memory: 'local' },
          loop('serial', 'jt', panels, (jt) => [
            loop('serial', 'it', rowTiles, (it) => [
              { k: 'let', name: local('row'), value: ix.add(m0, ix.mul(it, ix.int(mr))) },
              { k: 'let', name: local('column'), value: ix.add(n0, ix.mul(jt, ix.int(nr))) },
              ...multiply(v('row'), ix.div(v('column'), ix.int(nr))),
              finish(v('row'), v('column')),
            ]),
          ]),
        ]),
      ],
      flops,
      { keep },
    ),
  );
  return out;
}
