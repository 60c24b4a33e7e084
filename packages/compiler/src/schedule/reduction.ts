/** What is common to reductions on every machine: which are made one after the other, where they start and how they go on. */
import type { DType, Expr, Tensor } from '@sinter/ir';
import { constantExpr, e } from '@sinter/ir';
import type { Group } from '../fuse/group.ts';
import { isData } from '../fuse/group.ts';
import type { LoadExpr, LoopExpr } from '../loop/language.ts';

/** The pass in which each reduction is made: after those that its operand is computed from. */
export function levels(group: Group): Map<Tensor, number> {
  const members = new Set(group.members);
  const out = new Map<Tensor, number>();
  for (const t of group.members) {
    if (t.op.kind !== 'reduce') continue;
    let level = 0;
    const seen = new Set<Tensor>();
    const visit = (x: Tensor): void => {
      if (seen.has(x)) return;
      seen.add(x);
      if (out.has(x)) {
        level = Math.max(level, out.get(x)! + 1);
        return;
      }
      if (
        isData(x) ||
        (x.op.kind === 'reduce' && !members.has(x)) ||
        x.op.kind === 'contract' ||
        x.op.kind === 'scatter'
      )
        return;
      x.inputs.forEach(visit);
    };
    visit(t.inputs[0]!);
    out.set(t, level);
  }
  return out;
}

/** Two partial results together, as expressions that may hold loads: a reduction's rule, the sum where terms are added up. */
export function combine(t: Tensor, a: LoopExpr, b: LoopExpr): LoopExpr {
  return t.op.kind === 'reduce' ? t.op.combine(a as Expr, b as Expr) : e.add<LoadExpr>(a, b);
}
/** The value that a reduction starts from, in the dtype that it is accumulated in. */
export function initial(t: Tensor, dtype: DType = t.dtype): LoopExpr {
  return constantExpr(t.op.kind === 'reduce' ? t.op.init(t.dtype) : 0, dtype);
}
