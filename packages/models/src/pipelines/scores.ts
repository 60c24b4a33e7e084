/** Numbers that a model gives, made into scores. */

/** The exponentials of logits, scaled to sum 1. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const most = highest(logits);
  const scores = Float64Array.from(logits, (x) => Math.exp(x - most));
  const total = scores.reduce((sum, x) => sum + x, 0);
  return scores.map((x) => x / total);
}

/** The logistic function of each logit. */
export function sigmoid(logits: ArrayLike<number>): Float64Array {
  return Float64Array.from(logits, (x) => 1 / (1 + Math.exp(-x)));
}

/** Where the `k` highest scores are, the highest first; of equal ones the first comes first. */
export function topIndices(scores: ArrayLike<number>, k: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    let at = best.length;
    if (at >= k && !(scores[i]! > scores[best[at - 1]!]!)) continue;
    while (at > 0 && scores[i]! > scores[best[at - 1]!]!) at--;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

/** Where the highest score is; of equal ones the first. */
export function bestIndex(scores: ArrayLike<number>): number {
  return topIndices(scores, 1)[0]!;
}

function highest(values: ArrayLike<number>): number {
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]!);
  return most;
}
