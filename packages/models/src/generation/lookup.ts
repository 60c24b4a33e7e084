/**
 * Guesses for free (Saxena 2023, "prompt lookup decoding"): what followed when the last tokens stood in the text before. As Hugging Face's
 * `PromptLookupCandidateGenerator`.
 */
import type { Generation } from './config.ts';

/** The tokens that may follow, none if the last ones are new. */
export function guess(tokens: readonly number[], rules: Generation): readonly number[] {
  const { prompt_lookup_num_tokens: count, max_matching_ngram_size: longest, max_length, eos } = rules;
  // The run that checks guesses gives one more token than there are guesses.
  const room = Math.min(count, max_length - tokens.length - 1);
  if (room <= 0) return [];
  for (let size = Math.min(longest, tokens.length - 1); size > 0; size--) {
    const end = tokens.length - size;
    for (let at = 0; at < end; at++) {
      let same = true;
      for (let i = 0; same && i < size; i++) same = tokens[at + i] === tokens[end + i];
      if (!same) continue;
      const found = tokens.slice(at + size, at + size + room);
      const stop = found.findIndex((token) => eos.includes(token));
      return stop < 0 ? found : found.slice(0, stop);
    }
  }
  return [];
}
