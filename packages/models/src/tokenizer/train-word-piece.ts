/**
 * Learns a WordPiece vocabulary from text the way Hugging Face's `WordPieceTrainer` does: byte-pair merges over words cut
 * into letters (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909), the most frequent pair first.
 */
import { BertTokenizer } from './auto.ts';
import { bertSpecialTokens, bertTokenizerJson } from './bert-json.ts';
import type { BertNormalization } from './bert-json.ts';
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

  const words: { pieces: number[]; count: number }[] = [];
  for (const [word, count] of counts) {
    const known = [...word].filter((letter) => letters.has(letter));
    if (known.length > 1)
      words.push({ pieces: known.map((letter, i) => ids.get(i === 0 ? letter : `##${letter}`)!), count });
  }

  const pairs = new Pairs();
  words.forEach(({ pieces, count }, word) => {
    for (let i = 0; i + 1 < pieces.length; i++) pairs.add(pieces[i]!, pieces[i + 1]!, count, word);
  });
  while (pieces.length < vocab_size) {
    const best = pairs.pop();
    if (best === undefined || best.count < Math.max(1, min_frequency)) break;
    const { left, right } = best;
    const piece = pieces[left]! + pieces[right]!.slice(2);
    let id = ids.get(piece);
    if (id === undefined) {
      id = pieces.push(piece) - 1;
      ids.set(piece, id);
    }
    for (const index of best.words) {
      const word = words[index]!;
      word.pieces = join(word.pieces, left, right, id, (a, b, sign) => pairs.add(a, b, sign * word.count, index));
    }
  }
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

/** `word` with every `left right` replaced by `id`, from left to right; `change` hears which pairs come (1) and go (-1). */
function join(
  word: number[],
  left: number,
  right: number,
  id: number,
  change: (a: number, b: number, sign: 1 | -1) => void,
): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] !== left || word[i + 1] !== right) {
      out.push(word[i]!);
      continue;
    }
    const before = out.at(-1);
    const after = word[i + 2];
    change(left, right, -1);
    if (before !== undefined) {
      change(before, left, -1);
      change(before, id, 1);
    }
    if (after !== undefined) {
      change(right, after, -1);
      change(id, after, 1);
    }
    out.push(id);
    i++;
  }
  return out;
}

/** A pair of neighbouring pieces: how often it occurs, and the words that have, or had, it. */
interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  readonly words: number[];
}

/**
 * All pairs by frequency: a heap whose entries may be out of date, since a count that falls is only noticed when its
 * entry comes to the top, and one that rises gets a further entry.
 */
class Pairs {
  /** By the left piece, then by the right one. */
  readonly #pairs: Map<number, Pair>[] = [];
  readonly #heap: { pair: Pair; count: number }[] = [];
  readonly #risen = new Set<Pair>();

  /** Counts a pair `count` times more, or fewer if it is negative, in word number `word`. */
  add(left: number, right: number, count: number, word: number): void {
    const row = (this.#pairs[left] ??= new Map());
    let pair = row.get(right);
    if (pair === undefined) row.set(right, (pair = { left, right, count: 0, words: [] }));
    pair.count += count;
    if (count > 0) {
      if (pair.words.at(-1) !== word) pair.words.push(word);
      this.#risen.add(pair);
    }
  }

  /** The most frequent pair; of equally frequent ones, that of the older pieces. */
  pop(): Pair | undefined {
    for (const pair of this.#risen) if (pair.count > 0) this.#push({ pair, count: pair.count });
    this.#risen.clear();
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      this.#removeTop();
      if (top.count === top.pair.count) return top.pair;
      if (top.pair.count > 0 && top.pair.count < top.count) this.#push({ pair: top.pair, count: top.pair.count });
    }
  }

  #push(entry: { pair: Pair; count: number }): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: { pair: Pair; count: number }, b: { pair: Pair; count: number }): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
}
