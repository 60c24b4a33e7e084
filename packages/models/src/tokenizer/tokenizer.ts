/**
 * A tokenizer that is called like Python's: `tokenizer(texts, { padding: true, truncation: true })`. It is a function with
 * the methods of Hugging Face's `PreTrainedTokenizer` on it, made from the contents of `tokenizer.json` and
 * `tokenizer_config.json`; the steps themselves (normalizer, splitter, model, decoder) are `@huggingface/tokenizers`.
 */
import { tokenText } from './bert-json.ts';
import { keptLengths, mapEncoding, padBatch, toIntTensor } from './batch.ts';
import type { Encoding, IntTensor, PadOptions, TruncationStrategy } from './batch.ts';
import { TokenizerError } from './errors.ts';
import { writeTokenizerFiles } from './files.ts';
import type { TokenizerConfig, TokenizerJson } from './files.ts';
import { createPipeline } from './pipeline.ts';

/** What a call takes besides the text. */
export interface EncodeOptions extends PadOptions {
  /** The second text of a pair, or one for every text of a batch. */
  readonly text_pair?: string | readonly string[] | undefined;
  /** Put `[CLS]` and `[SEP]` (or what the model has) around the text. Default `true`. */
  readonly add_special_tokens?: boolean | undefined;
  /** `true` or `'longest_first'`: cut to `max_length`; `false` or `'do_not_truncate'`: not. Default `false`. */
  readonly truncation?: boolean | TruncationStrategy | 'do_not_truncate' | undefined;
  /** Default: whether the model has them (`model_input_names`; for BERT, yes). */
  readonly return_token_type_ids?: boolean | undefined;
}

/** Options of a call that gives arrays of numbers. */
export type ArrayOptions = EncodeOptions & { readonly return_tensors?: undefined };
/** Options of a call that gives {@link IntTensor}s. */
export type TensorOptions = EncodeOptions & { readonly return_tensors: 'i32' };

/** One text, or the two of a pair. */
export type TextOrPair = string | readonly [text: string, text_pair: string];

/** How token ids are turned back into text. */
export interface DecodeOptions {
  /** Leave out `[CLS]`, `[PAD]` and the like. Default `false`. */
  readonly skip_special_tokens?: boolean | undefined;
  /** Remove the spaces before punctuation. Default: what `tokenizer_config.json` says. */
  readonly clean_up_tokenization_spaces?: boolean | undefined;
}

/** The special tokens a tokenizer can have. */
export type SpecialTokenName = (typeof specialTokenNames)[number];
/** The special tokens a tokenizer can have, as `tokenizer_config.json` calls them. */
export const specialTokenNames = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

/** `pad_token` and `pad_token_id`, and so on; `undefined` where the tokenizer has no such token. */
export type SpecialTokens = { readonly [N in SpecialTokenName]: string | undefined } & {
  readonly [N in `${SpecialTokenName}_id`]: number | undefined;
};

/**
 * Encodes a text, a batch of texts, or a batch of pairs (`[['a', 'b'], …]`). An empty second text is still a second text.
 *
 * @returns `input_ids`, `token_type_ids` (where the model has them) and `attention_mask`: one row for a single text, one
 * row per text for a batch; with `return_tensors: 'i32'` flat arrays of shape `[texts, tokens]`.
 * @throws {TokenizerError} when `max_length` has no room for the special tokens, the pairs do not match the texts, or
 * tensors are asked of rows that differ in length.
 */
export interface EncodeCall {
  (text: string | readonly TextOrPair[], options: TensorOptions): Encoding<IntTensor>;
  (text: string, options?: ArrayOptions): Encoding<number[]>;
  (texts: readonly TextOrPair[], options?: ArrayOptions): Encoding<number[][]>;
}

/** Text to token ids and back. Names, options and defaults are those of Hugging Face's `PreTrainedTokenizerFast`. */
export interface PreTrainedTokenizer extends EncodeCall, SpecialTokens {
  /** The token ids of one text. */
  encode(text: string, options?: ArrayOptions): number[];
  /** The text of token ids. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string;
  /** The text of each row; also of an {@link IntTensor}, such as a call returns. */
  batch_decode(rows: readonly Iterable<number>[] | IntTensor, options?: DecodeOptions): string[];
  /** The pieces of a text, without special tokens unless asked for. */
  tokenize(text: string, options?: { readonly add_special_tokens?: boolean; readonly text_pair?: string }): string[];
  /** Ids of pieces; a piece that is not in the vocabulary gets the id of the unknown token. */
  convert_tokens_to_ids(token: string): number;
  /** Ids of several pieces. */
  convert_tokens_to_ids(tokens: readonly string[]): number[];
  /** Pieces of ids. */
  convert_ids_to_tokens(id: number): string;
  /** Pieces of several ids. */
  convert_ids_to_tokens(ids: Iterable<number>): string[];
  /** Pads encodings of different lengths to one batch: what a data collator does. See {@link PadOptions}. */
  pad(
    rows: readonly Partial<Encoding<readonly number[]>>[],
    options: PadOptions & { readonly return_tensors: 'i32' },
  ): Encoding<IntTensor>;
  /** The same as arrays of numbers. */
  pad(rows: readonly Partial<Encoding<readonly number[]>>[], options?: PadOptions): Encoding<number[][]>;
  /** How many special tokens a text, or a pair, gets. */
  num_special_tokens_to_add(pair?: boolean): number;
  /** Every piece with its id. */
  get_vocab(): ReadonlyMap<string, number>;
  /**
   * Writes `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json` and, for WordPiece, `vocab.txt`, as Python does.
   *
   * @returns the paths written.
   */
  save_pretrained(folder: string): Promise<string[]>;

