/**
 * Learns a WordPiece vocabulary from text the way Hugging Face's `WordPieceTrainer` does: byte-pair merges over words cut
 * into letters, of which those inside a word are marked as continued.
 */
import { BertTokenizer } from './auto.ts';
import { bertSpecialTokens, bertTokenizerJson } from './bert-json.ts';
import type { BertNormalization } from './bert-json.ts';
import { learnMerges } from './learn-merges.ts';
import type { CountedWord } from './learn-merges.ts';
import { createPipeline } from './pipeline.ts';

/** What to learn. */
export interface WordPieceOptions {
  /** Pieces at most, special tokens and single letters included. Default 30,000. */
  readonly vocab_size?: number | undefined;
  /** A pair of pieces is joined if it occurs at least so often. Default 2. */
  readonly min_frequency?: number | undefined;
  /** Different letters at most, the most frequent ones; the others become unknown. Default 1,000. */
  readonly limit_alphabet?: number | undefined;
}

/**
 * Learns a vocabulary from `texts` and gives the BERT tokenizer that has it. The same texts give the same vocabulary.
 * Other letters than those of the texts are unknown to it.
 */
export function trainWordPiece(
  texts: Iterable<string>,
  options: WordPieceOptions & BertNormalization = {},
): BertTokenizer {
  const { do_lower_case, strip_accents, tokenize_chinese_chars } = options;
  const normalization = { do_lower_case, strip_accents, tokenize_chinese_chars };
  const { words } = createPipeline(bertTokenizerJson(specials, normalization), {});
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of words(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return BertTokenizer.from_vocab(learnWordPieces(counts, options), normalization);
}

/** The vocabulary in the order of its ids: special tokens, letters, continued letters (`##x`), then joined pieces. */
export function learnWordPieces(counts: ReadonlyMap<string, number>, options: WordPieceOptions = {}): string[] {
  const { vocab_size = 30_000, min_frequency = 2, limit_alphabet = 1_000 } = options;
  const letters = alphabet(counts, limit_alphabet);
  const pieces: string[] = [...specials, ...letters, ...continued(counts, letters)];
  const ids = new Map(pieces.map((piece, id) => [piece, id]));

  const words: CountedWord[] = [];
  for (const [word, count] of counts) {
    const known = [...word].filter((letter) => letters.has(letter));
    if (known.length > 1)
      words.push({ pieces: known.map((letter, i) => ids.get(i === 0 ? letter : `##${letter}`)!), count });
  }
  learnMerges(pieces, words, { vocab_size, min_frequency, joined: (left, right) => left + right.slice(2) });
  return pieces;
}

const specials = (['pad_token', 'unk_token', 'cls_token', 'sep_token', 'mask_token'] as const).map(
  (key) => bertSpecialTokens[key],
);

function alphabet(counts: ReadonlyMap<string, number>, limit: number): Set<string> {
  const letters = new Map<string, number>();
  for (const [word, count] of counts)
    for (const letter of word) letters.set(letter, (letters.get(letter) ?? 0) + count);
  const kept = [...letters].sort(([a, m], [b, n]) => n - m || byCodePoint(a, b)).slice(0, limit);
  return new Set(kept.map(([letter]) => letter).sort(byCodePoint));
}

/** Every letter that occurs inside a word, as a continued piece. */
function continued(counts: ReadonlyMap<string, number>, letters: ReadonlySet<string>): string[] {
  const inside = new Set<string>();
  for (const word of counts.keys()) {
    for (const letter of [...word].filter((letter) => letters.has(letter)).slice(1)) inside.add(letter);
  }
  return [...letters].filter((letter) => inside.has(letter)).map((letter) => `##${letter}`);
}

const byCodePoint = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;
