/** The tensor functions of arithmetic, comparison, reduction and shape, typed so that literal shapes are checked. */
import type { DType } from '../dtype.ts';
import { isFloat } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { MapOp } from '../op.ts';
import { contract } from '../ops/contract.ts';
import { gatherOp, scatterOp, updateOp } from '../ops/index-ops.ts';
import * as map from '../ops/map.ts';
import { reduceMax, reduceMin, reduceSum } from '../ops/reduce.ts';
import { dimValue, full, iota } from '../ops/source.ts';
import * as view from '../ops/view.ts';
import type { Dim, Shape } from '../shape.ts';
import { dimLess, dimProduct, dimSum, normalAxis, showShape } from '../shape.ts';
import type {
  Broadcast,
  Expanded,
  Fits,
  InnerFits,
  Joined,
  JoinFits,
  MatMulShape,
  Permute,
  PermFits,
  Reduced,
  ReshapeFits,
  SameDType,
  Squeezed,
} from '../shape-types.ts';
import { Tensor } from '../tensor.ts';

/** An operand: a tensor, or a number of the other operand's dtype. */
export type Operand = Tensor | number;

function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a === 'number') {
    if (typeof b === 'number')
      throw new ShapeError('an operation on two numbers makes no tensor; compute it in JavaScript');
    return [full([], a, b.dtype), b];
  }
  return [a, typeof b === 'number' ? full([], b, a.dtype) : b];
}

interface Binary {
  <A extends Shape, B extends Shape, D extends DType, E extends DType>(
    a: Tensor<A, D>,
    b: Tensor<B, E> & Fits<A, B> & SameDType<D, E>,
  ): Tensor<Broadcast<A, B>, D>;
  <S extends Shape, D extends DType>(a: Tensor<S, D>, b: number): Tensor<S, D>;
  <S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, D>;
}
interface Compare {
  <A extends Shape, B extends Shape, D extends DType, E extends DType>(
    a: Tensor<A, D>,
    b: Tensor<B, E> & Fits<A, B> & SameDType<D, E>,
  ): Tensor<Broadcast<A, B>, 'bool'>;
  <S extends Shape>(a: Tensor<S>, b: number): Tensor<S, 'bool'>;
  <S extends Shape>(a: number, b: Tensor<S>): Tensor<S, 'bool'>;
}
type Unary = <S extends Shape, D extends DType>(x: Tensor<S, D>) => Tensor<S, D>;

const binary = (row: MapOp<object>): Binary =>
  ((a: Operand, b: Operand) => Tensor.make(row, operands(a, b), {})) as Binary;
const compare = (row: MapOp<object>, swap = false): Compare =>
  ((a: Operand, b: Operand) => {
    const [x, y] = operands(a, b);
    return Tensor.make(row, swap ? [y, x] : [x, y], {});
  }) as Compare;
const unary = (row: MapOp<object>): Unary => ((x: Tensor) => Tensor.make(row, [x], {})) as Unary;

/** `a + b`, broadcast. */ export const add: Binary = binary(map.add);
/** `a − b`, broadcast. */ export const sub: Binary = binary(map.sub);
/** `a · b`, broadcast. */ export const mul: Binary = binary(map.mul);
/** `a / b`, broadcast; integers truncate toward zero. */ export const div: Binary = binary(map.div);
/** The remainder of `a / b` with the sign of `a`. */ export const mod: Binary = binary(map.mod);
/** `a` to the power `b`. */ export const pow: Binary = binary(map.pow);
/** The smaller of two. */ export const minimum: Binary = binary(map.min);
/** The larger of two. */ export const maximum: Binary = binary(map.max);
/** Bitwise (for `bool`: logical) and. */ export const and: Binary = binary(map.and);
/** Bitwise (for `bool`: logical) or. */ export const or: Binary = binary(map.or);
/** Bitwise (for `bool`: logical) exclusive or. */ export const xor: Binary = binary(map.xor);
/** Bits shifted left. */ export const shl: Binary = binary(map.shl);
/** Bits shifted right; `i32` keeps its sign. */ export const shr: Binary = binary(map.shr);
/** `a = b`. */ export const equal: Compare = compare(map.eq);
/** `a < b`. */ export const less: Compare = compare(map.lt);
/** `a ≤ b`. */ export const lessEqual: Compare = compare(map.le);
/** `a > b`. */ export const greater: Compare = compare(map.lt, true);
/** `a ≥ b`. */ export const greaterEqual: Compare = compare(map.le, true);
/** `a ≠ b`. */ export const notEqual: Compare = ((a: Operand, b: Operand) =>
  not(equal(a as Tensor, b as Tensor) as Tensor<Shape, 'bool'>)) as Compare;