  /** Pieces in the model's vocabulary, without tokens added to it afterwards. */
  readonly vocab_size: number;
  /** The most tokens the model takes; `Infinity` where it names no limit. */
  readonly model_max_length: number;
  readonly padding_side: 'right' | 'left';
  readonly model_input_names: readonly string[];
  readonly all_special_tokens: readonly string[];
  readonly all_special_ids: readonly number[];
  /** The contents of `tokenizer.json`. */
  readonly json: TokenizerJson;
  /** The contents of `tokenizer_config.json`. */
  readonly config: TokenizerConfig;
}

/** What a tokenizer is made of. */
export interface TokenizerParts {
  readonly json: TokenizerJson;
  readonly config?: TokenizerConfig;
}

/**
 * Makes a tokenizer from the contents of its files.
 *
 * @throws {TokenizerError} when `json` describes a step that is not known.
 */
export function createTokenizer({ json, config = {} }: TokenizerParts): PreTrainedTokenizer {
  const pipeline = createPipeline(json, config);
  const vocab = vocabulary(json);
  const specials = specialTokens(config, vocab);
  const padding_side = config.padding_side ?? 'right';
  const model_max_length = maxLength(config);
  const model_input_names = config.model_input_names ?? inputNames(config.tokenizer_class);
  const rules = { pad_token_id: specials.pad_token_id, padding_side, model_max_length };

  const toId = (token: string): number => {
    const id = vocab.get(token) ?? specials.unk_token_id;
    if (id === undefined)
      throw new TokenizerError(`'${token}' is not in the vocabulary, and the tokenizer has no unk_token.`);
    return id;
  };
  const toIds = (tokens: readonly string[]): number[] => tokens.map(toId);
  const num_special_tokens_to_add = (pair = false): number =>
    pipeline.join([], pair ? [] : undefined, true).tokens.length;

  const encodeOne = (text: string, text_pair: string | undefined, options: EncodeOptions): Encoding<number[]> => {
    const { add_special_tokens = true, truncation = false, max_length = model_max_length } = options;
    let a = pipeline.split(text);
    let b = text_pair === undefined ? undefined : pipeline.split(text_pair);
    if (truncation !== false && truncation !== 'do_not_truncate') {
      const special = add_special_tokens ? num_special_tokens_to_add(b !== undefined) : 0;
      if (max_length < special) {
        throw new TokenizerError(
          `max_length ${max_length} has no room for the ${special} special tokens. Raise it, or say add_special_tokens: false.`,
        );
      }
      const [keptA, keptB] = keptLengths(
        a.length,
        b?.length,
        max_length - special,
        truncation === true ? 'longest_first' : truncation,
      );
      a = a.slice(0, keptA);
      b = b?.slice(0, keptB);
    }
    const { tokens, types } = pipeline.join(a, b, add_special_tokens);
    return {
      input_ids: toIds(tokens),
      ...((options.return_token_type_ids ?? model_input_names.includes('token_type_ids')) && { token_type_ids: types }),
      attention_mask: new Array<number>(tokens.length).fill(1),
    };
  };

  function call(
    input: string | readonly TextOrPair[],
    options: EncodeOptions = {},
  ): Encoding<number[] | number[][] | IntTensor> {
    const rows = textPairs(input, options.text_pair).map(([text, pair]) => encodeOne(text, pair, options));
    const batch = padBatch(rows, { padding: false, ...options }, rules);
    if (options.return_tensors === 'i32') return mapEncoding(batch, toIntTensor);
    return typeof input === 'string' ? mapEncoding(batch, (row) => row[0]!) : batch;
  }

  const decode = (ids: Iterable<number>, options: DecodeOptions = {}): string => pipeline.decode([...ids], options);

  return Object.assign(call as EncodeCall, {
    ...specials,
    encode: (text: string, options: ArrayOptions = {}) => (call(text, options) as Encoding<number[]>).input_ids,
    decode,
    batch_decode: (rows: readonly Iterable<number>[] | IntTensor, options?: DecodeOptions) =>
      ('data' in rows ? tensorRows(rows) : rows).map((ids) => decode(ids, options)),
    tokenize: (
      text: string,
      { add_special_tokens = false, text_pair }: { add_special_tokens?: boolean; text_pair?: string } = {},
    ) =>
      pipeline.join(
        pipeline.split(text),
        text_pair === undefined ? undefined : pipeline.split(text_pair),
        add_special_tokens,
      ).tokens,
    convert_tokens_to_ids: ((tokens: string | readonly string[]) =>
      typeof tokens === 'string' ? toId(tokens) : toIds(tokens)) as PreTrainedTokenizer['convert_tokens_to_ids'],
    convert_ids_to_tokens: ((ids: number | Iterable<number>) =>
      typeof ids === 'number'
        ? pipeline.token(ids)
        : Array.from(ids, pipeline.token)) as PreTrainedTokenizer['convert_ids_to_tokens'],
    pad: ((rows: readonly Partial<Encoding<readonly number[]>>[], options: PadOptions = {}) => {
      const batch = padBatch(rows, options, rules);
      return options.return_tensors === 'i32' ? mapEncoding(batch, toIntTensor) : batch;
    }) as PreTrainedTokenizer['pad'],
    num_special_tokens_to_add,
    get_vocab: () => vocab,
    save_pretrained: (folder: string) => writeTokenizerFiles(folder, savedFiles(json, config, specials)),
    vocab_size: modelVocabulary(json).length,
    model_max_length,
    padding_side,
    model_input_names,
    all_special_tokens: json.added_tokens.filter((t) => t.special).map((t) => t.content),
    all_special_ids: json.added_tokens.filter((t) => t.special).map((t) => t.id),
    json,
    config,
  });
}

