/**
 * Where tokenizers come from: `from_pretrained` with a model folder or a hub id, or a vocabulary. A tokenizer is a function,
 * so `BertTokenizer` and `AutoTokenizer` are plain objects that make one, and types of the same name.
 */
import { resolveModel } from '../checkpoint/hub.ts';
import type { ResolveOptions } from '../checkpoint/hub.ts';
import { bertSpecialTokens, bertTokenizerJson, withNormalization } from './bert-json.ts';
import type { BertNormalization } from './bert-json.ts';
import { renderChat } from './chat-template.ts';
import { TokenizerError } from './errors.ts';
import { readTokenizerFiles, tokenizerFileNames } from './files.ts';
import type { TokenizerConfig } from './files.ts';
import { createTokenizer } from './tokenizer.ts';
import type { PreTrainedTokenizer } from './tokenizer.ts';

/** Which revision of a hub model, from where, and keys of `tokenizer_config.json` that replace those of the file. */
export interface FromPretrainedOptions extends Omit<ResolveOptions, 'files' | 'optional_files'>, BertNormalization {
  readonly model_max_length?: number;
  readonly padding_side?: 'right' | 'left';
  readonly clean_up_tokenization_spaces?: boolean;
  /** What stands for padding, as with a GPT whose tokenizer has no such token: mostly its `eos_token`. */
  readonly pad_token?: string;
}

/** A tokenizer with BERT's clean-up and WordPiece pieces. */
export type BertTokenizer = PreTrainedTokenizer;

/** Makes BERT tokenizers. */
export const BertTokenizer = {
  /**
   * The tokenizer of a BERT model: `folderOrId` is a folder or an id on the hub. Of the model's files `tokenizer.json` is
   * enough, and so is `vocab.txt`.
   *
   * @throws {TokenizerError} when there is no tokenizer, or it is not a WordPiece tokenizer.
   * @throws {CheckpointError} when the model is not found or cannot be fetched.
   */
  async from_pretrained(folderOrId: string, options: FromPretrainedOptions = {}): Promise<BertTokenizer> {
    const tokenizer = await load(folderOrId, options, 'BertTokenizer');
    const { type } = tokenizer.json.model;
    if (type !== 'WordPiece') {
      throw new TokenizerError(
        `'${folderOrId}' has a ${type} tokenizer, but BertTokenizer wants WordPiece. Use AutoTokenizer.from_pretrained.`,
      );
    }
    return tokenizer;
  },

  /**
   * The tokenizer whose piece number `i` is `vocab[i]`; continued pieces begin with `##`.
   *
   * @throws {TokenizerError} when a special token is missing or a piece stands twice.
   */
  from_vocab(vocab: readonly string[], options: BertNormalization & TokenizerConfig = {}): BertTokenizer {
    const config = { ...bertDefaults, ...defined(options) };
    return createTokenizer({ json: bertTokenizerJson(vocab, config), config, chat: renderChat });
  },
};

/** The tokenizer of any model that has a `tokenizer.json`. */
export type AutoTokenizer = PreTrainedTokenizer;

/** Makes the tokenizer that a model's own files describe. */
export const AutoTokenizer = {
  /**
   * The tokenizer of the model in a folder, or with an id on the hub, as its `tokenizer.json` describes it (or `vocab.txt`, for BERT).
   *
   * @throws {TokenizerError} when there is no tokenizer, or one that cannot be built.
   * @throws {CheckpointError} when the model is not found or cannot be fetched.
   */
  from_pretrained: (folderOrId: string, options: FromPretrainedOptions = {}): Promise<AutoTokenizer> =>
    load(folderOrId, options),
};

/** What `tokenizer_config.json` says for BERT where nobody says otherwise. */
const bertDefaults = {
  tokenizer_class: 'BertTokenizer',
  model_max_length: 512,
  do_lower_case: true,
  strip_accents: null,
  tokenize_chinese_chars: true,
  ...bertSpecialTokens,
} as const satisfies TokenizerConfig;

async function load(
  folderOrId: string,
  options: FromPretrainedOptions,
  tokenizer_class?: string,
): Promise<PreTrainedTokenizer> {
  const {
    do_lower_case,
    strip_accents,
    tokenize_chinese_chars,
    model_max_length,
    padding_side,
    clean_up_tokenization_spaces,
    pad_token,
    ...where
  } = options;
  const { folder } = await resolveModel(folderOrId, { ...where, files: [], optional_files: tokenizerFileNames });
  const files = await readTokenizerFiles(folder);
  const asked = defined({
    do_lower_case,
    strip_accents,
    tokenize_chinese_chars,
    model_max_length,
    padding_side,
    clean_up_tokenization_spaces,
    pad_token,
  });
  const said: TokenizerConfig = {
    ...(tokenizer_class && { tokenizer_class }),
    ...files.specialTokensMap,
    ...files.config,
    ...asked,
  };
  if (files.tokenizer) {
    // As in Python, BERT's clean-up follows tokenizer_config.json where the two files differ.
    return createTokenizer({ json: withNormalization(files.tokenizer, said), config: said, chat: renderChat });
  }
  const named = said.tokenizer_class ?? bertDefaults.tokenizer_class;
  if (!files.vocab || !/^Bert/.test(named)) {
    throw new TokenizerError(
      `'${folderOrId}' has no tokenizer.json, and a ${named} cannot be made from other files. ` +
        `Save it with Python's fast tokenizer first: AutoTokenizer.from_pretrained(…).save_pretrained(…).`,
    );
  }
  const config = { ...bertDefaults, ...said };
  return createTokenizer({ json: bertTokenizerJson(files.vocab, config), config, chat: renderChat });
}

/** Without the keys whose value is `undefined`, which must not hide what the files say. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >;
}
