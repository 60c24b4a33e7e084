/** Inputs for a self-check: small, and the same every time. */
import type { Ports } from '@sinter/compiler';
import type { DType, TensorData } from '@sinter/ir';
import { dataFrom, shapeSize } from '@sinter/ir';
import type { InputSpec } from '@sinter/models';
import type { Dims, Sizes } from '../arguments/dims.ts';

/** Sizes for a sample, unless they are fixed or out of range: more than one, and no power of two, so that the ends of loops are run too. */
const usual: Sizes = { batch: 2, seq: 7 };

/** Small sizes within their ranges. */
export function sampleSizes(dims: Dims): Sizes {
  return Object.fromEntries(
    Object.entries(dims).map(([name, dim]) => {
      if (typeof dim === 'number') return [name, dim];
      return [name, Math.min(Math.max(usual[name] ?? 3, dim.min ?? 1), dim.max ?? Infinity)];
    }),
  );
}

/**
 * Pseudo-random inputs: reals from −1 to 1, integers that the model takes (`specs`, by input name; 0 and 1 where nothing is known of them).
 * What may be left out has its usual value.
 */
export function sampleInputs(
  inputs: Ports,
  specs: Readonly<Record<string, InputSpec>>,
  sizes: Sizes,
): Record<string, TensorData> {
  const random = generator(0x51e7e4);
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => {
      const at = shapeSize(shape, sizes);
      const values = Array.from({ length: at.reduce((a, b) => a * b, 1) }, () => value(dtype, specs[name], random()));
      return [name, { shape: at, data: dataFrom(dtype, values) }];
    }),
  );
}

function value(dtype: DType, spec: InputSpec | undefined, random: number): number {
  if (spec?.missing !== undefined) return spec.missing;
  if (dtype === 'f32' || dtype === 'f16' || dtype === 'bf16') return 2 * random - 1;
  return Math.floor(random * (spec?.below ?? 2));
}

/** Numbers from 0 to below 1 (mulberry32, Tommy Ettinger 2017). */
function generator(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
