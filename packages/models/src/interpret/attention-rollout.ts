/**
 * Attention rollout (Abnar and Zuidema 2020, "Quantifying attention flow in transformers"): from which tokens a state is made, if every layer is half what attention
 * mixes (the mean of its heads) and half what was there before.
 */
import type { TensorData } from '@sinter/ir';

/** `[to][from]`, rows that add up to 1. */
export type Flow = readonly (readonly number[])[];

/** The flow through layers whose probabilities are `[1, heads, seq, seq]`, the first one first. */
export function rollout(attentions: readonly TensorData[]): Flow {
  const size = attentions[0]!.shape[2]!;
  let flow: number[][] = identity(size);
  for (const { data, shape } of attentions) {
    const heads = shape[1]!;
    const mixed = identity(size).map((row, to) =>
      row.map((own, from) => {
        let total = 0;
        for (let head = 0; head < heads; head++) total += data[(head * size + to) * size + from]!;
        return 0.5 * own + (0.5 * total) / heads;
      }),
    );
    flow = mixed.map((row) =>
      row.map((_, from) => row.reduce((sum, share, via) => sum + share * flow[via]![from]!, 0)),
    );
  }
  return flow;
}

/** Whether no token looks at a later one, in any layer. */
export function looksBack(attentions: readonly TensorData[]): boolean {
  return attentions.every(({ data, shape }) => {
    const size = shape[2]!;
    return data.every((p, i) => p === 0 || i % size <= Math.floor(i / size) % size);
  });
}

function identity(size: number): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
}
