/** Which tensors are stored: what must be, the ends of epilogues, and what several kernels read and would dearly compute again. */
import type { Shape, Tensor } from '@sinter/ir';
import { sameShape } from '@sinter/ir';
import { elementCost, storeThreshold } from './cost.ts';
import type { Group } from './group.ts';
import { isData, maxDepth } from './group.ts';
import type { Grouping } from './join.ts';
import { baseOf, isDequantised } from './operand.ts';

/**
 * Operands of a contraction are packed or read many times: what is computed there is computed once, before; but not what is never
 * stored, nor what would take more bytes than the data that it is made of. `work`: how many operations an element may take.
 */
export function contractOperands(
  order: readonly Tensor[],
  again: ReadonlySet<Tensor>,
  work: number,
): Map<Tensor, string> {
  const out = new Map<Tensor, string>();
  for (const t of order) {
    if (t.op.kind !== 'contract') continue;
    for (const x of t.inputs.map(baseOf)) {
      if ((x.op.kind === 'map' || x.op.kind === 'random') && !again.has(x) && !isDequantised(x, work))
        out.set(x, 'operand of a contraction');
    }
  }
  return out;
}

/**
 * A contraction is stored after the maps that alone read it, as far as their other operands are there before it: what
 * is stored is then the end of its epilogue and not the bare product.
 */
export function extendEpilogue(
  contraction: Tensor,
  index: ReadonlyMap<Tensor, number>,
  consumers: ReadonlyMap<Tensor, readonly Tensor[]>,
  stored: Map<Tensor, string>,
): void {
  const limit = index.get(contraction)!;
  const chain = new Set<Tensor>([contraction]);
  const isEarlier = (t: Tensor): boolean =>
    chain.has(t) || t.op.kind === 'source' || (index.get(t)! < limit && (stored.has(t) || t.inputs.every(isEarlier)));
  let end = contraction;
  while (!stored.has(end) || end === contraction) {
    const readers = consumers.get(end) ?? [];
    const next = readers[0];
    if (
      readers.length !== 1 ||
      next!.op.kind !== 'map' ||
      !sameShape(next!.shape, end.shape) ||
      !next!.inputs.every(isEarlier)
    )
      break;
    end = next!;
    chain.add(end);
  }
  if (!stored.has(end)) stored.set(end, 'end of an epilogue');
}

/** Very long chains of maps are cut, so that no expression is deeper than its readers can recurse. */
export function limitDepth(order: readonly Tensor[], stored: Map<Tensor, string>): ReadonlyMap<Tensor, number> {
  const depth = new Map<Tensor, number>();
  for (const t of order) {
    const below = Math.max(0, ...t.inputs.map((x) => (stored.has(x) ? 0 : depth.get(x)!)));
    depth.set(t, below + 1);
    if (below + 1 >= maxDepth) stored.set(t, 'end of a long chain');
  }
  return depth;
}
/** Inlined tensors that several groups compute and that cost more to compute again than to store. */
export function worthStoring(
  order: readonly Tensor[],
  consumers: ReadonlyMap<Tensor, readonly Tensor[]>,
  stored: ReadonlyMap<Tensor, string>,
  grouping: Grouping,
  again: ReadonlySet<Tensor>,
): Tensor[] {
  const evaluatedIn = new Map<Tensor, Set<Group>>();
  for (const group of grouping.groups) {
    const seen = new Set<Tensor>();
    const visit = (t: Tensor): void => {
      for (const x of t.inputs) {
        if (seen.has(x) || stored.has(x) || isData(x)) continue;
        seen.add(x);
        if (!evaluatedIn.has(x)) evaluatedIn.set(x, new Set());
        evaluatedIn.get(x)!.add(group);
        visit(x);
      }
    };
    group.members.forEach(visit);
  }
  const isBroadcast = (t: Tensor, shape: Shape): boolean =>
    (consumers.get(t) ?? []).some(
      (c) =>
        c.op.name === 'broadcastTo' ||
        (c.op.kind === 'map' ? !sameShape(c.shape, shape) : c.op.name === 'reshape' && isBroadcast(c, c.shape)),
    );
  const chosen = new Set<Tensor>();
  const expensive = (t: Tensor): boolean => {
    const groups = evaluatedIn.get(t);
    if (!groups || groups.size < 2 || again.has(t) || t.op.kind === 'view' || t.op.kind === 'source') return false;
    return (
      elementCost((x) => stored.has(x) || chosen.has(x) || isData(x))(t) >= storeThreshold(t, isBroadcast(t, t.shape))
    );
  };
  const same = (a: ReadonlySet<Group>, b: ReadonlySet<Group>): boolean =>
    a.size === b.size && [...a].every((g) => b.has(g));
  // Of a chain that is computed in the same kernels, its end is stored, unless the end is larger; what follows may then be cheap.
  for (const t of order) {
    if (!expensive(t)) continue;
    const further = (consumers.get(t) ?? []).some(
      (c) =>
        sameShape(c.shape, t.shape) &&
        evaluatedIn.has(c) &&
        same(evaluatedIn.get(c)!, evaluatedIn.get(t)!) &&
        storeThreshold(c, false) <= storeThreshold(t, false) &&
        expensive(c),
    );
    if (!further) chosen.add(t);
  }
  return [...chosen];
}
