/** From scores to a choice: the largest, or a draw from those that temperature, `top_k`, `top_p` and `min_p` leave, in Hugging Face's order. */
import type { Generation } from './config.ts';

/** Numbers in [0, 1). */
export type Random = () => number;

/** The token with the largest score, the first of equals. */
export function mostLikely(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  return best;
}

/** The `count` largest scores, the largest first and of equals the first: where they stand. */
export function largest(scores: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    const value = scores[i]!;
    if (best.length === count && !(value > scores[best[count - 1]!]!)) continue;
    let at = Math.min(best.length, count - 1);
    for (; at > 0 && scores[best[at - 1]!]! < value; at--) best[at] = best[at - 1]!;
    best[at] = i;
  }
  return best;
}

/**
 * Changes scores as a draw wants them: divided by the temperature, and −∞ where `top_k`, `top_p` or `min_p` leave a token out. At least `keep`
 * tokens are left.
 */
export function warp(scores: Float32Array, { temperature, top_k, top_p, min_p }: Generation, keep = 1): void {
  if (temperature !== 1) for (let i = 0; i < scores.length; i++) scores[i]! /= temperature;
  if (top_k > 0 && Math.max(top_k, keep) < scores.length) {
    const least = scores[largest(scores, Math.max(top_k, keep)).at(-1)!]!;
    for (let i = 0; i < scores.length; i++) if (scores[i]! < least) scores[i] = -Infinity;
  }
  if (top_p < 1) {
    const { order, weights, total } = sorted(scores);
    let sum = 0;
    const needed = weights.findIndex((w) => (sum += w) >= top_p * total);
    if (needed >= 0) for (const i of order.slice(Math.max(needed + 1, keep))) scores[i] = -Infinity;
  }
  if (min_p > 0) {
    const { order, weights } = sorted(scores);
    order.forEach((i, at) => {
      if (at >= keep && weights[at]! < min_p * weights[0]!) scores[i] = -Infinity;
    });
  }
}

/** What may still be drawn, the most probable first, with numbers in proportion to the probabilities and their sum. */
function sorted(scores: Float32Array): {
  readonly order: readonly number[];
  readonly weights: readonly number[];
  readonly total: number;
} {
  const order: number[] = [];
  for (let i = 0; i < scores.length; i++) if (scores[i]! > -Infinity) order.push(i);
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  const weights = order.map((i) => Math.exp(scores[i]! - scores[order[0]!]!));
  return { order, weights, total: weights.reduce((a, b) => a + b, 0) };
}

/** A token drawn by the probabilities that scores stand for. */
export function draw(scores: Float32Array, random: Random): number {
  const top = scores[mostLikely(scores)]!;
  let total = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i]! > -Infinity) total += Math.exp(scores[i]! - top);
  let rest = random() * total;
  let last = 0;
  for (let i = 0; i < scores.length; i++) {
    if (!(scores[i]! > -Infinity)) continue;
    last = i;
    if ((rest -= Math.exp(scores[i]! - top)) < 0) return i;
  }
  return last;
}

/**
 * Several different tokens, one after the other by the probabilities that scores stand for: the largest scores once noise of Gumbel's distribution is
 * added to them (Vieira 2014). Those with the largest scores first.
 */
export function drawSeveral(scores: Float32Array, count: number, random: Random): number[] {
  const noisy = scores.map((score) => (score > -Infinity ? score - Math.log(-Math.log(random() || 2 ** -33)) : score));
  return largest(noisy, count).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** Seeded numbers: "mulberry32" (Tommy Ettinger). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
