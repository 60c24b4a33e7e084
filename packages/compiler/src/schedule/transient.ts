/** Contractions that are never stored, as the kernels that read them see them: products with the rows and columns of the kernel. */
import type { Dim, Expr, Tensor } from '@sinter/ir';
import { unflatten } from '@sinter/ir';
import type { Group } from '../fuse/group.ts';
import { transientsRead } from '../fuse/walk.ts';
import type { LoopExpr } from '../loop/language.ts';
import type { ScheduleContext } from './draft.ts';
import { dependsOn, local } from './draft.ts';
import type { Counters, Product } from './product.ts';
import { counters, productOf } from './product.ts';

/** A matrix of scores as a kernel walks it: the axes of its batch, rows and columns, and the index of an element. */
export interface Matrix {
  readonly batch: readonly Dim[];
  readonly m: readonly Dim[];
  readonly n: readonly Dim[];
  readonly index: (at: Pick<Counters, 'batch' | 'm' | 'n'>) => LoopExpr[];
}

/** The transient contractions that a group computes again, in the order of their first use. */
export function transientsOf({ fused }: ScheduleContext, group: Group): Tensor[] {
  return transientsRead(group.members, fused);
}

/** Whether a group computes transient contractions again. */
export function readsTransients(ctx: ScheduleContext, group: Group): boolean {
  return transientsOf(ctx, group).length > 0;
}

/** The rows and columns that a contraction reads of scores: its inner axis is their columns. */
export function matrixReadBy(p: Product): Matrix {
  return { batch: p.batch, m: p.m, n: p.k, index: ({ batch, m, n }) => p.indexA({ batch, m, n, k: n }) };
}

/** The rows and columns of scores as they are made: what reductions of rows walk. */
export function matrixOf(scores: Tensor): Matrix {
  const p = productOf(scores, undefined);
  return { batch: p.batch, m: p.m, n: p.n, index: (at) => p.indexOut({ ...at, k: at.n }) };
}

/** A transient contraction with the rows and columns of a matrix: where that is transposed, the operands change places. */
export function productIn(matrix: Matrix, scores: Tensor): Product {
  const made = productOf(scores, undefined);
  const at = (c: Counters): readonly [LoopExpr[], LoopExpr[]] =>
    made.operandsAt(matrix.index(c), unflatten(made.k, c.k as Expr) as LoopExpr[]);
  const uses = (index: readonly LoopExpr[], counter: 'm' | 'n'): boolean =>
    index.some((x) => dependsOn(x, local(counter)));
  const [first, second] = at(counters);
  const flipped = uses(first, 'n') || uses(second, 'm');
  return {
    a: flipped ? made.b : made.a,
    b: flipped ? made.a : made.b,
    indexA: (c) => at(c)[flipped ? 1 : 0],
    indexB: (c) => at(c)[flipped ? 0 : 1],
    indexOut: (c) => matrix.index(c),
    operandsAt: made.operandsAt,
    recomputed: undefined,
    batch: matrix.batch,
    m: matrix.m,
    n: matrix.n,
    k: made.k,
  };
}
