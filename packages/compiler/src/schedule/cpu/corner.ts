/**
 * Which blocks of scores a mask hides whole: it is −∞ where a comparison of indices says so, and that is decided in one corner of the block. A
 * causal mask halves the work of attention so.
 */
import { e } from '@sinter/ir';
import type { LoadExpr, LoopExpr } from '../../loop/language.ts';
import type { Lowering } from '../../lower.ts';
import { ix, local, replace } from '../draft.ts';
import { dependsOn } from '../draft.ts';

/** The least and the largest value of counters, by their names before `local`. */
export type Ranges = Readonly<Record<string, readonly [least: LoopExpr, most: LoopExpr]>>;

/** Whether a sum may be more than −∞ anywhere in a block: an expression that is false only if it is not. Undefined where nothing is known. */
export function possible(low: Lowering, x: LoopExpr, ranges: Ranges): LoopExpr | undefined {
  if (x.k !== 'op') return undefined;
  if (x.op === 'add') return both(x.args.map((a) => possible(low, a, ranges)));
  if (x.op === 'sub') return possible(low, x.args[0]!, ranges);
  if (x.op !== 'select') return undefined;
  const [condition, yes, no] = x.args as [LoopExpr, LoopExpr, LoopExpr];
  if (isHidden(no)) return both([mayBe(low, condition, true, ranges), possible(low, yes, ranges)]);
  if (isHidden(yes)) return both([mayBe(low, condition, false, ranges), possible(low, no, ranges)]);
  return undefined;
}

const isHidden = (x: LoopExpr): boolean => x.k === 'const' && x.value === -Infinity;

/** Whether a condition may have a value somewhere in a block. */
function mayBe(low: Lowering, x: LoopExpr, wanted: boolean, ranges: Ranges): LoopExpr | undefined {
  if (x.k !== 'op') return undefined;
  const [a, b] = x.args as [LoopExpr, LoopExpr];
  if (x.op === 'and' && wanted) return both([mayBe(low, a, true, ranges), mayBe(low, b, true, ranges)]);
  if ((x.op !== 'lt' && x.op !== 'le') || a.dtype !== 'i32') return undefined;
  // `a ≤ b` is false where `b < a`.
  const [small, large] = wanted ? [a, b] : [b, a];
  const [from, to] = [end(low, small, 0, ranges), end(low, large, 1, ranges)];
  if (!from || !to) return undefined;
  return (x.op === 'le') === wanted ? e.le<LoadExpr>(from, to) : e.lt<LoadExpr>(from, to);
}

/** The least (0) or the largest (1) value of an index in a block, if it changes steadily with each counter. */
function end(low: Lowering, x: LoopExpr, side: 0 | 1, ranges: Ranges): LoopExpr | undefined {
  const at: Record<string, LoopExpr> = {};
  for (const [name, range] of Object.entries(ranges)) {
    if (!dependsOn(x, local(name))) continue;
    const counter: LoopExpr = { k: 'var', name: local(name), dtype: 'i32' };
    const step = low.simplify(ix.sub(replace(x, { [name]: ix.add(counter, ix.int(1)) }), x));
    if (step.k !== 'const') return undefined;
    at[name] = range[step.value >= 0 ? side : ((1 - side) as 0 | 1)];
  }
  return replace(x, at);
}

function both(all: readonly (LoopExpr | undefined)[]): LoopExpr | undefined {
  const known = all.filter((x) => x !== undefined);
  return known.length === 0 ? undefined : known.reduce((a, b) => e.and<LoadExpr>(a, b));
}
