/** How text is generated: the keys of `generation_config.json` that are known here, with Hugging Face's defaults. */
import { InputError } from '../errors.ts';

/** The keys of `generation_config.json`. `null` is as if a key were not there. */
export interface GenerationConfig {
  /** Tokens to write at most, the prompt not counted. Default: up to `max_length`. */
  readonly max_new_tokens?: number | null | undefined;
  /** Tokens at most, the prompt (with its padding) counted; of a model with an encoder, the decoder's tokens. Default: 20. */
  readonly max_length?: number | null | undefined;
  /** Tokens at least, the prompt counted: an end before that is not taken. Default: 0. */
  readonly min_length?: number | null | undefined;
  /** Tokens to write at least. Default: 0. */
  readonly min_new_tokens?: number | null | undefined;
  /** Seconds after which nothing more is written. Default: no limit. */
  readonly max_time?: number | null | undefined;
  /** A text ends as soon as its last token completes one of these; wants a `tokenizer`. Default: none. */
  readonly stop_strings?: string | readonly string[] | null | undefined;
  /** Texts that are written at once for each prompt, of which the most probable ones go on. Default: 1, no search. */
  readonly num_beams?: number | null | undefined;
  /** How many texts are given for each prompt: the best beams, or as many draws. Default: 1. */
  readonly num_return_sequences?: number | null | undefined;
  /** The score of a beam is its log probability divided by its length to this power: above 0 favours long texts. Default: 1. */
  readonly length_penalty?: number | null | undefined;
  /**
   * When a search ends: `true` once there are `num_beams` whole texts, `false` when a better one is unlikely, `'never'` when there can be no better
   * one. Default: `false`.
   */
  readonly early_stopping?: boolean | 'never' | null | undefined;
  /** Draw each token by its probability; else the most probable one is taken. Default: `false`. */
  readonly do_sample?: boolean | null | undefined;
  /** Divides the logits before a draw: below 1 bolder choices are rarer. Default: 1. */
  readonly temperature?: number | null | undefined;
  /** Draw from so many of the most probable tokens; 0: from all. Default: 50. */
  readonly top_k?: number | null | undefined;
  /** Draw from the fewest most probable tokens whose probabilities add up to this. Default: 1, all. */
  readonly top_p?: number | null | undefined;
  /** Draw from tokens at least this times as probable as the most probable one. Default: not asked. */
  readonly min_p?: number | null | undefined;
  /** Makes tokens that are there already less likely (Keskar et al. 2019). Default: 1, not at all. */
  readonly repetition_penalty?: number | null | undefined;
  /** No run of so many tokens is written twice. Default: 0, not asked. */
  readonly no_repeat_ngram_size?: number | null | undefined;
  /** Runs of tokens that are not written. Default: none. */
  readonly bad_words_ids?: readonly (readonly number[])[] | null | undefined;
  /** Tokens that are not written. Default: none. */
  readonly suppress_tokens?: readonly number[] | null | undefined;
  /** Tokens that nothing begins with. Default: none. */
  readonly begin_suppress_tokens?: readonly number[] | null | undefined;
  /** `[from, factor]`: after `from` new tokens an end becomes more likely with each. Default: not asked. */
  readonly exponential_decay_length_penalty?: readonly [number, number] | null | undefined;
  /** Makes log probabilities of what the other keys leave, last of all. Default: `false`. */
  readonly renormalize_logits?: boolean | null | undefined;
  /** The token or tokens that end a text. Default: the model's. */
  readonly eos_token_id?: number | readonly number[] | null | undefined;
  /** What follows the end of a text that is shorter than others. Default: the model's, else the token that ends. */
  readonly pad_token_id?: number | null | undefined;
  /** What a text begins with. A decoder does so where `decoder_start_token_id` is not said. */
  readonly bos_token_id?: number | null | undefined;
  /** What the decoder begins with, of a model with an encoder. */
  readonly decoder_start_token_id?: number | null | undefined;
  /** The token after the first one, such as the language that a multilingual decoder is to write. Default: any. */
  readonly forced_bos_token_id?: number | null | undefined;
  /** What stands at `max_length`, where no end came before. Default: any. */
  readonly forced_eos_token_id?: number | readonly number[] | null | undefined;
  /**
   * Tokens that are guessed at a time, from what followed when the last tokens stood there before, and checked in one run (Saxena 2023). The
   * same text, sooner where it repeats itself. One text at a time. Default: none.
   */
  readonly prompt_lookup_num_tokens?: number | null | undefined;
  /** The most last tokens that a guess looks for. Default: 2. */
  readonly max_matching_ngram_size?: number | null | undefined;
  /** `generate` gives an object with scores. Default: `false`. */
  readonly return_dict_in_generate?: boolean | null | undefined;
  /** With `return_dict_in_generate`: also the scores of all tokens at each step. Default: `false`. */
  readonly output_scores?: boolean | null | undefined;
  /** Not used here; kept when a model is saved. */
  readonly use_cache?: boolean | null | undefined;
}

