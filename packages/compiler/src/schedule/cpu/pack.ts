/** How operands of a product reach its register tiles: packed into panels, or read in place where rows are contiguous. */
import type { Dim, Expr, Tensor } from '@sinter/ir';
import { e } from '@sinter/ir';
import { isData } from '../../fuse/group.ts';
import type { LoadExpr, LoopExpr, Stmt } from '../../loop/language.ts';
import { store } from '../../loop/language.ts';
import type { ScheduleContext, Scheduled, Scratch } from '../draft.ts';
import { dependsOn, draft, ix, kernelName, local, loop, operations, replace, v } from '../draft.ts';
import type { Product } from '../product.ts';
import { counters, declare, size } from '../product.ts';

/** The elements of an operand in panels of `width`: those of `axis` times those of all other axes. */
export function panelLength(p: Product, axis: readonly Dim[], width: number): Expr {
  return e.mul(
    e.mul(ix.ceilDiv(size(axis), width) as Expr, e.mul(size(p.batch) as Expr, size(p.k) as Expr)),
    ix.int(width) as Expr,
  );
}

/** Packs one operand: `[batch, panel, k, width]`, the last panel filled up with copies of the last row or column. */
export function pack(ctx: ScheduleContext, p: Product, side: 'a' | 'b', width: number, target: Scratch): Scheduled {
  const d = draft(ctx, undefined, undefined, p.recomputed);
  declare(d, p);
  const [t, index, axis, name] =
    side === 'a' ? ([p.a, p.indexA, size(p.m), 'm'] as const) : ([p.b, p.indexB, size(p.n), 'n'] as const);
  const value = e.cast<LoadExpr>(d.low.at(t, index(counters)), target.dtype);
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
    { computes: [], packs: t },
  );
}

/** Where the rows of the left operand lie, if they can be read in place: contiguous along `k`, with nothing to compute. */
export function rowsInPlace(
  ctx: ScheduleContext,
  p: Product,
): { readonly from: Tensor; readonly row: LoopExpr } | undefined {
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
