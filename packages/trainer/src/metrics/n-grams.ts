/** N-grams as scores of texts count them. */

/** How often each n-gram occurs, and how many there are. */
export interface NGrams {
  readonly counts: ReadonlyMap<string, number>;
  readonly total: number;
}

/** The n-grams of a list. */
export function count(items: readonly string[], n: number): NGrams {
  const counts = new Map<string, number>();
  const total = Math.max(0, items.length - n + 1);
  for (let i = 0; i < total; i++) {
    const gram = items.slice(i, i + n).join('\u0000');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return { counts, total };
}

/** How many n-grams both have; one that occurs more often in one of them counts as often as in the other. */
export function overlap(a: NGrams, b: NGrams): number {
  let both = 0;
  for (const [gram, times] of a.counts) both += Math.min(times, b.counts.get(gram) ?? 0);
  return both;
}
