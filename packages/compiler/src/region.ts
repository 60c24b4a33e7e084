/** Work that a backend may run its own way, with a library of its machine: what the compiler asks about, as plain data. */
import type { ContractAttrs, DType, Shape, Tensor } from '@sinter/ir';

/** An operand or the result of a region: its elements lie one behind the other, in row-major order. */
export interface RegionTensor {
  /** Sizes may be run-time sizes: `shapeSize` of `@sinter/ir` gives them their values. */
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A region: by now always one contraction. `kind` tells regions apart that may be added later. */
export interface Region {
  readonly kind: 'contract';
  /** Einstein's notation, one letter per axis: `'bsd,ed->bse'`. `parseSpec` of `@sinter/ir` sorts the letters. */
  readonly spec: string;
  readonly a: RegionTensor;
  readonly b: RegionTensor;
  readonly out: RegionTensor;
}

/** Contractions that the backend runs its own way. */
export type Regions = ReadonlyMap<Tensor, Region>;

/** Asks about every contraction of a graph. */
export function claimedRegions(order: readonly Tensor[], claims: (region: Region) => boolean): Regions {
  const typeOf = ({ shape, dtype }: Tensor): RegionTensor => ({ shape, dtype });
  const claimed = new Map<Tensor, Region>();
  for (const t of order) {
    if (t.op.kind !== 'contract') continue;
    const [a, b] = t.inputs as [Tensor, Tensor];
    const { spec } = t.attrs as ContractAttrs;
    const region: Region = { kind: 'contract', spec, a: typeOf(a), b: typeOf(b), out: typeOf(t) };
    if (claims(region)) claimed.set(t, region);
  }
  return claimed;
}

/** The tensor whose buffer an operand of a region is read from: a reshaped tensor has the elements of the tensor that it shows, in the same order. */
export function operandOf(x: Tensor, isStored: (t: Tensor) => boolean): Tensor {
  let y = x;
  while (y.op.name === 'reshape' && !isStored(y)) y = y.inputs[0]!;
  return y;
}