/** `−x`. */ export const neg: Unary = unary(map.neg);
/** The absolute value. */ export const abs: Unary = unary(map.abs);
/** e to the power x. */ export const exp: Unary = unary(map.exp);
/** The natural logarithm. */ export const log: Unary = unary(map.log);
/** The square root. */ export const sqrt: Unary = unary(map.sqrt);
/** Sine, of radians. */ export const sin: Unary = unary(map.sin);
/** Cosine, of radians. */ export const cos: Unary = unary(map.cos);
/** The hyperbolic tangent. */ export const tanh: Unary = unary(map.tanh);
/** The error function. */ export const erf: Unary = unary(map.erf);
/** The largest integer ≤ x. */ export const floor: Unary = unary(map.floor);
/** The nearest integer, halves to even. */ export const round: Unary = unary(map.round);
/** The value, with no gradient. */ export const stopGradient: Unary = unary(map.stopGradient);
/** The smallest integer ≥ x. */ export const ceil: Unary = (x) => neg(floor(neg(x)));
/** `x · x`. */ export const square: Unary = (x) => Tensor.make(map.mul, [x, x], {}) as typeof x;
/** `1 / x`. */ export const reciprocal: Unary = (x) => div(1, x);
/** `1 / √x`. */ export const rsqrt: Unary = (x) => div(1, sqrt(x));
/** −1, 0 or 1; no gradient. */
export const sign: Unary = (x) => {
  const t: Tensor = x;
  const constant = (value: number): Tensor => full([], value, t.dtype);
  return where(greater(t, 0), constant(1), where(less(t, 0), constant(-1), constant(0))) as typeof x;
};

/** Logical not. */
export function not<S extends Shape>(x: Tensor<S, 'bool'>): Tensor<S, 'bool'> {
  return Tensor.make(map.xor, [x, full([], 1, 'bool')], {}) as Tensor<S, 'bool'>;
}

/** `condition ? a : b`, broadcast. */
export function where<C extends Shape, A extends Shape, B extends Shape, D extends DType, E extends DType>(
  condition: Tensor<C, 'bool'>,
  a: Tensor<A, D>,
  b: Tensor<B, E> & Fits<A, B> & SameDType<D, E>,
): Tensor<Broadcast<C, Broadcast<A, B>>, D> {
  return Tensor.make(map.where, [condition, a, b], {}) as Tensor<Broadcast<C, Broadcast<A, B>>, D>;
}

/** `x` limited to `[low, high]`. */
export function clamp<S extends Shape, D extends DType>(x: Tensor<S, D>, low: number, high: number): Tensor<S, D> {
  return minimum(maximum(x, low), high);
}

/** Another dtype: floats to 32-bit integers truncate and saturate (NaN is 0), smaller integers keep the low bits, `bool` means ≠ 0. */
export function cast<S extends Shape, D extends DType>(x: Tensor<S>, dtype: D): Tensor<S, D> {
  return ((x.dtype as DType) === dtype ? x : Tensor.make(map.cast, [x], { dtype })) as Tensor<S, D>;
}

// ---- reductions

/** Which axes a reduction removes (all if not given), and whether they stay with size 1. */
export interface ReduceOptions {
  readonly axes?: number | readonly number[];
  readonly keepdims?: boolean;
}

/** The axes that options name, from the front, ascending and without repetition. */
function axesOf(name: string, x: Tensor, axes: ReduceOptions['axes']): number[] {
  if (axes === undefined) return x.shape.map((_, i) => i);
  return [...new Set([axes].flat().map((a) => normalAxis(name, a, x.shape.length)))].sort((a, b) => a - b);
}

type Reduction = <S extends Shape, D extends DType, const O extends ReduceOptions = object>(
  x: Tensor<S, D>,
  options?: O,
) => Tensor<Reduced<S, O>, D>;

const reduction = (name: string, row: typeof reduceSum): Reduction =>
  ((x: Tensor, options: ReduceOptions = {}) => {
    const axes = axesOf(name, x, options.axes);
    const out = axes.length === 0 ? x : Tensor.make(row, [x], { axes });
    return view.reshape(out, options.keepdims ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d)) : out.shape);
  }) as Reduction;