/** Texts with the second text of their pair, from all the ways to say them. */
function textPairs(
  input: string | readonly TextOrPair[],
  text_pair: EncodeOptions['text_pair'],
): (readonly [string, string | undefined])[] {
  const texts = typeof input === 'string' ? [input] : input;
  const seconds = typeof text_pair === 'string' ? [text_pair] : text_pair;
  if (seconds !== undefined && seconds.length !== texts.length) {
    throw new TokenizerError(
      `text_pair has ${seconds.length} texts for a batch of ${texts.length}. Give one for each.`,
    );
  }
  return texts.map((text, i) => {
    const pair: readonly unknown[] = typeof text === 'string' ? [text, seconds?.[i]] : Array.isArray(text) ? text : [];
    const [first, second] = pair;
    if (typeof first !== 'string' || (second !== undefined && typeof second !== 'string')) {
      throw new TokenizerError(
        `Entry ${i} of the batch should be a text or a pair of texts, but is ${JSON.stringify(text)}.`,
      );
    }
    return [first, second] as const;
  });
}

/** The pieces of the model itself, in the order of the file. */
function modelVocabulary({ model }: TokenizerJson): (readonly [string, number])[] {
  const { vocab } = model;
  if (Array.isArray(vocab)) return (vocab as [string, number][]).map(([piece], id) => [piece, id]);
  return Object.entries(vocab as Record<string, number>);
}

function vocabulary(json: TokenizerJson): Map<string, number> {
  const vocab = new Map(modelVocabulary(json));
  for (const { content, id } of json.added_tokens) vocab.set(content, id);
  return vocab;
}

function specialTokens(config: TokenizerConfig, vocab: ReadonlyMap<string, number>): SpecialTokens {
  return Object.fromEntries(
    specialTokenNames.flatMap((key) => {
      const token = tokenText(config[key]);
      return [
        [key, token],
        [`${key}_id`, token === undefined ? undefined : vocab.get(token)],
      ];
    }),
  ) as unknown as SpecialTokens;
}

/** Python writes 1e30 for "no limit". */
function maxLength({ model_max_length }: TokenizerConfig): number {
  return model_max_length === undefined || model_max_length > 1e20 ? Infinity : model_max_length;
}

/** Only the families of BERT tell the sentences of a pair apart by `token_type_ids`. */
function inputNames(tokenizer_class: string | undefined): readonly string[] {
  return /^(Bert|Electra|MobileBert|Albert|Funnel|ConvBert|Deberta)/.test(tokenizer_class ?? '')
    ? ['input_ids', 'token_type_ids', 'attention_mask']
    : ['input_ids', 'attention_mask'];
}

function savedFiles(json: TokenizerJson, config: TokenizerConfig, specials: SpecialTokens): Record<string, unknown> {
  const map = Object.fromEntries(
    specialTokenNames.flatMap((key) => (specials[key] === undefined ? [] : [[key, specials[key]]])),
  );
  const pieces = modelVocabulary(json).sort(([, a], [, b]) => a - b);
  return {
    'tokenizer.json': json,
    'tokenizer_config.json': config,
    'special_tokens_map.json': map,
    ...(json.model.type === 'WordPiece' && { 'vocab.txt': pieces.map(([piece]) => `${piece}\n`).join('') }),
  };
}

function tensorRows({ shape: [rows, width], data }: IntTensor): Int32Array[] {
  return Array.from({ length: rows }, (_, i) => data.subarray(i * width, (i + 1) * width));
}
