/**
 * The template of contractions: the right operand packed into panels of `nr` columns, the left one read in place where its rows
 * are contiguous and packed into panels of a few tiles where not; a register tile per step; what follows is computed on the
 * tile before it is stored. Packing takes any expression of the operand: transposes and gathers cost nothing extra.
 */
import type { Expr } from '@sinter/ir';
import { e, flatIndex, isFloat } from '@sinter/ir';
import type { Group } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { load, store } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import { draft, ix, kernelName, local, loop, operations, readElsewhere, replace, storeAll, v } from '../draft.ts';
import { counters, declare, productOf, size } from '../product.ts';
import { cpuTile } from '../tiles.ts';
import { evenBlocks } from './blocks.ts';
import { pack, panelLength, rowsInPlace } from './pack.ts';
import { scheduleShort } from './short.ts';

/** Schedules a contraction with the maps that follow it: one of few rows by itself, others as up to two packing kernels and the product. */
export function scheduleContract(ctx: ScheduleContext, group: Group): Scheduled[] {
  return scheduleShort(ctx, group) ?? schedulePacked(ctx, group);
}

function schedulePacked(ctx: ScheduleContext, group: Group): Scheduled[] {
  const t = group.members[0]!;
  const p = productOf(t, ctx.fused.recomputed.get(t));
  // 16-bit floats are packed as what they are computed with.
  const dtype = isFloat(t.dtype) ? 'f32' : t.dtype;
  const inPlace = dtype === t.dtype ? rowsInPlace(ctx, p) : undefined;
  const tile = cpuTile(ctx, inPlace ? 'in place' : 'packed');
  const probe = draft(ctx, undefined);
  const fixedM = probe.fixed(size(p.m));
  const fixedN = probe.fixed(size(p.n));
  const fixedK = probe.fixed(size(p.k));
  const mr = fixedM === undefined ? tile.mr : Math.min(tile.mr, fixedM);
  const nr = fixedN !== undefined && fixedN <= 4 ? 4 : tile.nr;
  const packedB: Scratch = { scratch: 'packed_b', dtype, length: panelLength(p, p.n, nr) };
  const out: Scheduled[] = [pack(ctx, p, 'b', nr, packedB)];
  // Panels of several tiles: they are packed as whole vectors, and each tile reads its rows of them.
  const pr = 4 * mr;
  const packedA: Scratch = { scratch: 'packed_a', dtype, length: panelLength(p, p.m, pr) };
  if (!inPlace) out.push(pack(ctx, p, 'a', pr, packedA));

  const d = draft(ctx, group, (x) => (x === t ? e.cast<LoadExpr>(load('tile', v('slot'), dtype), t.dtype) : undefined));
  declare(d, p);
  const a = d.buffer(inPlace ? inPlace.from : packedA, 'read');
  const b = d.buffer(packedB, 'read');
  const place = p.indexOut(counters);
  const values = group.outputs.map((x) => d.low.at(x, place));
  const position = d.low.simplify(flatIndex(t.shape, place as readonly Expr[]));
  const targets = group.outputs.map((x) => d.buffer(x, 'write'));

  const [M, N, K] = [size(p.m), size(p.n), size(p.k)];
  const { mb, nb } = evenBlocks({ batch: probe.fixed(size(p.batch)), m: fixedM, n: fixedN }, { ...tile, mr, nr });
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
            ? load(a, ix.add(load('rows', i, 'i32'), k), dtype)
            : load(a, ix.add(v('base_a'), ix.add(ix.mul(k, ix.int(pr)), i)), dtype);
          const right = load(b, ix.add(v('base_b'), ix.add(ix.mul(k, ix.int(nr)), j)), dtype);
          const sum = load('acc', slot, dtype);
          return [
            store(
              'acc',
              slot,
              isFloat(dtype) ? e.fma<LoadExpr>(left, right, sum) : e.add<LoadExpr>(e.mul<LoadExpr>(left, right), sum),
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
      { k: 'alloc', name: 'acc', dtype, length: mr * nr, memory: 'register' },
      loop('unroll', 'i', ix.int(mr), (i) => [
        loop('vector', 'j', ix.int(nr), (j) => [
          store('acc', ix.add(ix.mul(i, ix.int(nr)), j), { k: 'const', value: 0, dtype }),
        ]),
      ]),
      ...loops,
      loop('unroll', 'i', ix.int(mr), (i) => [
        loop('vector', 'j', ix.int(nr), (j) => {
          const slot = ix.add(ix.mul(i, ix.int(nr)), j);
          return [store('tile', slot, load('acc', slot, dtype))];
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
          { k: 'alloc', name: 'tile', dtype, length: mr * nr, memory: 'local' },
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
