/**
 * Pairs of texts for next-sentence prediction, as the authors of BERT make them (`create_pretraining_data.py`, Devlin et al. 2018): in half of them the second
 * text follows the first, in the others it is from another document.
 */

/** Sentences of one document, as ids of tokens. */
export type TokenizedDocument = readonly (readonly number[])[];

/** A pair as a model is fed with it. */
export interface Pair {
  readonly input_ids: readonly number[];
  /** 0 for the first text, 1 for the second. */
  readonly token_type_ids: readonly number[];
  /** 0 where the second text follows the first, 1 where it does not. */
  readonly next_sentence_label: 0 | 1;
}

/** The options of {@link sentencePairs}. */
export interface PairOptions {
  /** The most tokens of a pair, special ones included. */
  readonly length: number;
  readonly cls: number;
  readonly sep: number;
  readonly random: () => number;
}

/** Walks through every document, and makes pairs of what fits into one. */
export function sentencePairs(documents: readonly TokenizedDocument[], options: PairOptions): Pair[] {
  const { length, cls, sep, random } = options;
  const room = length - 3;
  const pairs: Pair[] = [];
  const below = (n: number): number => Math.floor(random() * n);
  documents.forEach((document, own) => {
    let chunk: (readonly number[])[] = [];
    for (let i = 0; i < document.length; i++) {
      chunk.push(document[i]!);
      const isFull = chunk.reduce((sum, sentence) => sum + sentence.length, 0) >= room;
      if (!isFull && i < document.length - 1) continue;
      const cut = chunk.length === 1 ? 1 : 1 + below(chunk.length - 1);
      const first = chunk.slice(0, cut).flat();
      const isRandom = chunk.length === 1 || random() < 0.5;
      const second = isRandom
        ? elsewhere(documents, own, Math.max(room - first.length, room / 4), below)
        : chunk.slice(cut).flat();
      // What was not used is read once more.
      if (isRandom) i -= chunk.length - cut;
      chunk = [];
      if (first.length === 0 || second.length === 0) continue;
      const [a, b] = shortened(first, second, room, random);
      pairs.push({
        input_ids: [cls, ...a, sep, ...b, sep],
        token_type_ids: [...new Array<number>(a.length + 2).fill(0), ...new Array<number>(b.length + 1).fill(1)],
        next_sentence_label: isRandom ? 1 : 0,
      });
    }
  });
  return pairs;
}

/** Sentences of another document, from anywhere on. */
function elsewhere(
  documents: readonly TokenizedDocument[],
  own: number,
  size: number,
  below: (n: number) => number,
): number[] {
  const other = documents[(own + 1 + below(documents.length - 1)) % documents.length]!;
  const tokens: number[] = [];
  for (let i = below(other.length); i < other.length && tokens.length < size; i++) tokens.push(...other[i]!);
  return tokens;
}

/** The longer text loses tokens, at one end or the other, until both fit. */
function shortened(
  first: readonly number[],
  second: readonly number[],
  room: number,
  random: () => number,
): [readonly number[], readonly number[]] {
  const both = [first, second].map((tokens) => ({ tokens, from: 0, to: tokens.length }));
  const size = ({ from, to }: { from: number; to: number }): number => to - from;
  const [a, b] = both as [(typeof both)[0], (typeof both)[0]];
  while (size(a) + size(b) > room) {
    const longer = size(a) > size(b) ? a : b;
    if (random() < 0.5) longer.from++;
    else longer.to--;
  }
  return [a.tokens.slice(a.from, a.to), b.tokens.slice(b.from, b.to)];
}
