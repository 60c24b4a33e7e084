/**
 * Labels without a labeller (distant supervision): countries by a list, and people by what stands before them. A title or a first name
 * makes the capitalised words that follow a person; a surname that often stands so, every third time or more, is one wherever it stands.
 */
import { characters, countryNames, firstNames, neverPeople, otherPlaces, titles } from './lists.ts';
import { isCapitalised, wordsOf } from './words.ts';
import type { Span, Word } from './words.ts';

/** Finds names: gives them by words, in order. */
export type NameFinder = (words: readonly Word[]) => Span[];

/** The rules. */
export interface NameRules {
  readonly find: NameFinder;
  /** Whether a word may be a name where the rules find none: a first name by itself, or a surname that stands alone. */
  readonly mayBeName: (word: string) => boolean;
}

/** Rules that learn from `sentences` what is no name, because it is mostly written small, and which surnames there are. */
export async function nameRules(sentences: readonly (readonly Word[])[]): Promise<NameRules> {
  const countries = new Set(countryNames().map(spelling));
  const places = new Set([...countries, ...otherPlaces().map(spelling)]);
  const counts = countWords(sentences);
  const isName = (word: string, hasTitle = false): boolean =>
    /^\p{Lu}\p{Ll}/u.test(word) &&
    !neverPeople.has(word) &&
    !titles.has(word) &&
    (hasTitle || !isMostlySmall(counts, word));
  const given = new Set([...(await firstNames())].filter((name) => isName(name) && !places.has(name)));
  const surnames = new Set<string>();
  const find: NameFinder = (words) => {
    const placed = longestPhrases(words, places);
    const taken = new Set(placed.flatMap(({ start, end }) => range(start, end)));
    const people = peopleIn(words, (word, i, hasTitle) => !taken.has(i) && isName(word, hasTitle), given, surnames);
    const isCountry = ({ start, end }: Range): boolean => countries.has(join(words.slice(start, end)));
    return [
      ...people,
      ...placed.filter(isCountry).map(({ start, end }): Span => ({ type: 'COUNTRY', start, end })),
    ].sort((a, b) => a.start - b.start);
  };
  const found = lastWords(sentences, find);
  for (const name of characters) surnames.add(name);
  /** The share of its capitals that are somebody's. */
  const share = (name: string): number => (found.get(name) ?? 0) / Math.max(1, counts.get(name) ?? 0);
  for (const [name, count] of found) if (count >= 3 && share(name) >= 1 / 3) surnames.add(name);
  return { find, mayBeName: (word) => given.has(word) || share(word) >= 0.05 };
}

/** People after a title, from a first name on, or of a known surname. */
function peopleIn(
  words: readonly Word[],
  isName: (word: string, at: number, hasTitle: boolean) => boolean,
  given: ReadonlySet<string>,
  surnames: ReadonlySet<string>,
): Span[] {
  const spans: Span[] = [];
  const text = (i: number): string => words[i]?.text ?? '';
  const isInitial = (i: number): boolean => /^\p{Lu}$/u.test(text(i)) && text(i + 1) === '.';
  for (let start = 0; start < words.length; start++) {
    const hasTitle = titles.has(text(start - 1) === '.' ? text(start - 2) : text(start - 1));
    // After a title even what is mostly written small is a name: General Grant.
    const counts = (i: number): boolean => isName(text(i), i, hasTitle && i === start);
    if (!isInitial(start) && !counts(start)) continue;
    // Names, initials, and particles between them.
    let end = start;
    for (;;) {
      if (isInitial(end)) end += 2;
      else if (counts(end) || (end > start && particles.has(text(end)))) end++;
      else break;
    }
    while (end > start && !counts(end - 1)) end--;
    if (end === start) continue;
    const first = range(start, end - 1).find((i) => given.has(text(i)));
    if (hasTitle) spans.push({ type: 'PER', start, end });
    else if (first !== undefined) spans.push({ type: 'PER', start: first, end });
    else
      for (const i of range(start, end)) if (surnames.has(text(i))) spans.push({ type: 'PER', start: i, end: i + 1 });
    start = end - 1;
  }
  return spans;
}

const particles: ReadonlySet<string> = new Set(['de', 'del', 'la', 'van', 'von']);

/** The last words of people, and how often they were found. */
function lastWords(sentences: readonly (readonly Word[])[], find: NameFinder): Map<string, number> {
  const found = new Map<string, number>();
  for (const words of sentences)
    for (const { type, end } of find(words)) if (type === 'PER') increment(found, words[end - 1]!.text);
  return found;
}

/** How often each spelling of a word occurs; the first word of a sentence, whose capital says nothing, does not count. */
type WordCounts = ReadonlyMap<string, number>;

function countWords(sentences: readonly (readonly Word[])[]): WordCounts {
  const counts = new Map<string, number>();
  for (const words of sentences)
    words.forEach(({ text }, i) => {
      if (i > 0) increment(counts, text);
    });
  return counts;
}

function isMostlySmall(counts: WordCounts, word: string): boolean {
  return 3 * (counts.get(word.toLowerCase()) ?? 0) > (counts.get(word) ?? 0);
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Where phrases of the set stand, the longest first. */
function longestPhrases(words: readonly Word[], phrases: ReadonlySet<string>): Range[] {
  const out: Range[] = [];
  for (let start = 0; start < words.length; start++) {
    if (!isCapitalised(words[start]!.text)) continue;
    for (let end = Math.min(start + 8, words.length); end > start; end--) {
      if (!phrases.has(join(words.slice(start, end)))) continue;
      out.push({ start, end });
      start = end - 1;
      break;
    }
  }
  return out;
}

/** A phrase as its words with spaces between, so that only words count. */
function spelling(phrase: string): string {
  return join(wordsOf(phrase));
}

function join(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(' ');
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
