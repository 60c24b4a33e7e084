/**
 * Byte-pair encoding learnt from counted words (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909): the most frequent pair of
 * neighbouring pieces becomes one piece, again and again. Which of equally frequent pairs comes first, and what happens to a piece
 * that is found in two ways, is as in the Rust `tokenizers` library (`models/bpe/trainer.rs`), so its merges come out.
 */

/** A word as the numbers of its pieces, which joining makes fewer, and how often it occurs. */
export interface CountedWord {
  pieces: number[];
  readonly count: number;
}

/** When to stop, and what the text of two joined pieces is. */
export interface LearnMergesOptions {
  /** Pieces at most. */
  readonly vocab_size: number;
  /** A pair is joined if it occurs at least so often. */
  readonly min_frequency: number;
  readonly joined: (left: string, right: string) => string;
}

/** Appends the pieces that are found to `pieces`, and gives the pairs that were joined, by number, in their order. */
export function learnMerges(
  pieces: string[],
  words: readonly CountedWord[],
  { vocab_size, min_frequency, joined }: LearnMergesOptions,
): [left: number, right: number][] {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  const pairs = new Pairs();
  words.forEach(({ pieces, count }, word) => {
    for (let i = 0; i + 1 < pieces.length; i++) pairs.change(pieces[i]!, pieces[i + 1]!, count, word);
  });
  const merges = new Map<Pair, [number, number]>();
  while (pieces.length < vocab_size) {
    const best = pairs.pop();
    if (best === undefined || best.count < Math.max(1, min_frequency)) break;
    const { left, right } = best.pair;
    const text = joined(pieces[left]!, pieces[right]!);
    let id = ids.get(text);
    if (id === undefined) ids.set(text, (id = pieces.push(text) - 1));
    // A pair that comes back with further words counts from its last place.
    merges.delete(best.pair);
    merges.set(best.pair, [left, right]);
    for (const index of best.words) {
      const word = words[index]!;
      word.pieces = join(word.pieces, left, right, id, (a, b, sign) => pairs.change(a, b, sign * word.count, index));
    }
  }
  return [...merges.values()];
}

/** `word` with every `left right` replaced by `id`, from left to right; `change` hears which other pairs come and go. */
function join(
  word: readonly number[],
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

/** A pair of neighbouring pieces, how often it occurs, and the words that have newly got it. */
interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  risen: number[] | undefined;
}

/** A pair with the count that it had, and the words that had got it, when it was put into the heap. */
interface Entry {
  readonly pair: Pair;
  readonly words: readonly number[];
  count: number;
}

/** All pairs by frequency: a heap whose entries may be out of date, which is noticed when they come to the top. */
class Pairs {
  /** By the left piece, then by the right one. */
  readonly #pairs: Map<number, Pair>[] = [];
  readonly #heap: Entry[] = [];
  #risen: Pair[] = [];

  /** Counts a pair `count` times more, or fewer if it is negative, in word number `word`. */
  change(left: number, right: number, count: number, word: number): void {
    const row = (this.#pairs[left] ??= new Map());
    let pair = row.get(right);
    if (pair === undefined) row.set(right, (pair = { left, right, count: 0, risen: undefined }));
    pair.count += count;
    if (count < 0) return;
    if (pair.risen === undefined) this.#risen.push(pair);
    const words = (pair.risen ??= []);
    if (words.at(-1) !== word) words.push(word);
  }

  /** The most frequent pair; of equally frequent ones, that of the older pieces. */
  pop(): Entry | undefined {
    for (const pair of this.#risen) {
      if (pair.count > 0) this.#push({ pair, count: pair.count, words: pair.risen! });
      pair.risen = undefined;
    }
    this.#risen = [];
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      this.#removeTop();
      if (top.count === top.pair.count) return top;
      top.count = top.pair.count;
      if (top.count > 0) this.#push(top);
    }
  }

  #push(entry: Entry): void {
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

function before(a: Entry, b: Entry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  const [x, y] = [a.pair, b.pair];
  return x.left !== y.left ? x.left < y.left : x.right < y.right;
}
