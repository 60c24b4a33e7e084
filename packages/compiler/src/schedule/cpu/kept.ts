/** Values of a row that are dear and that several walks along the row need: computed by the first walk, kept in cache for the others. */
import type { ScalarOp } from '@sinter/ir';
import type { LoopExpr } from '../../loop/language.ts';
import { eachExpr, partsOf, withParts } from '../../loop/walk.ts';
import { dependsOn, local } from '../draft.ts';

const dear: ReadonlySet<ScalarOp> = new Set(['exp', 'log', 'erf', 'tanh', 'sin', 'cos', 'pow']);
/** Elements that a row may have for its values to stay near. */
const most = 4096;

/** What walks keep: for each walk the values that it is the first to need. */
export type Kept = readonly (readonly LoopExpr[])[];

/**
 * What is kept where the values of `walks` are computed one walk after the other over `width` elements with the counter `counter`: the largest
 * parts in `f32` that depend on the counter, hold a dear op, and stand in a later walk too.
 */
export function keptValues(walks: readonly (readonly LoopExpr[])[], counter: string, width: number | undefined): Kept {
  if (width === undefined || width > most) return walks.map(() => []);
  const needed = walks.map((values) => {
    const parts = new Set<LoopExpr>();
    for (const x of values) eachExpr(x, () => undefined, parts);
    return parts;
  });
  const found = new Set<LoopExpr>();
  const room = Math.floor(most / Math.max(1, width));
  return walks.map((values, walk) => {
    const fresh: LoopExpr[] = [];
    const seen = new Set<LoopExpr>();
    const visit = (x: LoopExpr): void => {
      if (seen.has(x) || found.has(x)) return;
      seen.add(x);
      const later = needed.slice(walk + 1).some((parts) => parts.has(x));
      if (
        later &&
        found.size < room &&
        x.k === 'op' &&
        x.dtype === 'f32' &&
        isDear(x) &&
        dependsOn(x, local(counter))
      ) {
        found.add(x);
        fresh.push(x);
      } else partsOf(x).forEach(visit);
    };
    values.forEach(visit);
    return fresh;
  });
}

function isDear(x: LoopExpr): boolean {
  let is = false;
  eachExpr(x, (part) => {
    is ||= part.k === 'op' && dear.has(part.op);
  });
  return is;
}

/** `x` with some of its parts replaced, the largest first. */
export function swap(x: LoopExpr, parts: ReadonlyMap<LoopExpr, LoopExpr>): LoopExpr {
  if (parts.size === 0) return x;
  const done = new Map<LoopExpr, LoopExpr>();
  const go = (y: LoopExpr): LoopExpr => {
    const known = parts.get(y) ?? done.get(y);
    if (known) return known;
    const made = withParts(y, go);
    done.set(y, made);
    return made;
  };
  return go(x);
}
