/**
 * chrF (Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation"): how many of the character n-grams of translations are in their
 * references, and the other way round. Whitespace does not count. The figures are those of sacreBLEU's `chrF2`.
 */
import { TrainerError } from '../errors.ts';
import { count, overlap } from './n-grams.ts';

/** The options of {@link chrf}. */
export interface ChrfOptions {
  /** The longest n-grams. Default: 6. */
  readonly order?: number;
  /** How many times as important it is to find what the reference has than to say nothing else. Default: 2. */
  readonly beta?: number;
}

/**
 * The score of translations as a whole, 0 to 100; `references` has one for each. Precision and recall are means over the lengths of n-grams for which
 * there are any.
 * @throws TrainerError if there are not as many references as translations
 */
export function chrf(
  predictions: readonly string[],
  references: readonly string[],
  { order = 6, beta = 2 }: ChrfOptions = {},
): number {
  checkPairs('chrf', predictions, references);
  let [precision, recall, orders] = [0, 0, 0];
  for (let n = 1; n <= order; n++) {
    let [said, wanted, both] = [0, 0, 0];
    predictions.forEach((prediction, i) => {
      const [own, other] = [count(characters(prediction), n), count(characters(references[i]!), n)];
      wanted += other.total;
      // As sacreBLEU has it: what has no n-grams to be compared with is no mistake.
      said += other.total > 0 ? own.total : 0;
      both += overlap(own, other);
    });
    if (said === 0 || wanted === 0) continue;
    precision += both / said;
    recall += both / wanted;
    orders++;
  }
  if (precision + recall === 0) return 0;
  [precision, recall] = [precision / orders, recall / orders];
  return (100 * (1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall);
}

function characters(text: string): string[] {
  return [...text.replace(/\s+/gu, '')];
}

/** Complains unless there is a reference for each prediction. @throws TrainerError */
export function checkPairs(what: string, predictions: readonly string[], references: readonly string[]): void {
  if (predictions.length === 0 || predictions.length !== references.length)
    throw new TrainerError(
      `${what}: there are ${predictions.length} predictions and ${references.length} references; it wants one for one, and at least one`,
    );
}
