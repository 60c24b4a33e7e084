/**
 * The baseline: multinomial naive Bayes on word counts with add-one smoothing
 * (Manning, Raghavan, Schütze, "Introduction to Information Retrieval", section 13.2).
 */

/** A trained classifier. */
export interface NaiveBayes {
  /** Words in its vocabulary. */
  readonly vocabulary: number;
  /** The logarithm of how much likelier label 1 is than label 0. */
  logOdds(text: string): number;
  predict(text: string): 0 | 1;
}

/** Counts the words of each label. Words that no training text has are ignored later. */
export function trainNaiveBayes(examples: Iterable<{ readonly text: string; readonly label: 0 | 1 }>): NaiveBayes {
  const counts = new Map<string, [number, number]>();
  const texts: [number, number] = [0, 0];
  const totals: [number, number] = [0, 0];
  for (const { text, label } of examples) {
    texts[label]++;
    for (const word of words(text)) {
      let count = counts.get(word);
      if (count === undefined) counts.set(word, (count = [0, 0]));
      count[label]++;
      totals[label]++;
    }
  }
  const prior = Math.log(texts[1] / texts[0]);
  const smoothed = Math.log((totals[0] + counts.size) / (totals[1] + counts.size));
  const weights = new Map(
    [...counts].map(([word, [ham, spam]]) => [word, Math.log((spam + 1) / (ham + 1)) + smoothed]),
  );
  const logOdds = (text: string) => words(text).reduce((sum, word) => sum + (weights.get(word) ?? 0), prior);
  return { vocabulary: counts.size, logOdds, predict: (text) => (logOdds(text) > 0 ? 1 : 0) };
}

/** Runs of letters and digits in lower case, and the signs that spam is fond of. */
function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+|[!$%]/gu) ?? [];
}
