/**
 * Which updates write only a block of their state. The rest of the state stays as it is where it lies, as the keys and values of earlier
 * tokens in a cache: a run that adds one token touches one token.
 */
import type { Graph, Tensor } from '@sinter/ir';
import { sourceName, stateOp } from '@sinter/ir';

/** The updates of a graph that are a block written over the state that they replace, where nothing else reads the old state. */
export function blocksOfState(
  g: Graph,
  order: readonly Tensor[],
  consumers: ReadonlyMap<Tensor, readonly Tensor[]>,
): Set<Tensor> {
  const readers = new Map<string, number>();
  for (const t of order) {
    if (t.op === stateOp)
      readers.set(sourceName(t), (readers.get(sourceName(t)) ?? 0) + (consumers.get(t)?.length ?? 0));
  }
  return new Set(
    Object.entries(g.updates).flatMap(([name, t]) => {
      const base = t.inputs[0];
      const isBlock = t.op.kind === 'update' && t.shape.length > 0 && base!.op === stateOp;
      return isBlock && sourceName(base!) === name && readers.get(name) === 1 ? [t] : [];
    }),
  );
}