/** What is asked for where nothing is said. */
const defaults = {
  max_length: 20,
  min_length: 0,
  min_new_tokens: 0,
  max_time: Infinity,
  num_beams: 1,
  num_return_sequences: 1,
  length_penalty: 1,
  early_stopping: false as boolean | 'never',
  do_sample: false,
  temperature: 1,
  top_k: 50,
  top_p: 1,
  min_p: 0,
  repetition_penalty: 1,
  no_repeat_ngram_size: 0,
  bad_words_ids: [] as readonly (readonly number[])[],
  suppress_tokens: [] as readonly number[],
  begin_suppress_tokens: [] as readonly number[],
  exponential_decay_length_penalty: null as readonly [number, number] | null,
  renormalize_logits: false,
  forced_bos_token_id: null as number | null,
  prompt_lookup_num_tokens: 0,
  max_matching_ngram_size: 2,
  return_dict_in_generate: false,
  output_scores: false,
};

/** Known keys without a default of their own. */
const others = [
  'max_new_tokens',
  'stop_strings',
  'eos_token_id',
  'pad_token_id',
  'bos_token_id',
  'decoder_start_token_id',
  'forced_eos_token_id',
  'use_cache',
] as const;

/** Keys of Python's library that would change what is written and are not supported, with the values that ask for nothing. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  num_beam_groups: [1],
  diversity_penalty: [0],
  penalty_alpha: [0],
  dola_layers: [],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  encoder_repetition_penalty: [1],
  encoder_no_repeat_ngram_size: [0],
  force_words_ids: [],
  constraints: [],
  forced_decoder_ids: [],
  sequence_bias: [],
  guidance_scale: [1],
  token_healing: [false],
  watermarking_config: [],
};

/** The keys that `generate` understands. */
export const generationKeys: readonly string[] = [...Object.keys(defaults), ...others];

/** All keys with values; `eos`, `pad` and `forced_eos` are made of the tokens of those names. */
export type Generation = Readonly<typeof defaults> & {
  readonly eos: readonly number[];
  readonly pad: number;
  readonly forced_eos: readonly number[];
  readonly stop_strings: readonly string[];
};

/**
 * Fills in what is not said.
 *
 * @param said What `generation_config.json` says, replaced by what the caller says.
 * @param prompt Tokens of the prompt, with padding.
 * @param most Tokens that the model takes.
 * @throws InputError for values that make no sense, and for what is asked and not supported
 */
