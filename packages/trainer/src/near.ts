/** "Did you mean": the known names that are closest to an unknown one, by edit distance (Levenshtein 1966). */

/** The names within a third of the letters of `name`, closest first, three at most. */
export function near(name: string, known: readonly string[]): string[] {
  const close = known.map((other) => ({ other, far: distance(name.toLowerCase(), other.toLowerCase()) }));
  return close
    .filter(({ other, far }) => far <= Math.ceil(Math.max(name.length, other.length) / 3))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ other }) => other);
}

function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    above = row;
  }
  return above[b.length]!;
}
