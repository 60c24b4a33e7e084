/** Splits examples into training and test sets: by a seed, with the same share of each label in both. */
import { seeded, shuffled } from '@sinter/example-texts/random.ts';

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
  const wanted = new Map<number, number>();
  for (const { label } of items) wanted.set(label, (wanted.get(label) ?? 0) + test_size);
  for (const [label, count] of wanted) wanted.set(label, Math.round(count));
  const train: T[] = [];
  const test: T[] = [];
  for (const item of shuffled(items, seeded(seed))) {
    const left = wanted.get(item.label)!;
    wanted.set(item.label, left - 1);
    (left > 0 ? test : train).push(item);
  }
  return { train, test };
}