/** The sum along axes. */ export const sum: Reduction = reduction('sum', reduceSum);
/** The largest along axes. */ export const max: Reduction = reduction('max', reduceMax);
/** The smallest along axes. */ export const min: Reduction = reduction('min', reduceMin);

/** The mean along axes; run-time sizes are counted at run time. */
export const mean: Reduction = ((x: Tensor, options: ReduceOptions = {}) => {
  const count = dimProduct(axesOf('mean', x, options.axes).map((a) => x.shape[a]!));
  return div(sum(x, options) as Tensor, dimValue(count, x.dtype) as Tensor);
}) as Reduction;

/** The position of the largest element along an axis (the first of equal ones), as `i32`. */
export function argmax(x: Tensor, axis = -1): Tensor<Shape, 'i32'> {
  const a = normalAxis('argmax', axis, x.shape.length);
  const best = max(x, { axes: a, keepdims: true });
  const at = iota(x.shape, a);
  return min(where(equal(x, best), at as Tensor<Shape, 'i32'>, full([], 2147483647, 'i32') as Tensor<Shape, 'i32'>), {
    axes: a,
  });
}

// ---- shape

/** The same elements in row-major order under another shape. */
export function reshape<A extends Shape, D extends DType, const S extends Shape>(
  x: Tensor<A, D>,
  shape: S & ReshapeFits<A, S>,
): Tensor<S, D> {
  return view.reshape(x, shape) as Tensor<Shape, DType> as Tensor<S, D>;
}
/** Axes in another order: axis `i` of the result is axis `perm[i]` of `x`. */
export function transpose<A extends Shape, D extends DType, const P extends readonly number[]>(
  x: Tensor<A, D>,
  perm: P & PermFits<A, P>,
): Tensor<Permute<A, P>, D> {
  return view.transpose(x, perm as readonly number[]) as Tensor<Permute<A, P>, D>;
}
/** Repeated along new axes and axes of size 1. */
export function broadcastTo<D extends DType, const S extends Shape>(x: Tensor<Shape, D>, shape: S): Tensor<S, D> {
  return view.broadcastTo(x, shape) as Tensor<S, D>;
}
/** A new axis of size 1. */
export function expandDims<S extends Shape, D extends DType, const A extends number>(
  x: Tensor<S, D>,
  axis: A,
): Tensor<Expanded<S, A>, D> {
  const a = normalAxis('expandDims', axis, x.shape.length + 1);
  return view.reshape(x, [...x.shape.slice(0, a), 1, ...x.shape.slice(a)]) as Tensor<Shape, D> as Tensor<
    Expanded<S, A>,
    D
  >;
}
/** Without axes of size 1: the given ones, or all. */
export function squeeze<
  S extends Shape,
  D extends DType,
  const A extends number | readonly number[] | undefined = undefined,
>(x: Tensor<S, D>, axes?: A): Tensor<Squeezed<S, A>, D> {
  const gone = axes === undefined ? x.shape.flatMap((d, i) => (d === 1 ? [i] : [])) : axesOf('squeeze', x, axes);
  for (const a of gone)
    if (x.shape[a] !== 1) throw new ShapeError(`squeeze: axis ${a} of ${showShape(x.shape)} is not 1`);
  const kept: Shape = x.shape.filter((_, i) => !gone.includes(i));
  return view.reshape(x, kept) as Tensor<Shape, D> as Tensor<Squeezed<S, A>, D>;
}
/**
 * Where a slice begins and ends along each axis (negative from the end; axes of a run-time size only whole), and its steps. An end may be
 * a run-time size: of an axis that is at least as long, or of one with a number, which limits it (as the filled part of a key/value cache).
 */
