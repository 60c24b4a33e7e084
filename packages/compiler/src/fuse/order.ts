/**
 * The order in which groups run. The order of the graph is kept, except that a group which frees more memory than it takes runs as soon
 * as it can: a weight's gradient right after the last other reader of the gradient that it is made from.
 */
import type { Tensor } from '@sinter/ir';
import { dtypeBytes, elements } from '@sinter/ir';
import { evaluateSize } from '../artifact/offsets.ts';
import type { Group } from './group.ts';
import type { DimRanges } from '../lower.ts';

/** A stand-in for every run-time size, only to compare what buffers take. */
const nominal = 64;
/** What counts as nothing. */
const small = 1 << 16;

/** Orders groups, given what each reads from other groups. */
export function orderGroups(
  groups: readonly Group[],
  reads: ReadonlyMap<Group, ReadonlySet<Tensor>>,
  roots: ReadonlySet<Tensor>,
  dims: DimRanges,
): Group[] {
  const sizes = Object.fromEntries(
    Object.entries(dims).map(([name, r]) => [name, Math.max(r.min, Math.min(r.max, nominal))]),
  );
  const bytes = (t: Tensor): number => evaluateSize(elements(t.shape), sizes) * dtypeBytes[t.dtype];
  const home = new Map<Tensor, Group>();
  for (const g of groups) for (const t of g.outputs) home.set(t, g);
  const waiting = new Map<Group, Set<Group>>();
  const readersLeft = new Map<Tensor, number>();
  for (const g of groups) {
    waiting.set(g, new Set([...reads.get(g)!].flatMap((t) => home.get(t) ?? [])));
    for (const t of reads.get(g)!) readersLeft.set(t, (readersLeft.get(t) ?? 0) + 1);
  }
  const next = new Map<Group, Group[]>();
  for (const [g, needs] of waiting) for (const n of needs) next.set(n, [...(next.get(n) ?? []), g]);

  const growth = (g: Group): number => {
    let sum = 0;
    for (const t of g.outputs) sum += bytes(t);
    for (const t of reads.get(g)!) if (home.has(t) && !roots.has(t) && readersLeft.get(t) === 1) sum -= bytes(t);
    return sum;
  };
  const ready = new Set(groups.filter((g) => waiting.get(g)!.size === 0));
  const out: Group[] = [];
  while (ready.size > 0) {
    let pick: Group | undefined;
    let least = small;
    for (const g of ready) {
      const change = growth(g);
      if (change < least) {
        pick = g;
        least = change;
      }
    }
    pick ??= [...ready].reduce((a, b) => (a.first < b.first ? a : b));
    ready.delete(pick);
    out.push(pick);
    for (const t of reads.get(pick)!) readersLeft.set(t, readersLeft.get(t)! - 1);
    for (const g of next.get(pick) ?? []) {
      waiting.get(g)!.delete(pick);
      if (waiting.get(g)!.size === 0) ready.add(g);
    }
  }
  return out;
}
