/** The rows of kind source: leaves that are handed in, and leaves that are a formula of the position. */
import type { Data, DType } from '../dtype.ts';
import { holds } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import { constant as constantExpr, e } from '../expr.ts';
import type { SourceOp } from '../op.ts';
import type { Dim, Shape } from '../shape.ts';
import { dimExpr, showShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';

interface Named {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

function checkShape(what: string, shape: Shape): void {
  for (const d of shape) {
    const good =
      typeof d === 'number' ? Number.isInteger(d) && d >= 0 : /^[A-Za-z0-9]\w*([+*][A-Za-z0-9]\w*)*$/.test(d);
    if (!good)
      throw new ShapeError(
        `${what}: ${JSON.stringify(d)} in ${showShape(shape)} is not a size; use a whole number ≥ 0 or a name that begins with a letter`,
      );
  }
}

function named(name: string): SourceOp<Named> {
  return {
    name,
    kind: 'source',
    vjp: () => [],
    infer(_, a) {
      checkShape(`${name} '${a.name}'`, a.shape);
      return { shape: a.shape, dtype: a.dtype };
    },
  };
}

/** Handed in at each run. */
export const inputOp = named('input');
/** Kept between runs: parameters, optimizer slots, caches. */
export const stateOp = named('state');

/** Fixed data, part of the graph. */
export const constantOp: SourceOp<{ readonly shape: readonly number[]; readonly dtype: DType; readonly data: Data }> = {
  name: 'constant',
  kind: 'source',
  vjp: () => [],
  infer(_, a) {
    checkShape('constant', a.shape);
    const want = a.shape.reduce((x, y) => x * y, 1);
    if (a.data.length !== want)
      throw new ShapeError(`constant: shape ${showShape(a.shape)} has ${want} elements, the data has ${a.data.length}`);
    if (!holds(a.data, a.dtype)) throw new ShapeError(`constant: ${a.data.constructor.name} does not hold ${a.dtype}`);
    return { shape: a.shape, dtype: a.dtype };
  },
};

/** One number everywhere. */
export const fullOp: SourceOp<{ readonly shape: Shape; readonly dtype: DType; readonly value: number }> = {
  name: 'full',
  kind: 'source',
  vjp: () => [],
  infer: (_, a) => ({ shape: a.shape, dtype: a.dtype }),
  value: (_, node) => {
    const a = node.attrs as { value: number };
    return constantExpr(a.value, node.dtype);
  },
};

/** The position along one axis, as `i32`. */
export const iotaOp: SourceOp<{ readonly shape: Shape; readonly axis: number }> = {
  name: 'iota',
  kind: 'source',
  vjp: () => [],
  infer: (_, a) => ({ shape: a.shape, dtype: 'i32' }),
  value: (at, node) => at[(node.attrs as { axis: number }).axis]!,
};

/** A run-time size as a scalar. */
export const dimOp: SourceOp<{ readonly dim: Dim; readonly dtype: DType }> = {
  name: 'dim',
  kind: 'source',
  vjp: () => [],
  infer: (_, a) => ({ shape: [], dtype: a.dtype }),
  value: (_, node) => e.cast(dimExpr((node.attrs as { dim: Dim }).dim), node.dtype),
};

/** A tensor with one number everywhere. */
export function full<const S extends Shape, D extends DType = 'f32'>(shape: S, value: number, dtype?: D): Tensor<S, D> {
  return Tensor.make(fullOp, [], { shape, dtype: dtype ?? 'f32', value }) as Tensor<S, D>;
}

/** A tensor that is handed in at each run, by name. */
export function input<const S extends Shape, D extends DType = 'f32'>(name: string, shape: S, dtype?: D): Tensor<S, D> {
  return Tensor.make(inputOp, [], { name, shape, dtype: dtype ?? 'f32' }) as Tensor<S, D>;
}

/** A tensor that is kept between runs: a parameter, an optimizer slot, a cache. */
export function state<const S extends Shape, D extends DType = 'f32'>(name: string, shape: S, dtype?: D): Tensor<S, D> {
  return Tensor.make(stateOp, [], { name, shape, dtype: dtype ?? 'f32' }) as Tensor<S, D>;
}

/** Fixed data as a tensor; `data` is taken as it is, not copied. */
export function constant<const S extends readonly number[], D extends DType = 'f32'>(
  data: Data,
  shape: S,
  dtype?: D,
): Tensor<S, D> {
  return Tensor.make(constantOp, [], { shape, dtype: dtype ?? 'f32', data }) as Tensor<S, D>;
}

/** The positions along `axis` of a shape: `iota([2, 3], 1)` is `[[0, 1, 2], [0, 1, 2]]`. */
export function iota<const S extends Shape>(shape: S, axis: number): Tensor<S, 'i32'> {
  return Tensor.make(iotaOp, [], { shape, axis }) as Tensor<S, 'i32'>;
}

/** A size as a scalar tensor, for run-time sizes in arithmetic. */
export function dimValue<D extends DType = 'f32'>(dim: Dim, dtype?: D): Tensor<readonly [], D> {
  if (typeof dim === 'number') return full([], dim, dtype ?? 'f32') as unknown as Tensor<readonly [], D>;
  return Tensor.make(dimOp, [], { dim, dtype: dtype ?? 'f32' }) as Tensor<readonly [], D>;
}