export interface SliceOptions {
  readonly starts: readonly number[];
  readonly ends: readonly (Dim | undefined)[];
  readonly steps?: readonly number[];
}
/** A rectangular part. A run-time end must not be more than the axis has: programs and the evaluator check that when they run. */
export function slice<D extends DType>(x: Tensor<Shape, D>, options: SliceOptions): Tensor<Shape, D> {
  const { starts, ends, steps = x.shape.map(() => 1) } = options;
  const sizes: Dim[] = [];
  const from: number[] = [];
  x.shape.forEach((d, i) => {
    const [start, end, step] = [starts[i] ?? 0, ends[i], steps[i] ?? 1];
    if (typeof end === 'string') {
      const size = dimLess(end, start);
      if (start < 0 || size === undefined || step !== 1)
        throw new ShapeError(
          `slice: axis ${i} from ${start} to '${end}' wants a start that is part of its end, and a step of 1`,
        );
      from.push(start);
      sizes.push(size);
      return;
    }
    if (typeof d === 'string' && (end === undefined || end < 0 || start < 0)) {
      if (start !== 0 || end !== undefined || step !== 1)
        throw new ShapeError(
          `slice: axis ${i} of ${showShape(x.shape)} has a run-time size; take it whole, or give a start and an end ≥ 0`,
        );
      from.push(0);
      sizes.push(d);
      return;
    }
    const size = typeof d === 'number' ? d : Infinity;
    const clip = (v: number): number => Math.max(0, Math.min(size, v < 0 ? v + size : v));
    const [s, t] = [clip(start), clip(end ?? size)];
    from.push(s);
    sizes.push(Math.max(0, Math.ceil((t - s) / step)));
  });
  return Tensor.make(view.sliceOp, [x], { starts: from, sizes, steps: [...steps] }) as Tensor<Shape, D>;
}
/** Surrounded by `low[i]` elements before and `high[i]` after along axis `i`, all of them `value` (0). */
export function pad<D extends DType>(
  x: Tensor<Shape, D>,
  low: readonly number[],
  high: readonly number[],
  value = 0,
): Tensor<Shape, D> {
  const shape = x.shape.map((d, i) => {
    const more = low[i]! + high[i]!;
    if (typeof d === 'string' && more < 0)
      throw new ShapeError(
        `pad: cannot take ${-more} from axis ${i} of ${showShape(x.shape)}, which has a run-time size`,
      );
    return typeof d === 'string' ? dimSum([d, more]) : d + more;
  });
  const attrs = { starts: low, steps: x.shape.map(() => 1), shape };
  const zeros = Tensor.make(view.unsliceOp, [x], attrs) as Tensor<Shape, D>;
  if (value === 0) return zeros;
  const inside = Tensor.make(view.unsliceOp, [full(x.shape, 1, 'bool')], attrs) as Tensor<Shape, 'bool'>;
  return where(inside, zeros, full([], value, x.dtype) as Tensor<Shape, D>) as Tensor<Shape, D>;
}
/** Tensors one after the other along an axis. */
export function concat<const P extends readonly Tensor[], D extends DType, const A extends number = 0>(
  parts: P & readonly Tensor<Shape, D>[] & JoinFits<Shapes<P>, A>,
  axis?: A,
): Tensor<Joined<Shapes<P>, A>, D> {
  const list: readonly Tensor[] = parts;
  return Tensor.make(view.concatOp, list, {
    axis: normalAxis('concat', axis ?? 0, list[0]?.shape.length ?? 0),
  }) as Tensor<Joined<Shapes<P>, A>, D>;
}
type Shapes<P extends readonly Tensor[]> = { readonly [I in keyof P]: P[I]['shape'] };
/** Tensors of one shape along a new axis. */
export function stack<D extends DType>(parts: readonly Tensor<Shape, D>[], axis = 0): Tensor<Shape, D> {
  return concat(
    parts.map((p) => expandDims(p, axis)),
    axis,
  );
}
/** Elements in reverse order along axes. */
export function flip<D extends DType>(x: Tensor<Shape, D>, axes: readonly number[]): Tensor<Shape, D> {
  return Tensor.make(view.flipOp, [x], { axes: axes.map((a) => normalAxis('flip', a, x.shape.length)) }) as Tensor<
    Shape,
    D
  >;
}
/** The last two axes exchanged. */
export function matrixTranspose<D extends DType>(x: Tensor<Shape, D>): Tensor<Shape, D> {
  const rank = x.shape.length;
  if (rank < 2) throw new ShapeError(`matrixTranspose: ${showShape(x.shape)} has fewer than two axes`);
  return view.transpose(
    x,
    x.shape.map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i)),
  ) as Tensor<Shape, D>;
}

// ---- products

