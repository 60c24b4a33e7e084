/** When to compute an element again and when to store it: the rule for producers that several kernels read. */
import type { Tensor } from '@sinter/ir';
import { dtypeBytes, sameShape } from '@sinter/ir';

/** Work of one element, in units of one simple operation. */
const opCost: Readonly<Record<string, number>> = {
  exp: 2,
  log: 2,
  tanh: 2,
  erf: 2,
  sin: 2,
  cos: 2,
  pow: 4,
  div: 4,
  sqrt: 4,
  mod: 4,
  full: 0,
  iota: 0,
  uniform: 40,
  dim: 0,
};
const memoryLoad = 3;
const broadcastLoad = 1;
const limit = 1000;

/**
 * Work of computing one element of a tensor that is not stored from those that are. What several parts read at the same place is
 * computed once; what is read through a view is another element.
 */
export function elementCost(isStored: (t: Tensor) => boolean): (t: Tensor) => number {
  const known = new Map<Tensor, number>();
  /** Whether reading an element is one load: a view is that of what it shows. */
  const isLoad = (t: Tensor): boolean => isStored(t) || (t.op.name === 'reshape' && isLoad(t.inputs[0]!));
  const cost = (t: Tensor): number => {
    const found = known.get(t);
    if (found !== undefined) return found;
    const seen = new Set<Tensor>();
    let sum = 0;
    const visit = (x: Tensor): void => {
      const isView = x.op.kind === 'view';
      sum += isView ? 0 : x.op.kind === 'gather' ? 2 : (opCost[x.op.name] ?? 1);
      for (const y of x.inputs) {
        if (sum >= limit || (!isView && seen.has(y))) continue;
        if (isLoad(y)) sum += isView || sameShape(y.shape, x.shape) ? memoryLoad : broadcastLoad;
        else if (isView) sum += cost(y);
        else visit(y);
        if (!isView) seen.add(y);
      }
    };
    visit(t);
    sum = Math.min(sum, limit);
    known.set(t, sum);
    return sum;
  };
  return cost;
}

/**
 * The work from which storing an element (one write, one read) beats doing it again. Bytes count: a dropout mask of
 * booleans is stored early, a large `f32` late (it also costs memory). A tensor that is broadcast by its readers is small next
 * to them and almost always stored.
 */
export function storeThreshold(t: Tensor, broadcast: boolean): number {
  return broadcast ? 3 : (11 * dtypeBytes[t.dtype]) / 4;
}
