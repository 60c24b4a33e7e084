/** How text is generated: the keys of `generation_config.json` that are known here, with Hugging Face's defaults. */
import { InputError } from '../errors.ts';

/** The keys of `generation_config.json`. */
export interface GenerationConfig {
  /** Tokens to write at most, the prompt not counted. Default: up to `max_length`. */
  readonly max_new_tokens?: number | undefined;
  /** Tokens at most, the prompt (with its padding) counted. Default: 20. */
  readonly max_length?: number | undefined;
  /** Tokens at least, the prompt counted: an end before that is not taken. Default: 0. */
  readonly min_length?: number | undefined;
  /** Tokens to write at least. Default: 0. */
  readonly min_new_tokens?: number | undefined;
  /** Draw each token by its probability; else the most probable one is taken. Default: `false`. */
  readonly do_sample?: boolean | undefined;
  /** Divides the logits before a draw: below 1 bolder choices are rarer. Default: 1. */
  readonly temperature?: number | undefined;
  /** Draw from so many of the most probable tokens; 0: from all. Default: 50. */
  readonly top_k?: number | undefined;
  /** Draw from the fewest most probable tokens whose probabilities add up to this. Default: 1, all. */
  readonly top_p?: number | undefined;
  /** Draw from tokens at least this times as probable as the most probable one. Default: not asked. */
  readonly min_p?: number | undefined;
  /** Makes tokens that are there already less likely (Keskar et al. 2019). Default: 1, not at all. */
  readonly repetition_penalty?: number | undefined;
  /** No run of so many tokens is written twice. Default: 0, not asked. */
  readonly no_repeat_ngram_size?: number | undefined;
  /** The token or tokens that end a text. Default: the model's. */
  readonly eos_token_id?: number | readonly number[] | null | undefined;
  /** What follows the end of a text that is shorter than others. Default: the model's, else the token that ends. */
  readonly pad_token_id?: number | null | undefined;
}

/** All keys with values. */
export type Generation = {
  readonly [
    K in Exclude<keyof GenerationConfig, 'max_new_tokens' | 'min_p' | 'eos_token_id' | 'pad_token_id'>
  ]-?: Exclude<GenerationConfig[K], undefined>;
} & { readonly min_p: number; readonly eos: ReadonlySet<number>; readonly pad: number };

/**
 * Fills in what is not said.
 *
 * @param prompt Tokens of the prompt, with padding.
 * @throws InputError for values that make no sense
 */
export function fillGeneration(said: GenerationConfig, prompt: number): Generation {
  const { max_new_tokens, max_length = 20, eos_token_id: end, pad_token_id } = said;
  const eos = new Set(end === null || end === undefined ? [] : typeof end === 'number' ? [end] : end);
  const all = {
    min_length: 0,
    min_new_tokens: 0,
    do_sample: false,
    temperature: 1,
    top_k: 50,
    top_p: 1,
    min_p: 0,
    repetition_penalty: 1,
    no_repeat_ngram_size: 0,
    ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== null)),
    max_length: max_new_tokens === undefined ? max_length : prompt + max_new_tokens,
    eos,
    pad: pad_token_id ?? [...eos][0] ?? 0,
  } as Generation;
  const wrong = (key: string, value: unknown, wants: string): InputError =>
    new InputError(`generate: ${key} is ${String(value)}; it must be ${wants}`);
  const whole = ['max_length', 'min_length', 'min_new_tokens', 'top_k', 'no_repeat_ngram_size'] as const;
  for (const key of whole)
    if (!Number.isInteger(all[key]) || all[key] < 0) throw wrong(key, all[key], 'a whole number from 0 on');
  if (max_new_tokens !== undefined && (!Number.isInteger(max_new_tokens) || max_new_tokens < 1))
    throw wrong('max_new_tokens', max_new_tokens, 'a whole number from 1 on');
  for (const key of ['temperature', 'repetition_penalty'] as const)
    if (!(all[key] > 0)) throw wrong(key, all[key], 'above 0');
  for (const key of ['top_p', 'min_p'] as const)
    if (!(all[key] >= 0 && all[key] <= 1)) throw wrong(key, all[key], 'from 0 to 1');
  if (all.max_length <= prompt)
    throw new InputError(
      `generate: the prompt has ${prompt} tokens, and max_length is ${all.max_length}: nothing can be written; give max_new_tokens`,
    );
  return all;
}
