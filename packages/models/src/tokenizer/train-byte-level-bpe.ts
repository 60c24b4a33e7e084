/**
 * Learns a byte-level BPE tokenizer (GPT-2's kind) from text, with the vocabulary and merges that Python's
 * `ByteLevelBPETokenizer.train_from_iterator` finds in it.
 */
import { byteLetters, byteLevelWords, toByteLetters } from './byte-level.ts';
import { renderChat } from './chat-template.ts';
import { TokenizerError } from './errors.ts';
import type { AddedTokenJson, StepJson, TokenizerConfig, TokenizerJson } from './files.ts';
import { learnMerges } from './learn-merges.ts';
import type { CountedWord } from './learn-merges.ts';
import { createTokenizer, specialTokenNames } from './tokenizer.ts';
import type { PreTrainedTokenizer } from './tokenizer.ts';

/** What to learn, and which special tokens there are. Further keys go to `tokenizer_config.json`. */
export interface ByteLevelBPEOptions extends TokenizerConfig {
  /** Tokens at most, special ones and the 256 bytes included. Default 30,000. */
  readonly vocab_size?: number;
  /** A pair of tokens is joined if it occurs at least so often. Default 2. */
  readonly min_frequency?: number;
  /** Tokens that no text makes, with the first ids. Those named as `eos_token`, `pad_token`, … are added behind. Default none. */
  readonly special_tokens?: readonly string[];
  /** Treat the first word of a text like the others, with a space before it. Default `false`. */
  readonly add_prefix_space?: boolean;
  /** What goes around one text, `$A`, and around two, `$A` and `$B`, as in `'<s> $A </s>'`. Default nothing. */
  readonly template?: { readonly single: string; readonly pair?: string };
}

/**
 * Learns merges from `texts` and gives the tokenizer that has them. The same texts give the same tokenizer, which can encode any
 * text and gives it back to the letter.
 *
 * @throws {TokenizerError} when `vocab_size` has no room for special tokens and bytes, or the template names a token that is not special.
 */
export function trainByteLevelBPE(texts: Iterable<string>, options: ByteLevelBPEOptions = {}): PreTrainedTokenizer {
  const {
    vocab_size = 30_000,
    min_frequency = 2,
    special_tokens = [],
    add_prefix_space = false,
    template,
    ...config
  } = options;
  const roles = specialTokenNames.flatMap((name) => (typeof config[name] === 'string' ? [config[name]] : []));
  const specials = [...new Set([...special_tokens, ...roles])];
  const pieces = [...specials, ...[...byteLetters].sort()];
  if (vocab_size < pieces.length) {
    throw new TokenizerError(
      `vocab_size ${vocab_size} has no room for 256 bytes and ${specials.length} special tokens. Say ${pieces.length} or more.`,
    );
  }
  const merges = learnMerges(pieces, countWords(texts, pieces, add_prefix_space), {
    vocab_size,
    min_frequency,
    joined: (left, right) => left + right,
  });
  const byteLevel = { type: 'ByteLevel', add_prefix_space, trim_offsets: false, use_regex: true };
  const json: TokenizerJson = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map(specialToken),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: template ? templateProcessor(template, specials) : byteLevel,
    decoder: { ...byteLevel, add_prefix_space: true, trim_offsets: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: merges.map(([left, right]) => [pieces[left]!, pieces[right]!]),
    },
  };
  return createTokenizer({
    json,
    config: { tokenizer_class: 'PreTrainedTokenizerFast', clean_up_tokenization_spaces: false, ...config },
    chat: renderChat,
  });
}

function countWords(texts: Iterable<string>, pieces: readonly string[], add_prefix_space: boolean): CountedWord[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    const whole = add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
    for (const [word] of whole.matchAll(byteLevelWords)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  return Array.from(counts, ([word, count]) => ({
    pieces: Array.from(toByteLetters(word), (letter) => ids.get(letter)!),
    count,
  }));
}

function specialToken(content: string, id: number): AddedTokenJson {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** A `TemplateProcessing` from its short form: `$A` and `$B` are the texts, all else are special tokens. */
function templateProcessor(
  { single, pair = `${single} ${single.replace('$A', '$B')}` }: { readonly single: string; readonly pair?: string },
  specials: readonly string[],
): StepJson {
  const parse = (text: string) =>
    text.split(' ').map((word) => {
      if (word === '$A' || word === '$B') return { Sequence: { id: word[1], type_id: 0 } };
      if (!specials.includes(word)) {
        throw new TokenizerError(
          `The template '${text}' has '${word}', which is neither $A, $B nor a special token (${specials.join(', ')}). Add it to special_tokens.`,
        );
      }
      return { SpecialToken: { id: word, type_id: 0 } };
    });
  const special_tokens = Object.fromEntries(
    specials
      .map((id, i) => [id, { id, ids: [i], tokens: [id] }] as const)
      .filter(([id]) => `${single} ${pair}`.split(' ').includes(id)),
  );
  return { type: 'TemplateProcessing', single: parse(single), pair: parse(pair), special_tokens };
}