export function fillGeneration(said: GenerationConfig, prompt: number, most = Infinity): Generation {
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== null));
  checkSupported(given);
  const { max_new_tokens, eos_token_id, pad_token_id, forced_eos_token_id, stop_strings } = given as GenerationConfig;
  const eos = [...new Set(listed(eos_token_id))];
  const { max_length: length = defaults.max_length } = given as { readonly max_length?: number };
  const asked = typeof max_new_tokens === 'number' ? prompt + max_new_tokens : length;
  const all: Generation = {
    ...defaults,
    ...(given as Partial<typeof defaults>),
    max_length: Math.min(asked, most),
    eos,
    pad: pad_token_id ?? eos[0] ?? 0,
    forced_eos: listed(forced_eos_token_id),
    stop_strings: listed(stop_strings),
  };
  checkValues({ ...all, max_length: asked });
  if (max_new_tokens !== undefined && !(isWhole(max_new_tokens) && max_new_tokens! > 0))
    throw wrong('max_new_tokens', max_new_tokens, 'a whole number from 1 on');
  if (prompt >= most)
    throw new InputError(
      `generate: the prompt has ${prompt} tokens, and there is room for ${most}: nothing can be written`,
    );
  if (all.max_length <= prompt)
    throw new InputError(
      `generate: the prompt has ${prompt} tokens, and max_length is ${all.max_length}: nothing can be written; give max_new_tokens`,
    );
  return all;
}

/** Complains about keys that Python's library does not know either. @throws InputError */
export function checkKeys(said: object): void {
  const unknown = Object.keys(said).find((key) => !generationKeys.includes(key) && !Object.hasOwn(unsupported, key));
  if (unknown === undefined) return;
  throw new InputError(`generate: there is no option '${unknown}'; the options are ${generationKeys.join(', ')}`);
}

function checkSupported(given: Readonly<Record<string, unknown>>): void {
  for (const [key, neutral] of Object.entries(unsupported)) {
    const value = given[key];
    if (value === undefined || neutral.includes(value) || (Array.isArray(value) && value.length === 0)) continue;
    throw new InputError(
      `generate: ${key} is ${JSON.stringify(value)}, which is not supported; say ${key}: null to go on without it`,
    );
  }
}

function checkValues(all: Generation): void {
  const from = (least: number, keys: readonly (keyof Generation)[]): void => {
    for (const key of keys)
      if (!isWhole(all[key]) || (all[key] as number) < least)
        throw wrong(key, all[key], `a whole number from ${least} on`);
  };
  from(0, ['max_length', 'min_length', 'min_new_tokens', 'top_k', 'no_repeat_ngram_size', 'prompt_lookup_num_tokens']);
  from(1, ['num_beams', 'num_return_sequences', 'max_matching_ngram_size']);
  for (const key of ['temperature', 'repetition_penalty', 'max_time'] as const)
    if (!(all[key] > 0)) throw wrong(key, all[key], 'above 0');
  for (const key of ['top_p', 'min_p'] as const)
    if (!(all[key] >= 0 && all[key] <= 1)) throw wrong(key, all[key], 'from 0 to 1');
  if (typeof all.length_penalty !== 'number' || Number.isNaN(all.length_penalty))
    throw wrong('length_penalty', all.length_penalty, 'a number');
  const { num_beams, num_return_sequences, do_sample, early_stopping, prompt_lookup_num_tokens } = all;
  if (typeof early_stopping !== 'boolean' && early_stopping !== 'never')
    throw wrong('early_stopping', early_stopping, "true, false or 'never'");
  if (all.bad_words_ids.some((words) => words.length === 0))
    throw wrong('bad_words_ids', JSON.stringify(all.bad_words_ids), 'a list of lists of at least one token');
  if (num_beams > 1 && num_return_sequences > num_beams)
    throw wrong('num_return_sequences', num_return_sequences, `at most num_beams, ${num_beams}`);
  if (num_beams === 1 && num_return_sequences > 1 && !do_sample)
    throw wrong(
      'num_return_sequences',
      num_return_sequences,
      '1 unless there are beams or draws (num_beams, do_sample)',
    );
  if (prompt_lookup_num_tokens > 0 && (num_beams > 1 || num_return_sequences > 1))
    throw new InputError(
      'generate: prompt_lookup_num_tokens is for one text at a time; leave out num_beams and num_return_sequences',
    );
}

const isWhole = (value: unknown): boolean => Number.isInteger(value);

function wrong(key: string, value: unknown, wants: string): InputError {
  return new InputError(`generate: ${key} is ${String(value)}; it must be ${wants}`);
}

function listed<T>(value: T | readonly T[] | null | undefined): readonly T[] {
  return value === null || value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
