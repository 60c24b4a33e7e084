/**
 * BERT's tokenizer pipeline as a `tokenizer.json` value: clean and lower-case, split at spaces and punctuation, WordPiece,
 * `[CLS] a [SEP] b [SEP]`. The same file as Python's `BertTokenizerFast` makes from a `vocab.txt`.
 */
import { TokenizerError } from './errors.ts';
import type { AddedTokenJson, TokenizerConfig, TokenizerJson } from './files.ts';

/** How BERT's text clean-up treats letters. Names and defaults are Hugging Face's. */
export interface BertNormalization {
  /** Lower-case the text (the `-uncased` models). Default `true`. */
  readonly do_lower_case?: boolean | undefined;
  /** Remove accents; `null` does it exactly when lower-casing. Default `null`. */
  readonly strip_accents?: boolean | null | undefined;
  /** Put spaces around Chinese characters, so that each is a word. Default `true`. */
  readonly tokenize_chinese_chars?: boolean | undefined;
}

/** The special tokens of a BERT vocabulary. */
export const bertSpecialTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
} as const;

/**
 * The `tokenizer.json` of a BERT tokenizer whose piece number `i` is `vocab[i]`.
 *
 * @throws {TokenizerError} when a special token is not in the vocabulary or a piece is there twice.
 */
export function bertTokenizerJson(
  vocab: readonly string[],
  options: BertNormalization & TokenizerConfig = {},
): TokenizerJson {
  const ids = new Map(vocab.map((piece, id) => [piece, id]));
  if (ids.size !== vocab.length) {
    const twice = vocab.find((piece, id) => ids.get(piece) !== id);
    throw new TokenizerError(`The vocabulary has '${twice}' more than once; every piece needs one id of its own.`);
  }
  const special = (key: keyof typeof bertSpecialTokens): AddedTokenJson => {
    const content = tokenText(options[key]) ?? bertSpecialTokens[key];
    const id = ids.get(content);
    if (id === undefined) {
      throw new TokenizerError(
        `The vocabulary (${vocab.length} pieces) has no '${content}', BERT's ${key}. Add it, or say ${key}: '…'.`,
      );
    }
    return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  };
  const [pad, unk, cls, sep, mask] = (['pad_token', 'unk_token', 'cls_token', 'sep_token', 'mask_token'] as const).map(
    special,
  ) as [AddedTokenJson, AddedTokenJson, AddedTokenJson, AddedTokenJson, AddedTokenJson];
  const token = ({ content }: AddedTokenJson, type_id: number) => ({ SpecialToken: { id: content, type_id } });
  const part = (id: 'A' | 'B', type_id: number) => ({ Sequence: { id, type_id } });
  const template = ({ id, content }: AddedTokenJson) => ({ id: content, ids: [id], tokens: [content] });
  return withNormalization(
    {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [pad, unk, cls, sep, mask].sort((a, b) => a.id - b.id),
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: null,
        lowercase: true,
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [token(cls, 0), part('A', 0), token(sep, 0)],
        pair: [token(cls, 0), part('A', 0), token(sep, 0), part('B', 1), token(sep, 1)],
        special_tokens: { [cls.content]: template(cls), [sep.content]: template(sep) },
      },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: unk.content,
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(ids),
      },
    },
    options,
  );
}

/** The same tokenizer with the clean-up that `options` ask for; what they leave out stays as it is. */
export function withNormalization(json: TokenizerJson, options: BertNormalization): TokenizerJson {
  if (json.normalizer?.type !== 'BertNormalizer') return json;
  const { do_lower_case, strip_accents, tokenize_chinese_chars } = options;
  return {
    ...json,
    normalizer: {
      ...json.normalizer,
      ...(do_lower_case !== undefined && { lowercase: do_lower_case }),
      ...(strip_accents !== undefined && { strip_accents }),
      ...(tokenize_chinese_chars !== undefined && { handle_chinese_chars: tokenize_chinese_chars }),
    },
  };
}

/** A special token stands in the JSON files as its text or as an object with its text as `content`. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : undefined;
}
