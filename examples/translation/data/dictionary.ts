/**
 * A dictionary that is learnt from texts in two languages: IBM model 1 (Brown et al. 1993), by which each unit of a target comes from one unit of its source, and
 * what comes from what is found by expectation and maximisation.
 */
import type { Entry, Pair } from './names.ts';

/** Units of a text in two languages: words, or whole keywords. */
export interface Units {
  readonly source: readonly string[];
  readonly target: readonly string[];
}

/** How likely each source unit is to become each target unit. */
export type Translations = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Learns what becomes what. */
export function learnTranslations(texts: readonly Units[], rounds = 10): Translations {
  let likely = new Map<string, Map<string, number>>();
  const likelihood = (source: string, target: string): number => likely.get(source)?.get(target) ?? 0;
  for (let round = 0; round < rounds; round++) {
    const counts = new Map<string, Map<string, number>>();
    for (const { source, target } of texts)
      for (const to of target) {
        // In the first round all are as likely.
        const shares = source.map((from) => (round === 0 ? 1 : likelihood(from, to)));
        const total = shares.reduce((a, b) => a + b, 0);
        source.forEach((from, i) => {
          const row = counts.get(from) ?? new Map<string, number>();
          row.set(to, (row.get(to) ?? 0) + shares[i]! / total);
          counts.set(from, row);
        });
      }
    likely = new Map(
      [...counts].map(([from, row]) => {
        const total = [...row.values()].reduce((a, b) => a + b, 0);
        return [from, new Map([...row].map(([to, count]) => [to, count / total] as const))];
      }),
    );
  }
  return likely;
}

/** The likeliest of a row. */
function best(row: ReadonlyMap<string, number> | undefined): readonly [string, number] | undefined {
  return [...(row ?? [])].reduce<readonly [string, number] | undefined>(
    (a, b) => (a && a[1] >= b[1] ? a : b),
    undefined,
  );
}

/** Pairs of keywords that are each other's likeliest translation: emoji have them in both languages, in no order. */
export function pairKeywords(entries: readonly Entry[]): Pair[] {
  const plain = entries.filter(({ toned }) => !toned);
  const forth = learnTranslations(plain.map(({ keywords }) => keywords));
  const back = learnTranslations(plain.map(({ keywords: { source, target } }) => ({ source: target, target: source })));
  return [...forth].flatMap(([source, row]) => {
    const [target, sure] = best(row) ?? ['', 0];
    const [again] = best(back.get(target)) ?? [];
    return again === source && sure > 0.5 ? [{ source, target }] : [];
  });
}

/** Translates word by word, in the order of the source; a word that was never seen stays what it is. */
export function dictionary(pairs: readonly Pair[], language: string): (text: string) => string {
  const [theirs, joint] = [segmenter(language), language.startsWith('zh') ? '' : ' '];
  const learnt = learnTranslations(
    pairs.map(({ source, target }) => ({ source: words(source.toLowerCase()), target: theirs(target) })),
  );
  return (text) =>
    words(text)
      .map((word) => best(learnt.get(word.toLowerCase()))?.[0] ?? word)
      .join(joint)
      .replace(/ (?=[:,.!?])/gu, '');
}

/** Words and marks between them. */
function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}’'-]+|[^\s\p{L}\p{N}]/gu) ?? [];
}

/** Cuts a text of a language into words; those of Chinese have no spaces between them. */
function segmenter(language: string): (text: string) => string[] {
  if (!language.startsWith('zh')) return words;
  const cut = new Intl.Segmenter(language, { granularity: 'word' });
  return (text) => [...cut.segment(text)].map(({ segment }) => segment).filter((segment) => segment.trim() !== '');
}
