/**
 * From the logits of one text to its next token: what may not be chosen, what is made less likely, and the choice. The rules, and their order,
 * are those of Hugging Face's `LogitsProcessor`s and warpers.
 */
import type { Generation } from './config.ts';

/** Numbers in [0, 1). */
export type Random = () => number;

/** Changes the logits of a text as the rules say; `tokens` is what it has so far, `prompt` of them given. */
export function applyRules(logits: Float32Array, tokens: readonly number[], prompt: number, rules: Generation): void {
  const { repetition_penalty: penalty, no_repeat_ngram_size: size, eos, min_length, min_new_tokens } = rules;
  if (penalty !== 1) {
    for (const token of new Set(tokens)) {
      const logit = logits[token]!;
      logits[token] = logit < 0 ? logit * penalty : logit / penalty;
    }
  }
  if (size > 0) for (const token of seenAfter(tokens, size)) logits[token] = -Infinity;
  if (tokens.length < min_length || tokens.length - prompt < min_new_tokens)
    for (const token of eos) logits[token] = -Infinity;
}

/** The tokens that would make the last `size` tokens a run that is there already. */
function seenAfter(tokens: readonly number[], size: number): number[] {
  const start = tokens.length - size + 1;
  if (start < 0) return [];
  const out: number[] = [];
  for (let at = 0; at + size <= tokens.length; at++) {
    let same = true;
    for (let i = 0; same && i < size - 1; i++) same = tokens[at + i] === tokens[start + i];
    if (same) out.push(tokens[at + size - 1]!);
  }
  return out;
}

/** The token with the largest logit, the first of equals. */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** Draws a token: temperature, then the most probable `top_k`, `top_p` and `min_p` leave. */
export function draw(logits: Float32Array, { temperature, top_k, top_p, min_p }: Generation, random: Random): number {
  // Only the tokens that may be drawn are sorted.
  let left = [...logits.keys()].filter((i) => logits[i]! > -Infinity);
  if (top_k > 0 && top_k < left.length) {
    const least = Float32Array.from(left, (i) => logits[i]!).sort()[left.length - top_k]!;
    left = left.filter((i) => logits[i]! >= least);
  }
  left.sort((a, b) => logits[b]! - logits[a]! || a - b);
  const top = logits[left[0]!]!;
  let weights = left.map((i) => Math.exp((logits[i]! - top) / temperature));
  if (top_p < 1) {
    const total = weights.reduce((a, b) => a + b, 0);
    let sum = 0;
    const needed = weights.findIndex((w) => (sum += w) >= top_p * total);
    weights = weights.slice(0, needed < 0 ? undefined : needed + 1);
  }
  if (min_p > 0) weights = weights.filter((w) => w >= min_p * weights[0]!);
  let rest = random() * weights.reduce((a, b) => a + b, 0);
  const at = weights.findIndex((w) => (rest -= w) < 0);
  return left[at < 0 ? weights.length - 1 : at]!;
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
