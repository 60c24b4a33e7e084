/**
 * The steps between text and pieces: `@huggingface/tokenizers` with its BERT steps made exact (`bert-text.ts`) and quick.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { cleanUpSpaces, joinWordPieces, normalizeBert } from './bert-text.ts';
import type { BertNormalizer } from './bert-text.ts';
import { TokenizerError } from './errors.ts';
import type { TokenizerConfig, TokenizerJson } from './files.ts';

/** Text to pieces and back. */
export interface Pipeline {
  /** The words of one text, as the model cuts them into pieces. */
  words(text: string): string[];
  /** The pieces of one text, without special tokens. */
  split(text: string): string[];
  /** The pieces of one or two texts as one sequence, with the number of the text that each belongs to. */
  join(
    a: readonly string[],
    b: readonly string[] | undefined,
    specials: boolean,
  ): { tokens: string[]; types: number[] };
  /** The piece of an id. */
  token(id: number): string;
  /** Text from ids. */
  decode(
    ids: readonly number[],
    options: { skip_special_tokens?: boolean | undefined; clean_up_tokenization_spaces?: boolean | undefined },
  ): string;
}

/**
 * Builds the steps that `json` describes.
 *
 * @throws {TokenizerError} when there is one that is not known.
 */
export function createPipeline(json: TokenizerJson, config: TokenizerConfig): Pipeline {
  const library = createLibrary(json, config);
  const special = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.content));
  const decoder = json.decoder;
  const token = (id: number): string => {
    const found = library.id_to_token(id);
    if (found === undefined) throw new TokenizerError(`There is no token with id ${id}.`);
    return found;
  };
  return {
    token,
    words: (text) => library.pre_tokenizer?.(library.normalizer?.(text) ?? text) ?? [text],
    split: (text) => library.tokenize(text, { add_special_tokens: false }),
    join(a, b, specials) {
      const done = library.post_processor?.([...a], b === undefined ? null : [...b], specials);
      // Steps without a template (byte-level ones) leave the two texts apart.
      const tokens = done?.token_type_ids
        ? done.tokens
        : [...(done?.tokens ?? a), ...(done?.tokens_pair ?? (done ? [] : (b ?? [])))];
      return { tokens, types: done?.token_type_ids ?? tokens.map(() => 0) };
    },
    decode(
      ids,
      { skip_special_tokens = false, clean_up_tokenization_spaces = config.clean_up_tokenization_spaces ?? false },
    ) {
      const tokens = ids.map(token).filter((piece) => !(skip_special_tokens && special.has(piece)));
      const text =
        decoder?.type === 'WordPiece'
          ? joinWordPieces(tokens, String(decoder.prefix ?? '##'), decoder.cleanup !== false)
          : (library.decoder?.(tokens) ?? tokens.join(' '));
      return clean_up_tokenization_spaces ? cleanUpSpaces(text) : text;
    },
  };
}

/** What is used of the library's `Tokenizer`, whose own declarations do not resolve under `moduleResolution: NodeNext`. */
interface Library {
  readonly normalizer: (((text: string) => string) & { normalize: (text: string) => string }) | null;
  readonly pre_tokenizer: ((text: string) => string[]) | null;
  readonly model: ((words: string[]) => string[]) & { encode: (words: string[]) => string[] };
  readonly post_processor:
    | ((
        a: string[],
        b: string[] | null,
        specials: boolean,
      ) => { tokens: string[]; tokens_pair?: string[]; token_type_ids?: number[] })
    | null;
  readonly decoder: ((tokens: string[]) => string) | null;
  tokenize(text: string, options: { add_special_tokens: boolean }): string[];
  id_to_token(id: number): string | undefined;
}

function createLibrary(json: TokenizerJson, config: TokenizerConfig): Library {
  let library: Library;
  try {
    library = new Tokenizer(json, config) as Library;
  } catch (cause) {
    throw new TokenizerError(`tokenizer.json describes a tokenizer that cannot be built: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (library.normalizer && json.normalizer?.type === 'BertNormalizer') {
    const rules = json.normalizer as BertNormalizer;
    library.normalizer.normalize = (text) => normalizeBert(text, rules);
  }
  if (json.model.type === 'WordPiece') library.model.encode = rememberWords(library.model.encode.bind(library.model));
  return library;
}

/** WordPiece looks at one word at a time, and text repeats its words: remembering them is several times as fast. */
function rememberWords(encode: (words: string[]) => string[]): (words: string[]) => string[] {
  const known = new Map<string, readonly string[]>();
  return (words) => {
    const out: string[] = [];
    for (const word of words) {
      let pieces = known.get(word);
      if (pieces === undefined) {
        if (known.size >= 100_000) known.clear();
        known.set(word, (pieces = encode([word])));
      }
      for (const piece of pieces) out.push(piece);
    }
    return out;
  };
}
