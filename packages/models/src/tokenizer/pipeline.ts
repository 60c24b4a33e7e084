/**
 * The steps between text and tokens that a `tokenizer.json` describes, one function each: added tokens are found, what lies between them is
 * normalized and cut into words, the model cuts words into pieces; and the way back.
 */
import { addedTokens } from './added-tokens.ts';
import { cleanUpSpaces } from './bert-text.ts';
import { createDecoder } from './decode.ts';
import { TokenizerError } from './errors.ts';
import type { TokenizerConfig, TokenizerJson } from './files.ts';
import { createModel } from './model.ts';
import { createNormalizer } from './normalize.ts';
import { modelVocabulary } from './pieces.ts';
import { createPreTokenizer } from './pre-tokenize.ts';
import { placeOf, span } from './span.ts';
import { createTemplate } from './template.ts';
import type { Template } from './template.ts';

/** The tokens of one text, as columns. */
export interface Tokens {
  readonly ids: readonly number[];
  /** Where each token begins and ends in the text, in UTF-16 code units, and the number of its word; `undefined` if nobody asked. */
  readonly places: TokenPlaces | undefined;
}

/** One entry for each token. */
export interface TokenPlaces {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly words: readonly number[];
  /** What the token looks like: its piece, or the text that is unknown or an added token. */
  readonly texts: readonly string[];
}

/** Text to tokens and back. */
export interface Pipeline {
  /** The words of one text, as the model cuts them into pieces. */
  words(text: string): string[];
  /** The tokens of one text, without special tokens. */
  split(text: string, tracked?: boolean): Tokens;
  /** What goes around texts. */
  readonly template: Template;
  /** Every token with its id, added ones included. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** The token of an id. */
  token(id: number): string | undefined;
  /** Text from ids; those without a token count for nothing. */
  decode(
    ids: readonly number[],
    options: { skip_special_tokens?: boolean | undefined; clean_up_tokenization_spaces?: boolean | undefined },
  ): string;
}

/** Half a surrogate pair is no character: it is read as U+FFFD, which has one code unit too. */
const halfPair = /\p{Surrogate}/gu;

/**
 * Builds the steps that `json` describes.
 *
 * @throws {TokenizerError} when there is one that is not known or does not fit the vocabulary.
 */
export function createPipeline(json: TokenizerJson, config: TokenizerConfig): Pipeline {
  const vocabulary = new Map(modelVocabulary(json.model));
  const tokens: string[] = [];
  for (const [piece, id] of vocabulary) tokens[id] = piece;
  for (const { content, id } of json.added_tokens) {
    vocabulary.set(content, id);
    tokens[id] = content;
  }
  const special = new Set(json.added_tokens.filter((token) => token.special).map((token) => token.id));
  const unknown = json.model.type === 'Unigram' ? json.model.unk_id : undefined;
  const build = <T>(make: () => T): T => {
    try {
      return make();
    } catch (cause) {
      if (cause instanceof TokenizerError) throw cause;
      throw new TokenizerError(
        `tokenizer.json describes a tokenizer that cannot be built: ${(cause as Error).message}`,
        { cause },
      );
    }
  };
  const { sections, preTokenize, model, template, decoder } = build(() => ({
    sections: addedTokens(json.added_tokens, createNormalizer(json.normalizer)),
    preTokenize: createPreTokenizer(json.pre_tokenizer),
    model: createModel(json.model),
    template: createTemplate(json.post_processor),
    decoder: createDecoder(json.decoder),
  }));
  const read = (text: string, tracked: boolean) => sections(span(text.replace(halfPair, '\ufffd'), tracked));

  return {
    template,
    vocabulary,
    token: (id) => tokens[id],
    words: (text) => read(text, false).flatMap((section) => preTokenize(section.span).map((word) => word.text)),
    split(text, tracked = false) {
      const ids: number[] = [];
      const places = { starts: [] as number[], ends: [] as number[], words: [] as number[], texts: [] as string[] };
      const place = (start: number, end: number, word: number, text: string): void => {
        places.starts.push(start);
        places.ends.push(end);
        places.words.push(word);
        places.texts.push(text);
      };
      let count = 0;
      for (const section of read(text, tracked)) {
        if (section.id !== undefined) {
          ids.push(section.id);
          if (tracked) place(...placeOf(section.span, 0, section.span.text.length), count, section.span.text);
          count++;
          continue;
        }
        for (const word of preTokenize(section.span)) {
          const pieces = model(word.text);
          for (let i = 0; i < pieces.ids.length; i++) {
            const id = pieces.ids[i]!;
            ids.push(id);
            if (!tracked) continue;
            const [from, to] = [pieces.starts[i]!, pieces.ends[i]!];
            place(...placeOf(word, from, to), count, id === unknown ? word.text.slice(from, to) : tokens[id]!);
          }
          count++;
        }
      }
      if (tracked && template.trim) trimSpaces(places, template.trim.spaced);
      return { ids, places: tracked ? places : undefined };
    },
    decode(
      ids,
      { skip_special_tokens = false, clean_up_tokenization_spaces = config.clean_up_tokenization_spaces ?? false },
    ) {
      const kept = ids.filter((id) => tokens[id] !== undefined && !(skip_special_tokens && special.has(id)));
      const text = decoder(kept.map((id) => tokens[id]!)).join('');
      return clean_up_tokenization_spaces ? cleanUpSpaces(text) : text;
    },
  };
}

/** Takes the spaces at both ends of a token out of its place (`pre_tokenizers/byte_level.rs`, `process_offsets`). */
function trimSpaces(places: { starts: number[]; ends: number[]; texts: readonly string[] }, spaced: boolean): void {
  const { starts, ends } = places;
  const isSpace = (letter: string | undefined): boolean => letter !== undefined && /[Ġ\p{White_Space}]/u.test(letter);
  places.texts.forEach((text, i) => {
    let [leading, trailing] = [0, 0];
    while (isSpace(text[leading])) leading++;
    while (isSpace(text[text.length - 1 - trailing])) trailing++;
    if (leading > 0) {
      // One space before all else is the one that was put there.
      if (spaced && leading === 1 && (i === 0 || starts[i] === 0)) leading = 0;
      starts[i] = Math.min(starts[i]! + leading, ends[i]!);
    }
    if (trailing > 0 && ends[i]! >= trailing) ends[i] = Math.max(ends[i]! - trailing, starts[i]!);
  });
}
