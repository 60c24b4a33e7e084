/** What masked tokens are guessed to be by counting alone: the most frequent token, and the one that follows the token before most often. */
import type { TokenizedDocument } from './pairs.ts';

/** A guess for the place behind `before`, which is `undefined` where that is hidden too. */
export type Guess = (before: number | undefined) => number;

/** Counts tokens, and tokens after tokens. */
export function countGuesses(documents: readonly TokenizedDocument[]): {
  readonly unigram: Guess;
  readonly bigram: Guess;
} {
  const single = new Map<number, number>();
  const after = new Map<number, Map<number, number>>();
  const count = (map: Map<number, number>, id: number): void => void map.set(id, (map.get(id) ?? 0) + 1);
  for (const document of documents)
    for (const sentence of document)
      sentence.forEach((id, i) => {
        count(single, id);
        if (i === 0) return;
        const before = sentence[i - 1]!;
        let followers = after.get(before);
        if (!followers) after.set(before, (followers = new Map()));
        count(followers, id);
      });
  const most = mostFrequent(single);
  const follower = new Map([...after].map(([id, followers]) => [id, mostFrequent(followers)]));
  return { unigram: () => most, bigram: (before) => (before === undefined ? most : (follower.get(before) ?? most)) };
}

function mostFrequent(counts: ReadonlyMap<number, number>): number {
  let [best, count] = [0, -1];
  for (const [id, n] of counts) if (n > count) [best, count] = [id, n];
  return best;
}