/** The matrix product by numpy's rule: batch axes broadcast, a vector has no free axis. */
export function matmul<A extends Shape, B extends Shape, D extends DType, E extends DType>(
  a: Tensor<A, D>,
  b: Tensor<B, E> & InnerFits<A, B> & SameDType<D, E>,
): Tensor<MatMulShape<A, B>, D> {
  const [x, y] = [a as Tensor, b as Tensor];
  const [p, q] = [x.shape.length, y.shape.length];
  const inner = y.shape[Math.max(0, q - 2)];
  if (p === 0 || q === 0 || x.shape[p - 1] !== inner) {
    throw new ShapeError(
      `matmul: inner sizes differ: ${x.shape[p - 1] ?? 'scalar'} ≠ ${inner ?? 'scalar'} in ${String(x)} · ${String(y)}`,
    );
  }
  const letters = [...'abcdefgh'].slice(0, Math.max(p, q) - 2 > 0 ? Math.max(p, q) - 2 : 0);
  const lead = (t: Tensor, rank: number): [Tensor, string] => {
    const names = letters.slice(letters.length - Math.max(0, rank - 2));
    const other = rank === p && t === x ? y : x;
    // An axis of size 1 that is repeated by the other operand has no label: it is read at 0.
    const keep = names.map((_, i) => {
      const fromEnd = Math.max(0, rank - 2) - i;
      const mine = t.shape[i]!;
      const others = other.shape[other.shape.length - 2 - fromEnd];
      return !(mine === 1 && others !== undefined && others !== 1);
    });
    const shape = [
      ...t.shape.slice(0, Math.max(0, rank - 2)).filter((_, i) => keep[i]),
      ...t.shape.slice(Math.max(0, rank - 2)),
    ];
    return [view.reshape(t, shape), names.filter((_, i) => keep[i]).join('')];
  };
  const [xa, la] = lead(x, p);
  const [yb, lb] = lead(y, q);
  const out = letters.filter((l) => la.includes(l) || lb.includes(l)).join('');
  const spec = `${la}${p > 1 ? 'm' : ''}k,${lb}k${q > 1 ? 'n' : ''}->${out}${p > 1 ? 'm' : ''}${q > 1 ? 'n' : ''}`;
  return contract(spec, xa, yb) as Tensor<MatMulShape<A, B>, D>;
}

// ---- addressing by data

/** Rows of a table: `out[i…, r…] = table[indices[i…], r…]`; indices outside are clamped. */
export function gather<D extends DType>(table: Tensor<Shape, D>, indices: Tensor<Shape, 'i32'>): Tensor<Shape, D> {
  return Tensor.make(gatherOp, [table, indices], {}) as Tensor<Shape, D>;
}
/** Rows added up where their index says, from zeros with `size` rows. */
export function scatterAdd<D extends DType>(
  indices: Tensor<Shape, 'i32'>,
  updates: Tensor<Shape, D>,
  size: Dim,
): Tensor<Shape, D> {
  return Tensor.make(scatterOp, [indices, updates], { size }) as Tensor<Shape, D>;
}
/** Along `axis`, the element that an index of the same rank names: `out[i, j] = x[i, indices[i, j]]` for the last axis. */
export function takeAlongAxis<D extends DType>(
  x: Tensor<Shape, D>,
  indices: Tensor<Shape, 'i32'>,
  axis = -1,
): Tensor<Shape, D> {
  const a = normalAxis('takeAlongAxis', axis, x.shape.length);
  const wide = expandDims(x, a);
  const at = expandDims(indices, a + 1);
  const hit = equal(at, iota(wide.shape, a + 1) as Tensor<Shape, 'i32'>);
  return sum(where(hit as Tensor<Shape, 'bool'>, wide, full([], 0, x.dtype) as Tensor<Shape, D>) as Tensor<Shape, D>, {
    axes: a + 1,
  });
}
/** `base` with the block `value` written over it at `start` (an `i32` per axis). */
export function updateSlice<D extends DType>(
  base: Tensor<Shape, D>,
  value: Tensor<Shape, D>,
  start: Tensor<Shape, 'i32'>,
): Tensor<Shape, D> {
  return Tensor.make(updateOp, [base, value, start], {}) as Tensor<Shape, D>;
}
/** Whether a dtype is a float, for functions that need one. */
export function requireFloat(what: string, x: Tensor): void {
  if (!isFloat(x.dtype)) throw new ShapeError(`${what}: wants a float, got ${String(x)}; cast it`);
}
