/**
 * Masked language modelling (Devlin et al. 2018, section 3.1): a collator that hides some tokens of every batch and makes labels of them, as Hugging Face's
 * `DataCollatorForLanguageModeling` and `DataCollatorForWholeWordMask`.
 */
import { TrainerError } from '../errors.ts';
import type { CollatorOptions, DataCollator } from './collate.ts';
import { dataCollatorWithPadding } from './collate.ts';
import { mersenneTwister } from './random.ts';

/** What masking needs of a tokenizer. */
export interface MaskingTokenizer {
  readonly mask_token_id?: number | null | undefined;
  readonly pad_token_id?: number | null | undefined;
  /** Tokens that are never hidden. */
  readonly all_special_ids: readonly number[];
  /** Tokens that stand in for others have ids under this. */
  readonly vocab_size: number;
  /** The piece of an id; for whole words. */
  convert_ids_to_tokens?(id: number): string;
}

/** Options of {@link dataCollatorForLanguageModeling}. */
export interface LanguageModelingOptions extends Omit<CollatorOptions, 'pad_token_id'> {
  readonly tokenizer: MaskingTokenizer;
  /** Hide tokens. Default: yes; else labels are the ids themselves, −100 for padding, for a model that predicts the next token. */
  readonly mlm?: boolean | undefined;
  /** How likely a token is chosen. Default 0.15. */
  readonly mlm_probability?: number | undefined;
  /** Choose all pieces of a word or none: pieces that begin with `##` belong to the word before. Default: no. */
  readonly whole_word?: boolean | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
}

/** The label that does not count. */
const ignored = -100;

/**
 * Of the tokens that are chosen, 80 % become the mask, 10 % another token, and 10 % stay; `labels` are what they were, −100 elsewhere. Chance depends on the
 * seed and on which examples are in the batch: a shuffled epoch hides other tokens than the one before, an evaluation always the same, and a run that is
 * resumed goes on as if it had not stopped.
 * @throws TrainerError if there is no mask token, or no model input `labels`; DataError as {@link dataCollatorWithPadding}
 */
export function dataCollatorForLanguageModeling(options: LanguageModelingOptions): DataCollator {
  const { tokenizer, mlm = true, mlm_probability = 0.15, whole_word = false, seed = 0, ...rest } = options;
  const { mask_token_id, pad_token_id, all_special_ids, vocab_size } = tokenizer;
  if (mlm && (mask_token_id === undefined || mask_token_id === null))
    throw new TrainerError(
      'the tokenizer has no mask token to hide others with; give it one (mask_token), or say mlm: false',
    );
  if (!(mlm_probability > 0 && mlm_probability < 1))
    throw new TrainerError(`mlm_probability is ${mlm_probability}; it must be more than 0 and less than 1`);
  if (!rest.inputs['labels'])
    throw new TrainerError(`the model has no input 'labels'; its inputs are ${Object.keys(rest.inputs).join(', ')}`);
  const { labels: _, ...inputs } = rest.inputs;
  const padded = dataCollatorWithPadding({ ...rest, inputs, pad_token_id });
  const special = new Set(all_special_ids);
  const goesOn = whole_word ? continuations(tokenizer) : () => false;
  return async (features, indices) => {
    const batch = await padded(features, indices);
    const input_ids = batch['input_ids'];
    if (!input_ids) throw new TrainerError("the examples have no field 'input_ids', whose tokens could be hidden");
    const { shape } = input_ids;
    const ids = input_ids.data as Int32Array;
    if (!mlm) {
      const mask = batch['attention_mask']?.data;
      const labels = ids.map((id, i) => ((mask ? mask[i] === 0 : id === pad_token_id) ? ignored : id));
      return { ...batch, labels: { data: labels, shape } };
    }
    const random = fraction(seed, indices);
    const width = shape[1]!;
    const [hidden, labels] = [ids.slice(), new Int32Array(ids.length).fill(ignored)];
    let chosen = false;
    ids.forEach((id, i) => {
      if (special.has(id)) return;
      const isSameWord = i % width > 0 && goesOn(id) && !special.has(ids[i - 1]!);
      if (!isSameWord) chosen = random() < mlm_probability;
      if (!chosen) return;
      labels[i] = id;
      const what = random();
      if (what < 0.8) hidden[i] = mask_token_id!;
      else if (what < 0.9) hidden[i] = Math.floor(random() * vocab_size);
    });
    return { ...batch, input_ids: { data: hidden, shape }, labels: { data: labels, shape } };
  };
}

/** Whether a token belongs to the word before it, looked up once. */
function continuations(tokenizer: MaskingTokenizer): (id: number) => boolean {
  if (!tokenizer.convert_ids_to_tokens)
    throw new TrainerError('whole_word wants a tokenizer with convert_ids_to_tokens, which tells the pieces of words');
  const known = new Map<number, boolean>();
  return (id) => {
    let is = known.get(id);
    if (is === undefined) known.set(id, (is = tokenizer.convert_ids_to_tokens!(id).startsWith('##')));
    return is;
  };
}

/** Numbers in [0, 1) that the seed and the examples decide. */
function fraction(seed: number, indices: readonly number[]): () => number {
  let hash = seed | 0;
  for (const index of indices) hash = Math.imul(hash ^ (hash >>> 15) ^ index, 0x9e3779b1) + 0x7f4a7c15;
  const next = mersenneTwister(hash >>> 0);
  return () => next() / 2 ** 32;
}
