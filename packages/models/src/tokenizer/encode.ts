/**
 * From the tokens of one or two texts to rows that a model takes: cut to a length, in windows if all is to be kept, with special tokens
 * around them, by Hugging Face's rules (`tokenizers/src/utils/truncation.rs`).
 */
import { keptLengths } from './batch.ts';
import type { Encoding, TruncationStrategy } from './batch.ts';
import { TokenizerError } from './errors.ts';
import type { Pipeline, Tokens } from './pipeline.ts';
import type { TemplateItem } from './template.ts';

/** Where in the text a token begins and ends, in UTF-16 code units (indices of a JavaScript string); `[0, 0]` for special tokens. */
export type Offset = readonly [start: number, end: number];

/** What {@link EncodeOptions.return_offsets_mapping} adds: one entry for each token, `null` for special tokens and padding. */
export interface TokenOffsets {
  /**
   * Where in its text a token begins and ends: `text.slice(start, end)` is what it was made of. In UTF-16 code units, where Python has code
   * points; pieces of one character all have the place of that character.
   */
  readonly offset_mapping: Offset[];
  /** The number of the word of its text that a token belongs to: what the pre-tokenizer cuts at spaces and signs. */
  readonly word_ids: (number | null)[];
  /** 0 for tokens of the first text, 1 for tokens of the second. */
  readonly sequence_ids: (0 | 1 | null)[];
}

/** One sequence of tokens. */
export type EncodedRow = Encoding<number[]> & Partial<TokenOffsets>;

/** How texts become rows. */
export interface RowOptions {
  readonly add_special_tokens: boolean;
  readonly truncation: TruncationStrategy | undefined;
  /** Tokens at most, special ones included. */
  readonly max_length: number;
  /** How many tokens a window has in common with the one before it. */
  readonly stride: number;
  /** Whether there are further rows with what the first has no room for. */
  readonly overflow: boolean;
  readonly token_type_ids: boolean;
  readonly offsets: boolean;
}

/**
 * The rows of one text or one pair; one row unless `overflow` says otherwise and something is cut.
 *
 * @throws {TokenizerError} when `max_length` has no room for special tokens, or `stride` none for the window.
 */
export function encodeRows(
  pipeline: Pipeline,
  text: string,
  text_pair: string | undefined,
  options: RowOptions,
): EncodedRow[] {
  const { add_special_tokens, truncation, max_length, stride, overflow, offsets } = options;
  const a = pipeline.split(text, offsets);
  const b = text_pair === undefined ? undefined : pipeline.split(text_pair, offsets);
  const whole = pipeline.template[b ? 'pair' : 'single'];
  const items = add_special_tokens ? whole : whole.filter((item) => 'sequence' in item);
  const row = (a: Tokens, b: Tokens | undefined): EncodedRow => joinRow(items, [a, b], options);
  if (truncation === undefined) return [row(a, b)];

  const special = countSpecials(items);
  if (max_length < special) {
    throw new TokenizerError(
      `max_length ${max_length} has no room for the ${special} special tokens. Raise it, or say add_special_tokens: false.`,
    );
  }
  const [keptA, keptB] = keptLengths(a.ids.length, b?.ids.length, max_length - special, truncation);
  const windowsA = windows(a, keptA, stride, overflow);
  const windowsB = b ? windows(b, keptB!, stride, overflow) : [undefined];
  // As in Python: what is left of the first text with all of the second comes before the first with what is left of the second.
  const [firstA, ...moreA] = windowsA;
  const [firstB, ...moreB] = windowsB;
  return [
    row(firstA!, firstB),
    ...moreA.flatMap((a) => windowsB.map((b) => row(a, b))),
    ...moreB.map((b) => row(firstA!, b)),
  ];
}

/** How many tokens stand around texts. */
export function countSpecials(items: readonly TemplateItem[]): number {
  return items.reduce((count, item) => count + ('ids' in item ? item.ids.length : 0), 0);
}

/** The tokens in windows of `length`, each beginning `stride` tokens before the end of the one before it. */
function windows(tokens: Tokens, length: number, stride: number, overflow: boolean): Tokens[] {
  const count = tokens.ids.length;
  if (length >= count) return [tokens];
  const first = cut(tokens, 0, length);
  if (!overflow) return [first];
  if (length === 0) return [first, tokens];
  if (stride >= length) {
    throw new TokenizerError(
      `stride ${stride} leaves no room for new tokens: a window has ${length} of them. Make stride smaller, or max_length larger.`,
    );
  }
  const out = [first];
  for (let start = length - stride; out.length === 1 || start + stride < count; start += length - stride) {
    out.push(cut(tokens, start, Math.min(start + length, count)));
  }
  return out;
}

function cut({ ids, places }: Tokens, from: number, to: number): Tokens {
  return {
    ids: ids.slice(from, to),
    places: places && {
      starts: places.starts.slice(from, to),
      ends: places.ends.slice(from, to),
      words: places.words.slice(from, to),
      texts: places.texts.slice(from, to),
    },
  };
}

function joinRow(
  items: readonly TemplateItem[],
  texts: readonly [Tokens, Tokens | undefined],
  { token_type_ids, offsets }: RowOptions,
): EncodedRow {
  const input_ids: number[] = [];
  const types: number[] = [];
  const at: TokenOffsets = { offset_mapping: [], word_ids: [], sequence_ids: [] };
  for (const item of items) {
    const tokens = 'ids' in item ? { ids: item.ids, places: undefined } : texts[item.sequence];
    tokens?.ids.forEach((id, i) => {
      input_ids.push(id);
      if (token_type_ids) types.push(item.type);
      if (!offsets) return;
      const { places } = tokens;
      at.offset_mapping.push(places ? [places.starts[i]!, places.ends[i]!] : [0, 0]);
      at.word_ids.push(places ? places.words[i]! : null);
      at.sequence_ids.push('sequence' in item ? item.sequence : null);
    });
  }
  return {
    input_ids,
    ...(token_type_ids && { token_type_ids: types }),
    attention_mask: new Array<number>(input_ids.length).fill(1),
    ...(offsets && at),
  };
}

/** The number of the token that unit `index` of a text belongs to (of the second text of a pair with `sequence` 1), if there is one. */
export function char_to_token(
  { offset_mapping, sequence_ids }: Pick<TokenOffsets, 'offset_mapping' | 'sequence_ids'>,
  index: number,
  sequence: 0 | 1 = 0,
): number | undefined {
  const found = offset_mapping.findIndex(
    ([start, end], i) => sequence_ids[i] === sequence && start <= index && index < end,
  );
  return found < 0 ? undefined : found;
}

/** The first token of a word and the one behind its last, if the word is there. */
export function word_to_tokens(
  { word_ids, sequence_ids }: Pick<TokenOffsets, 'word_ids' | 'sequence_ids'>,
  word: number,
  sequence: 0 | 1 = 0,
): readonly [start: number, end: number] | undefined {
  const has = (id: number | null, i: number): boolean => id === word && sequence_ids[i] === sequence;
  const start = word_ids.findIndex(has);
  return start < 0 ? undefined : [start, word_ids.findLastIndex(has) + 1];
}
