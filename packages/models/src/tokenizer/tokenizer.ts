/**
 * A tokenizer that is called like Python's: `tokenizer(texts, { padding: true, truncation: true })`. It is a function with
 * the methods of Hugging Face's `PreTrainedTokenizer` on it, made from the contents of `tokenizer.json` and
 * `tokenizer_config.json`.
 */
import { tokenText } from './bert-json.ts';
import { mapEncoding, padBatch, padOffsets, toIntTensor } from './batch.ts';
import type { Encoding, IntTensor, PadOptions, TruncationStrategy } from './batch.ts';
import type { ChatMessage, ChatOptions, ChatRenderer } from './chat-template.ts';
import { countSpecials, encodeRows } from './encode.ts';
import type { EncodedRow, TokenOffsets } from './encode.ts';
import { TokenizerError } from './errors.ts';
import { writeTokenizerFiles } from './files.ts';
import type { TokenizerConfig, TokenizerJson } from './files.ts';
import { modelVocabulary } from './pieces.ts';
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
  /** Tell where in the text each token, its word and its sequence are: {@link TokenOffsets}. Default `false`. */
  readonly return_offsets_mapping?: boolean | undefined;
  /**
   * With `truncation`: what a row has no room for comes in further rows, so that a text may have several; the result is a batch even for
   * one text, and `overflow_to_sample_mapping` tells whose rows they are. Default `false`.
   */
  readonly return_overflowing_tokens?: boolean | undefined;
  /** How many tokens a further row has in common with the one before it, for the context. Default 0. */
  readonly stride?: number | undefined;
}

/** Options of a call that gives arrays of numbers. */
export type ArrayOptions = EncodeOptions & { readonly return_tensors?: undefined };
/** Options of a call that gives {@link IntTensor}s. */
export type TensorOptions = EncodeOptions & { readonly return_tensors: 'i32' };

/** What options add to a batch of rows. */
export type BatchExtras<O> = (O extends { readonly return_offsets_mapping: true }
  ? { readonly [K in keyof TokenOffsets]: TokenOffsets[K][] }
  : unknown) &
  (O extends { readonly return_overflowing_tokens: true }
    ? {
        /** For each row the number of the text that it is of. */
        readonly overflow_to_sample_mapping: number[];
      }
    : unknown);

/** What options add to a single row. */
export type RowExtras<O> = O extends { readonly return_offsets_mapping: true } ? TokenOffsets : unknown;

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
  <const O extends TensorOptions>(
    text: string | readonly TextOrPair[],
    options: O,
  ): Encoding<IntTensor> & BatchExtras<O>;
  <const O extends ArrayOptions & { readonly return_overflowing_tokens: true }>(
    text: string | readonly TextOrPair[],
    options: O,
  ): Encoding<number[][]> & BatchExtras<O>;
  <const O extends ArrayOptions>(text: string, options?: O): Encoding<number[]> & RowExtras<O>;
  <const O extends ArrayOptions>(texts: readonly TextOrPair[], options?: O): Encoding<number[][]> & BatchExtras<O>;
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
  /**
   * The text that a chat model is asked with, or its token ids: what the model's `chat_template` makes of messages.
   *
   * @throws {TokenizerError} when there is no template, or it does not take these messages.
   */
  apply_chat_template(messages: readonly ChatMessage[], options: ChatOptions & { readonly tokenize: false }): string;
  /** The same as token ids. */
  apply_chat_template(messages: readonly ChatMessage[], options?: ChatOptions & { readonly tokenize?: true }): number[];
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
  /** What `tokenizer.json` holds. */
  readonly json: TokenizerJson;
  /** What `tokenizer_config.json` holds. Default: nothing. */
  readonly config?: TokenizerConfig;
  /** For `apply_chat_template`: `renderChat`. Default: there is none, and no interpreter of Jinja in a bundle. */
  readonly chat?: ChatRenderer;
}

const noChat: ChatRenderer = () => {
  throw new TokenizerError(
    'This tokenizer was made without chats. Make it by createTokenizer({ …, chat: renderChat }); both are in @sinter/models/tokenizer.',
  );
};

/**
 * Makes a tokenizer from the contents of its files.
 *
 * @throws {TokenizerError} when `json` describes a step that is not known.
 */
