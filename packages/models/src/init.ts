/**
 * The first values of parameters. They come from a counter-based generator, Philox 2×32 with 10 rounds (Salmon et al.
 * 2011), keyed by the parameter's name: the order in which parameters are made, or which others there are, changes nothing.
 */

/** How a parameter begins: plain data. */
export type Init =
  | { readonly kind: 'constant'; readonly value: number }
  /** `zeroRow`: a row that is 0 instead, as for the padding token. */
  | { readonly kind: 'normal'; readonly std: number; readonly zeroRow?: number | undefined }
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  /** Values that are known, row-major. */
  | { readonly kind: 'given'; readonly values: Float32Array };

/** All 0. */
export const zeros: Init = { kind: 'constant', value: 0 };
/** All 1. */
export const ones: Init = { kind: 'constant', value: 1 };
/** Normal numbers around 0; `zeroRow` names a row (along the first axis) that is 0 instead. */
export function normal(std: number, options: { readonly zeroRow?: number | undefined } = {}): Init {
  return { kind: 'normal', std, ...options };
}
/** Evenly spread in [`low`, `high`). */
export function uniform(low: number, high: number): Init {
  return { kind: 'uniform', low, high };
}

/** The first value of the parameter `name`: the same for the same name, shape and seed, whatever else there is. */
export function initialise(
  init: Init,
  name: string,
  shape: readonly number[],
  seed: number,
): Float32Array<ArrayBuffer> {
  const data = new Float32Array(shape.reduce((count, size) => count * size, 1));
  switch (init.kind) {
    case 'constant':
      return data.fill(init.value);
    case 'given':
      data.set(init.values);
      return data;
    case 'uniform':
      eachPair(data.length, hash(name), seed, (i, a, b) => {
        data[i] = init.low + (init.high - init.low) * a;
        if (i + 1 < data.length) data[i + 1] = init.low + (init.high - init.low) * b;
      });
      return data;
    case 'normal': {
      // Box and Muller 1958: two uniform numbers make two normal ones.
      eachPair(data.length, hash(name), seed, (i, a, b) => {
        const radius = init.std * Math.sqrt(-2 * Math.log(1 - a));
        data[i] = radius * Math.cos(2 * Math.PI * b);
        if (i + 1 < data.length) data[i + 1] = radius * Math.sin(2 * Math.PI * b);
      });
      const row = data.length / (shape[0] ?? 1);
      if (init.zeroRow !== undefined) data.fill(0, init.zeroRow * row, (init.zeroRow + 1) * row);
      return data;
    }
    default:
      return init satisfies never;
  }
}

/** Calls `visit` for every even index with two uniform numbers in [0, 1) for it and its successor. */
function eachPair(count: number, key: number, seed: number, visit: (i: number, a: number, b: number) => void): void {
  for (let i = 0; i < count; i += 2) {
    let [left, right, k] = [i / 2, seed, key];
    for (let round = 0; round < 10; round++) {
      const high = highWord(multiplier, left >>> 0);
      const low = Math.imul(multiplier, left);
      left = high ^ k ^ right;
      right = low;
      k = (k + weyl) | 0;
    }
    visit(i, (left >>> 0) * 2 ** -32, (right >>> 0) * 2 ** -32);
  }
}
const multiplier = 0xd256d193;
const weyl = 0x9e3779b9;

/** The upper 32 bits of a product of two 32-bit numbers. */
function highWord(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const t = a1 * b0 + ((a0 * b0) >>> 16);
  return (a1 * b1 + (t >>> 16) + (((t & 0xffff) + a0 * b1) >>> 16)) | 0;
}

/** FNV-1a over the characters, then the finaliser of MurmurHash3, so that names that differ little give keys that differ much. */
function hash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
