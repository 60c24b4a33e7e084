/** Which operands of late contractions are computed again rather than kept. */
import type { ContractAttrs, Tensor } from '@sinter/ir';
import { parseSpec, sameShape } from '@sinter/ir';
import { elementCost } from './cost.ts';
import { isData } from './group.ts';
import type { Grouping } from './join.ts';

/**
 * An operand that was stored for an early reader and is packed by a late one (the activations of a forward pass, for the gradient of
 * a weight) is computed again while it is packed, where what it is made of is alive until then anyway: the operand itself
 * then need not be.
 */
export function recomputedOperands(
  order: readonly Tensor[],
  index: ReadonlyMap<Tensor, number>,
  stored: ReadonlyMap<Tensor, string>,
  grouping: Grouping,
  { maxBindings, recompute }: { readonly maxBindings: number; readonly recompute: number },
): Map<Tensor, ReadonlySet<Tensor>> {
  const cost = elementCost((t) => stored.has(t) || isData(t));
  const readersOf = new Map<Tensor, Tensor[]>();
  for (const t of order)
    if (stored.has(t)) for (const leaf of grouping.leaves(t)) readersOf.set(leaf, [...(readersOf.get(leaf) ?? []), t]);
  const out = new Map<Tensor, Set<Tensor>>();
  for (const x of order) {
    if (x.op.kind !== 'map' || stored.get(x) !== 'operand of a contraction' || cost(x) > recompute) continue;
    const readers = readersOf.get(x) ?? [];
    const [first, last] = [readers[0], readers.at(-1)];
    if (!first || first === last || last!.op.kind !== 'contract' || !isPackedOperand(last!, x)) continue;
    const halfway = (index.get(first)! + index.get(last!)!) / 2;
    // Only the last reader packs it anew: the buffer is free after the one before.
    const lateReaders = readers.filter((r) => index.get(r)! > halfway);
    const livesOn = (leaf: Tensor): boolean =>
      isData(leaf) ||
      !sameShape(leaf.shape, x.shape) ||
      (readersOf.get(leaf) ?? []).some((r) => r !== x && index.get(r)! > index.get(first)!);
    if (lateReaders.length !== 1 || ![...grouping.leaves(x)].every(livesOn)) continue;
    const again = new Set([...(out.get(last!) ?? []), x]);
    // Together with what the whole group reads and writes.
    const members = grouping.groupOf.get(last!)!.members;
    const bound = new Set(
      members.flatMap((t) => [
        t,
        ...grouping.leaves(t),
        ...(t === last ? [...again].flatMap((y) => [...grouping.leaves(y)]) : []),
      ]),
    );
    if (bound.size <= maxBindings) out.set(last!, again);
  }
  return out;
}

/** Whether a contraction packs this operand rather than read its rows in place: the right one always, the left one if its rows are not contiguous. */
function isPackedOperand(contraction: Tensor, x: Tensor): boolean {
  const labels = parseSpec((contraction.attrs as ContractAttrs).spec);
  const throughViews = (t: Tensor): boolean =>
    t === x || (t.op.kind === 'view' && t.inputs.length === 1 && throughViews(t.inputs[0]!));
  return contraction.inputs.some((operand, i) => {
    if (!throughViews(operand)) return false;
    const names = i === 0 ? labels.a : labels.b;
    const free = i === 0 ? labels.m : labels.n;
    return free.includes(labels.out.at(-1)!) || !labels.k.includes(names.at(-1)!);
  });
}
