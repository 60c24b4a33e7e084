/** What may not be written next, and what is made less or more likely: the rules, and their order, of Hugging Face's `LogitsProcessor`s. */
import type { Generation } from './config.ts';

/** Changes the scores of the tokens that may follow a text; `tokens` is what it has so far, `prompt` of them given. */
export function applyRules(scores: Float32Array, tokens: readonly number[], prompt: number, rules: Generation): void {
  const { repetition_penalty: penalty, no_repeat_ngram_size: size, eos, min_length, min_new_tokens } = rules;
  const ban = (banned: Iterable<number>): void => {
    for (const token of banned) scores[token] = -Infinity;
  };
  const total = tokens.length;
  if (penalty !== 1) {
    for (const token of new Set(tokens)) {
      const score = scores[token]!;
      scores[token] = score < 0 ? score * penalty : score / penalty;
    }
  }
  if (size > 0) ban(seenAfter(tokens, size));
  for (const words of rules.bad_words_ids) {
    const last = words.at(-1)!;
    const isEnd = words.length === 1 && eos.includes(last);
    if (!isEnd && endsWith(tokens, words.slice(0, -1))) ban([last]);
  }
  if (total < min_length || total - prompt < min_new_tokens) ban(eos);
  if (rules.forced_bos_token_id !== null && total === 1) only(scores, [rules.forced_bos_token_id]);
  if (rules.forced_eos.length > 0 && total === rules.max_length - 1) only(scores, rules.forced_eos);
  if (rules.exponential_decay_length_penalty) {
    const [from, factor] = rules.exponential_decay_length_penalty;
    const late = total - prompt - from;
    if (late > 0) for (const token of eos) scores[token]! += Math.abs(scores[token]!) * (factor ** late - 1);
  }
  ban(rules.suppress_tokens);
  // A forced first token stands before what is written.
  const begin = prompt > 1 || rules.forced_bos_token_id === null ? prompt : prompt + 1;
  if (total === begin) ban(rules.begin_suppress_tokens);
}

/** Scores as log probabilities. */
export function logSoftmax(scores: Float32Array): void {
  let top = -Infinity;
  for (let i = 0; i < scores.length; i++) if (scores[i]! > top) top = scores[i]!;
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += Math.exp(scores[i]! - top);
  const log = top + Math.log(sum);
  for (let i = 0; i < scores.length; i++) scores[i]! -= log;
}

function only(scores: Float32Array, tokens: readonly number[]): void {
  scores.fill(-Infinity);
  for (const token of tokens) scores[token] = 0;
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

function endsWith(tokens: readonly number[], end: readonly number[]): boolean {
  // Python leaves out a run that is longer than the text with the token to come.
  const start = tokens.length - end.length;
  return start >= (end.length > 0 ? 1 : 0) && end.every((token, i) => tokens[start + i] === token);
}
