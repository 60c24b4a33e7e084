/**
 * Splits labelled sentences so that the names of the test were never seen: some names are held out, and with them every sentence in which
 * a word of them occurs, labelled or not.
 */
import { seeded, shuffled } from '@sinter/example-texts/random.ts';
import type { Span, Word } from './words.ts';

/** A sentence with its names, by words. */
export interface Labelled {
  readonly words: readonly Word[];
  readonly spans: readonly Span[];
}

/** What {@link splitByName} gives. Both sets have as many sentences without a name as with one. */
export interface NameSplit {
  /** No word of a held-out name occurs in them. */
  readonly train: readonly Labelled[];
  /** All of their names are held out. */
  readonly test: readonly Labelled[];
  /** The last words of the names that are held out. */
  readonly heldOut: ReadonlySet<string>;
}

/** How to split. */
export interface SplitOptions {
  /** Default 42. */
  readonly seed?: number;
  /** The share of the names that is held out. Default 0.2. */
  readonly share?: number;
  /** Names that occur more often stay in training, which would have little left without them. Default 300. */
  readonly most?: number;
}

/** Splits by the last words of names: to hold out Abraham Lincoln is to hold out every Lincoln. */
export function splitByName(sentences: readonly Labelled[], options: SplitOptions = {}): NameSplit {
  const { seed = 42, share = 0.2, most = 300 } = options;
  const random = seeded(seed);
  const counts = new Map<string, number>();
  for (const { words, spans } of sentences)
    for (const span of spans) counts.set(lastWord(words, span), (counts.get(lastWord(words, span)) ?? 0) + 1);
  const names = [...counts.keys()];
  const rare = shuffled(names, random).filter((name) => counts.get(name)! <= most);
  const heldOut = new Set(rare.slice(0, Math.round(share * names.length)));

  const [train, test, plain]: [Labelled[], Labelled[], Labelled[]] = [[], [], []];
  for (const sentence of shuffled(sentences, random)) {
    const { words, spans } = sentence;
    if (spans.length > 0 && spans.every((span) => heldOut.has(lastWord(words, span)))) test.push(sentence);
    else if (!words.some(({ text }) => heldOut.has(text))) (spans.length > 0 ? train : plain).push(sentence);
  }
  const own = plain.splice(0, test.length);
  return { train: shuffled([...train, ...plain.slice(0, train.length)], random), test: [...test, ...own], heldOut };
}

/** The last word of a name, by which it is known. */
export function lastWord(words: readonly Word[], { end }: Span): string {
  return words[end - 1]!.text;
}
