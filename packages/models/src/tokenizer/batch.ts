/**
 * From token lists of different lengths to a rectangular batch: truncation and padding, by Hugging Face's rules
 * (`tokenizers/src/utils/{truncation,padding}.rs`).
 */
import type { TokenOffsets } from './encode.ts';
import { TokenizerError } from './errors.ts';

/** What a model is fed, by the names that Hugging Face's models give their inputs. */
export type Encoding<T> = {
  /** Token ids. */
  input_ids: T;
  /** Which sentence a token belongs to (0, or 1 for the second of a pair); only for models that have it. */
  token_type_ids?: T;
  /** 1 for a token, 0 for padding. */
  attention_mask: T;
};

/** A batch as one flat, row-major array, ready to be an input of a program. */
export interface IntTensor {
  readonly dtype: 'i32';
  /** `[texts, tokens]`. */
  readonly shape: readonly [number, number];
  readonly data: Int32Array;
}

/** Which part of a pair is cut. `longest_first` takes tokens from whichever is longer until the pair fits. */
export type TruncationStrategy = 'longest_first' | 'only_first' | 'only_second';

/** How a batch is filled up to a rectangle. */
export interface PadOptions {
  /**
   * `true` or `'longest'`: to the longest of the batch; `'max_length'`: to `max_length`; `false` or `'do_not_pad'`: not.
   * Default: `false` for a call, `true` for `pad`.
   */
  readonly padding?: boolean | 'longest' | 'max_length' | 'do_not_pad' | undefined;
  /** In tokens, special tokens included. Default: the model's own limit, `model_max_length`. */
  readonly max_length?: number | undefined;
  /** Round the padded length up to a multiple of this, so that programs see fewer different lengths. */
  readonly pad_to_multiple_of?: number | undefined;
  /** Default: the tokenizer's `padding_side`, for BERT `'right'`. */
  readonly padding_side?: 'right' | 'left' | undefined;
  /** `'i32'`: {@link IntTensor}s in place of arrays of numbers; the batch must be rectangular. */
  readonly return_tensors?: 'i32' | undefined;
}

/** How many tokens of each part are kept so that together they are at most `room`; `b` is `undefined` without a pair. */
export function keptLengths(
  a: number,
  b: number | undefined,
  room: number,
  strategy: TruncationStrategy,
): readonly [number, number | undefined] {
  const over = a + (b ?? 0) - room;
  if (over <= 0) return [a, b];
  if (strategy === 'longest_first') {
    if (b === undefined) return [room, undefined];
    const short = Math.min(a, b);
    // Cutting only the longer part is enough, or both are cut to half of the room; the odd token goes to the longer one.
    const [keptShort, keptLong] = short * 2 <= room ? [short, room - short] : [room >> 1, room - (room >> 1)];
    return a <= b ? [keptShort, keptLong] : [keptLong, keptShort];
  }
  const part = strategy === 'only_first' ? a : b;
  if (part === undefined || part <= over) {
    throw new TokenizerError(
      `Truncation '${strategy}' has to remove ${over} tokens, but that part has ${part ?? 'no text at all'}. ` +
        `Use 'longest_first', or a larger max_length.`,
    );
  }
  return strategy === 'only_first' ? [a - over, b] : [a, part - over];
}

/** What the fill of each input is, and the limits of the model; told by the tokenizer. */
export interface PadRules {
  readonly pad_token_id: number | undefined;
  readonly padding_side: 'right' | 'left';
  readonly model_max_length: number;
}

/**
 * Pads encodings to one length. The inputs of the result are those of the first encoding; a missing
 * `attention_mask` counts as all ones. Nothing is cut: an encoding longer than `max_length` stays as long as it is.
 */