export function createTokenizer({ json, config = {}, chat }: TokenizerParts): PreTrainedTokenizer {
  const pipeline = createPipeline(json, config);
  const vocab = pipeline.vocabulary;
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
  const token = (id: number): string => {
    const found = pipeline.token(id);
    if (found === undefined) throw new TokenizerError(`There is no token with id ${id}.`);
    return found;
  };
  const num_special_tokens_to_add = (pair = false): number =>
    countSpecials(pipeline.template[pair ? 'pair' : 'single']);

  const encodeOne = (text: string, text_pair: string | undefined, options: EncodeOptions): EncodedRow[] => {
    const { truncation = false, return_token_type_ids = model_input_names.includes('token_type_ids') } = options;
    return encodeRows(pipeline, text, text_pair, {
      add_special_tokens: options.add_special_tokens ?? true,
      truncation:
        truncation === true
          ? 'longest_first'
          : truncation === false || truncation === 'do_not_truncate'
            ? undefined
            : truncation,
      max_length: options.max_length ?? model_max_length,
      stride: options.stride ?? 0,
      overflow: options.return_overflowing_tokens ?? false,
      token_type_ids: return_token_type_ids,
      offsets: options.return_offsets_mapping ?? false,
    });
  };

  function call(input: string | readonly TextOrPair[], options: EncodeOptions = {}): unknown {
    const samples = textPairs(input, options.text_pair).map(([text, pair]) => encodeOne(text, pair, options));
    const rows = samples.flat();
    const pad: PadOptions = { padding: false, ...options };
    const batch = padBatch(rows, pad, rules);
    const offsets = options.return_offsets_mapping ? padOffsets(rows, batch.input_ids, pad, rules) : undefined;
    if (typeof input === 'string' && !options.return_overflowing_tokens && !options.return_tensors) {
      const { offset_mapping, word_ids, sequence_ids } = offsets ?? {};
      return {
        ...mapEncoding(batch, (row) => row[0]!),
        ...(offsets && { offset_mapping: offset_mapping![0], word_ids: word_ids![0], sequence_ids: sequence_ids![0] }),
      };
    }
    return {
      ...(options.return_tensors === 'i32' ? mapEncoding(batch, toIntTensor) : batch),
      ...offsets,
      ...(options.return_overflowing_tokens && {
        overflow_to_sample_mapping: samples.flatMap((sample, i) => sample.map(() => i)),
      }),
    };
  }

  const encode = (text: string, options: ArrayOptions = {}): number[] =>
    (call(text, { ...options, return_overflowing_tokens: false }) as Encoding<number[]>).input_ids;
  const decode = (ids: Iterable<number>, options: DecodeOptions = {}): string => pipeline.decode([...ids], options);

  return Object.assign(call as EncodeCall, {
    ...specials,
    encode,
    decode,
    batch_decode: (rows: readonly Iterable<number>[] | IntTensor, options?: DecodeOptions) =>
      ('data' in rows ? tensorRows(rows) : rows).map((ids) => decode(ids, options)),
    tokenize: (
      text: string,
      { add_special_tokens = false, text_pair }: { add_special_tokens?: boolean; text_pair?: string } = {},
    ) => {
      const texts = [text, text_pair].map((part) =>
        part === undefined ? [] : pipeline.split(part, true).places!.texts,
      );
      return pipeline.template[text_pair === undefined ? 'single' : 'pair'].flatMap((item) =>
        'sequence' in item ? texts[item.sequence]! : add_special_tokens ? item.ids.map(token) : [],
      );
    },
    convert_tokens_to_ids: ((tokens: string | readonly string[]) =>
      typeof tokens === 'string' ? toId(tokens) : toIds(tokens)) as PreTrainedTokenizer['convert_tokens_to_ids'],
    convert_ids_to_tokens: ((ids: number | Iterable<number>) =>
      typeof ids === 'number' ? token(ids) : Array.from(ids, token)) as PreTrainedTokenizer['convert_ids_to_tokens'],
    pad: ((rows: readonly Partial<Encoding<readonly number[]>>[], options: PadOptions = {}) => {
      const batch = padBatch(rows, options, rules);
      return options.return_tensors === 'i32' ? mapEncoding(batch, toIntTensor) : batch;
    }) as PreTrainedTokenizer['pad'],
    num_special_tokens_to_add,
    apply_chat_template: ((messages: readonly ChatMessage[], options: ChatOptions = {}) => {
      const text = (chat ?? noChat)(config.chat_template, messages, specials, options);
      // The template has written the special tokens itself.
      return options.tokenize === false ? text : encode(text, { add_special_tokens: false });
    }) as PreTrainedTokenizer['apply_chat_template'],
    get_vocab: () => vocab,
    save_pretrained: (folder: string) => writeTokenizerFiles(folder, savedFiles(json, config, specials)),
    vocab_size: modelVocabulary(json.model).length,
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
  const pieces = modelVocabulary(json.model).sort(([, a], [, b]) => a - b);
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
