/** Finds what somebody who misspelt a name may have meant. */

/** The (at most three) names nearest to `name`, for an error message. */
export function near(name: string, known: Iterable<string>): string {
  const ranked = [...known].map((k) => ({ k, d: distance(name, k) })).sort((a, b) => a.d - b.d);
  return (
    ranked
      .slice(0, 3)
      .map(({ k }) => `'${k}'`)
      .join(', ') || '(none)'
  );
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    }
    row = next;
  }
  return row[b.length]!;
}
