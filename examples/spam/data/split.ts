/** Splits examples into training and test sets: by a seed, with the same share of each label in both. */

/** How to split. */
export interface SplitOptions {
  /** Default 42. */
  readonly seed?: number;
  /** The share of each label that goes into the test set, between 0 and 1. Default 0.2. */
  readonly test_size?: number;
}

/** The same items, options and order give the same sets; both keep the order that the shuffle gave. */
export function trainTestSplit<T extends { readonly label: number }>(
  items: readonly T[],
  { seed = 42, test_size = 0.2 }: SplitOptions = {},
): { train: T[]; test: T[] } {
  const random = mulberry32(seed);
  const shuffled = shuffle(items, random);
  const wanted = new Map<number, number>();
  for (const { label } of items) wanted.set(label, (wanted.get(label) ?? 0) + test_size);
  for (const [label, count] of wanted) wanted.set(label, Math.round(count));
  const train: T[] = [];
  const test: T[] = [];
  for (const item of shuffled) {
    const left = wanted.get(item.label)!;
    wanted.set(item.label, left - 1);
    (left > 0 ? test : train).push(item);
  }
  return { train, test };
}

/** Fisher and Yates. */
function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/** A small generator with 32 bits of state (Tommy Ettinger, 2017): numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
