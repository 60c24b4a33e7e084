/**
 * What needs no network: names of the training set by look-up, and other words with a capital by a rule. A run of words with capitals that training never
 * saw outside of a name is one; its type is that of most names behind the same word.
 */
import { isCapitalised } from './words.ts';
import type { NameType, Span, Word } from './words.ts';
import type { Labelled } from './split.ts';
import type { NameFinder } from './distant.ts';

/** Learns names, words that are none, and what stands before names. */
export function trainBaseline(train: readonly Labelled[]): NameFinder {
  const known = new Map<string, Counts>();
  const before = new Map<string, Counts>();
  const outside = new Set<string>();
  for (const { words, spans } of train) {
    const inside = new Set<number>();
    for (const { type, start, end } of spans) {
      count(known, key(words, start, end), type);
      count(before, words[start - 1]?.text ?? '', type);
      for (let i = start; i < end; i++) inside.add(i);
    }
    words.forEach(({ text }, i) => {
      if (!inside.has(i)) outside.add(text);
    });
  }
  const longest = Math.max(1, ...[...known.keys()].map((name) => name.split(' ').length));

  return (words) => {
    const spans: Span[] = [];
    for (let start = 0; start < words.length; start++) {
      let end = Math.min(words.length, start + longest);
      while (end > start && !known.has(key(words, start, end))) end--;
      if (end > start) spans.push({ type: likelier(known.get(key(words, start, end))), start, end });
      else if (start > 0) {
        // The first word of a sentence has a capital whatever it is.
        while (end < words.length && isCapitalised(words[end]!.text) && !outside.has(words[end]!.text)) end++;
        if (end > start) spans.push({ type: likelier(before.get(words[start - 1]!.text)), start, end });
      }
      start = Math.max(start, end - 1);
    }
    return spans;
  };
}

/** How often each type was met. */
type Counts = Record<NameType, number>;

function count(counts: Map<string, Counts>, name: string, type: NameType): void {
  const own = counts.get(name) ?? { PER: 0, COUNTRY: 0 };
  own[type]++;
  counts.set(name, own);
}

function likelier(counts: Counts = { PER: 1, COUNTRY: 0 }): NameType {
  return counts.COUNTRY > counts.PER ? 'COUNTRY' : 'PER';
}

function key(words: readonly Word[], start: number, end: number): string {
  return words
    .slice(start, end)
    .map(({ text }) => text)
    .join(' ');
}