export function padBatch(
  rows: readonly Partial<Encoding<readonly number[]>>[],
  options: PadOptions,
  rules: PadRules,
): Encoding<number[][]> {
  const ids = rows.map(({ input_ids }, i) => {
    if (input_ids === undefined)
      throw new TokenizerError(`pad: entry ${i} of the batch has no input_ids. Encode its text first.`);
    return input_ids;
  });
  const length = paddedLength(ids, options, rules);
  const fill = length === undefined ? 0 : rules.pad_token_id;
  if (fill === undefined) {
    throw new TokenizerError(
      'pad: this tokenizer has no pad_token. Name one of its tokens, as in from_pretrained(…, { pad_token: tokenizer.eos_token }), ' +
        'or use padding: false with one text at a time.',
    );
  }
  const left = (options.padding_side ?? rules.padding_side) === 'left';
  const extend = (row: readonly number[], value: number): number[] => {
    const missing = new Array<number>(Math.max(0, (length ?? 0) - row.length)).fill(value);
    return left ? [...missing, ...row] : [...row, ...missing];
  };
  const types = rows[0]?.token_type_ids !== undefined;
  return {
    input_ids: ids.map((row) => extend(row, fill)),
    ...(types && { token_type_ids: rows.map((row, i) => extend(row.token_type_ids ?? ids[i]!.map(() => 0), 0)) }),
    attention_mask: rows.map((row, i) => extend(row.attention_mask ?? ids[i]!.map(() => 1), 0)),
  };
}

/** Pads the columns of offsets to the length of the rows of `padded`. */
export function padOffsets(
  rows: readonly Partial<TokenOffsets>[],
  padded: readonly (readonly number[])[],
  options: PadOptions,
  rules: PadRules,
): { readonly [K in keyof TokenOffsets]: TokenOffsets[K][] } {
  const left = (options.padding_side ?? rules.padding_side) === 'left';
  const fill = <T>(row: readonly T[], length: number, value: T): T[] => {
    const missing = new Array<T>(length - row.length).fill(value);
    return left ? [...missing, ...row] : [...row, ...missing];
  };
  return {
    offset_mapping: rows.map((row, i) => fill(row.offset_mapping!, padded[i]!.length, [0, 0])),
    word_ids: rows.map((row, i) => fill(row.word_ids!, padded[i]!.length, null)),
    sequence_ids: rows.map((row, i) => fill(row.sequence_ids!, padded[i]!.length, null)),
  };
}

/** The length that rows are padded to; `undefined`: they are not padded. */
function paddedLength(rows: readonly (readonly number[])[], options: PadOptions, rules: PadRules): number | undefined {
  const { padding = true, max_length = rules.model_max_length, pad_to_multiple_of = 1 } = options;
  if (padding === false || padding === 'do_not_pad') return undefined;
  const target = padding === 'max_length' ? max_length : rows.reduce((most, row) => Math.max(most, row.length), 0);
  if (!Number.isFinite(target)) {
    throw new TokenizerError(
      `padding: 'max_length' needs a max_length: the tokenizer names no limit of its own (model_max_length).`,
    );
  }
  return Math.ceil(target / pad_to_multiple_of) * pad_to_multiple_of;
}

/**
 * One flat Int32Array from rows of equal length.
 *
 * @throws {TokenizerError} when the rows differ in length.
 */
export function toIntTensor(rows: readonly (readonly number[])[]): IntTensor {
  const width = rows[0]?.length ?? 0;
  const data = new Int32Array(rows.length * width);
  rows.forEach((row, i) => {
    if (row.length !== width) {
      throw new TokenizerError(
        `return_tensors: 'i32' needs rows of one length, but row 0 has ${width} tokens and row ${i} has ${row.length}. ` +
          `Say padding: true (and truncation: true).`,
      );
    }
    data.set(row, i * width);
  });
  return { dtype: 'i32', shape: [rows.length, width], data };
}

/** Applies `f` to every input that is there. */
export function mapEncoding<A, B>(encoding: Encoding<A>, f: (value: A) => B): Encoding<B> {
  const { input_ids, token_type_ids, attention_mask } = encoding;
  return {
    input_ids: f(input_ids),
    ...(token_type_ids !== undefined && { token_type_ids: f(token_type_ids) }),
    attention_mask: f(attention_mask),
  };
}
