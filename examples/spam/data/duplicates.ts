/**
 * Near-duplicates among texts: MinHash signatures of word triples, sorted into bands so that similar texts meet, and
 * compared exactly where they meet (Broder 1997; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", ch. 3).
 */

/** Signature length and its division into bands: two texts as similar as 0.7 meet with a chance of 0.999, at 0.3 of 0.1. */
const bands = 20;
const rows = 4;

/** How to compare. */
export interface DuplicateOptions {
  /** Texts count as the same from this Jaccard similarity of their word triples on. Default 0.7. */
  readonly similarity?: number;
}

/**
 * Groups of texts that are nearly the same: for each text the index of the first text of its group (its own, if there is none).
 * Groups are joined: if `a` is like `b` and `b` like `c`, all three are one. Numbers in the text are all alike.
 */
export function groupDuplicates(texts: readonly string[], { similarity = 0.7 }: DuplicateOptions = {}): Uint32Array {
  const sets = texts.map(shingles);
  const group = Uint32Array.from(texts, (_, i) => i);
  const find = (i: number): number => {
    while (group[i] !== i) i = group[i] = group[group[i]!]!;
    return i;
  };
  const signatures = sets.map(signature);
  for (let band = 0; band < bands; band++) {
    const buckets = new Map<number, number[]>();
    signatures.forEach((minima, i) => {
      const key = minima.subarray(band * rows, (band + 1) * rows).reduce(mix, band);
      const bucket = buckets.get(key);
      if (!bucket) return void buckets.set(key, [i]);
      for (const j of bucket) {
        const [a, b] = [find(i), find(j)];
        if (a !== b && jaccard(sets[i]!, sets[j]!) >= similarity) group[Math.max(a, b)] = Math.min(a, b);
      }
      bucket.push(i);
    });
  }
  return group.map((_, i) => find(i));
}

/** Hashes of all runs of three words, sorted, each once; a text of fewer words is one run. */
export function shingles(text: string): Uint32Array {
  const words = (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map((word) => hash(word.replace(/\p{N}+/gu, '0')));
  const runs = Math.max(1, words.length - 2);
  const all = Uint32Array.from({ length: runs }, (_, i) => words.slice(i, i + 3).reduce(mix, 0)).sort();
  return all.filter((value, i) => i === 0 || value !== all[i - 1]);
}

/** The share that two sorted sets have in common. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let common = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [x, y] = [a[i]!, b[j]!];
    if (x === y) common++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return common / (a.length + b.length - common);
}

/** The least value of the set under each of many hash functions. */
function signature(set: Uint32Array): Uint32Array {
  const minima = new Uint32Array(bands * rows).fill(0xffffffff);
  for (const value of set) {
    for (let i = 0; i < minima.length; i++) {
      const hashed = mix(i * 0x9e3779b9, value);
      if (hashed < minima[i]!) minima[i] = hashed;
    }
  }
  return minima;
}

/** FNV-1a. */
function hash(word: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) h = Math.imul(h ^ word.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Adds one more 32-bit value to a hash (the finaliser of MurmurHash3). */
function mix(seed: number, value: number): number {
  let h = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) ^ value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
