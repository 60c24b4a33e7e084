/** How good a two-class classifier is, in numbers and as tables for the terminal. Class 1 is the one looked for. */

/** Counts of each outcome. */
export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
  readonly trueNegative: number;
}

/** All between 0 and 1; a ratio without cases is 0. */
export interface Metrics {
  /** The share of all examples that is right. */
  readonly accuracy: number;
  /** Of those said to be class 1, the share that is. */
  readonly precision: number;
  /** Of those that are class 1, the share found. */
  readonly recall: number;
  /** The harmonic mean of precision and recall. */
  readonly f1: number;
  readonly confusion: Confusion;
}

/**
 * Compares predictions with the truth.
 *
 * @throws {RangeError} when the lists differ in length, or a label is neither 0 nor 1.
 */
export function binaryMetrics(predicted: ArrayLike<number>, actual: ArrayLike<number>): Metrics {
  if (predicted.length !== actual.length) {
    throw new RangeError(
      `binaryMetrics: ${predicted.length} predictions for ${actual.length} labels. Give one for each.`,
    );
  }
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < actual.length; i++) {
    const [p, a] = [predicted[i]!, actual[i]!];
    if ((p !== 0 && p !== 1) || (a !== 0 && a !== 1)) {
      throw new RangeError(`binaryMetrics: example ${i} has prediction ${p} and label ${a}; both must be 0 or 1.`);
    }
    counts[2 * a + p]!++;
  }
  const [trueNegative, falsePositive, falseNegative, truePositive] = counts as [number, number, number, number];
  return {
    accuracy: ratio(truePositive + trueNegative, actual.length),
    precision: ratio(truePositive, truePositive + falsePositive),
    recall: ratio(truePositive, truePositive + falseNegative),
    f1: ratio(2 * truePositive, 2 * truePositive + falsePositive + falseNegative),
    confusion: { truePositive, falsePositive, falseNegative, trueNegative },
  };
}

/** One row per classifier: accuracy, precision, recall and F1 in per cent. */
export function metricsTable(rows: Readonly<Record<string, Metrics>>): string {
  return table([
    ['', 'accuracy', 'precision', 'recall', 'F1'],
    ...Object.entries(rows).map(([name, m]) => [name, ...[m.accuracy, m.precision, m.recall, m.f1].map(percent)]),
  ]);
}

/** The confusion matrix: a row for what an example is, a column for what it was taken for. `names` are those of class 0 and 1. */
export function confusionTable({ confusion }: Metrics, [no, yes]: readonly [string, string] = ['0', '1']): string {
  const { truePositive, falsePositive, falseNegative, trueNegative } = confusion;
  return table([
    ['', `taken for ${no}`, `taken for ${yes}`],
    [`is ${no}`, `${trueNegative}`, `${falsePositive}`],
    [`is ${yes}`, `${falseNegative}`, `${truePositive}`],
  ]);
}

/** Columns two spaces apart: the first to the left, the others to the right; a rule under the first row. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    widths.map((width, i) => (i === 0 ? row[i]!.padEnd(width) : row[i]!.padStart(width))).join('  '),
  );
  return [lines[0], widths.map((width) => '─'.repeat(width)).join('──'), ...lines.slice(1)].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
