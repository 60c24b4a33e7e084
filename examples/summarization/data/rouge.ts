/** ROUGE-N and ROUGE-L (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", https://aclanthology.org/W04-1013) of one summary and one reference. */

/** The share of words that are right, the share of the reference that is there, and their harmonic mean. */
export interface Rouge {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Words are runs of ASCII letters and digits in lower case, as in Google's `rouge_score` without stemming. */
export function rougeWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** Runs of `n` words that both have, each as often as the text that has it less often (section 2). */
export function rougeN(summary: string, reference: string, n: number): Rouge {
  const runs = (text: string): string[] => {
    const words = rougeWords(text);
    return words.slice(n - 1).map((_, i) => words.slice(i, i + n).join(' '));
  };
  const [said, wanted] = [runs(summary), runs(reference)];
  const left = new Map<string, number>();
  for (const run of wanted) left.set(run, (left.get(run) ?? 0) + 1);
  let common = 0;
  for (const run of said) {
    const count = left.get(run) ?? 0;
    if (count === 0) continue;
    left.set(run, count - 1);
    common++;
  }
  return score(common, said.length, wanted.length);
}

/** The longest row of words that stand in both in this order, whatever stands between them (section 3). */
export function rougeL(summary: string, reference: string): Rouge {
  const [said, wanted] = [rougeWords(summary), rougeWords(reference)];
  let above = new Array<number>(wanted.length + 1).fill(0);
  for (const word of said) {
    const row = [0];
    wanted.forEach((other, j) => row.push(word === other ? above[j]! + 1 : Math.max(above[j + 1]!, row[j]!)));
    above = row;
  }
  return score(above.at(-1)!, said.length, wanted.length);
}

function score(common: number, said: number, wanted: number): Rouge {
  if (common === 0) return { precision: 0, recall: 0, f1: 0 };
  const [precision, recall] = [common / said, common / wanted];
  return { precision, recall, f1: (2 * precision * recall) / (precision + recall) };
}
