/** What a classifier of words is worth: multinomial naive Bayes with add-one smoothing (Manning, Raghavan and Schütze 2008, section 13.2). */
import type { Example } from './eras.ts';

/** Counts the words of each class; gives the class that fits a text best. */
export function naiveBayes(examples: readonly Example[], classes: number): (text: string) => number {
  const counts = Array.from({ length: classes }, () => new Map<string, number>());
  for (const { text, label } of examples)
    for (const word of words(text)) counts[label]!.set(word, (counts[label]!.get(word) ?? 0) + 1);
  const known = new Set(counts.flatMap((map) => [...map.keys()]));
  const totals = counts.map((map) => [...map.values()].reduce((a, b) => a + b, known.size));
  return (text) => {
    const seen = words(text).filter((word) => known.has(word));
    const scores = counts.map((map, label) =>
      seen.reduce((sum, word) => sum + Math.log(((map.get(word) ?? 0) + 1) / totals[label]!), 0),
    );
    return scores.indexOf(Math.max(...scores));
  };
}

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}
