/** What an op must say about itself: one row of structure, from which evaluator, fusion and lowering are derived. */
import type { Data, DType } from './dtype.ts';
import type { Expr } from './expr.ts';
import type { Shape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** The shape and dtype of a tensor. */
export interface TensorType<S extends Shape = Shape, D extends DType = DType> {
  readonly shape: S;
  readonly dtype: D;
}

/** Where a view reads one of its inputs; `when` false means that this input does not give the element (0 if none does). */
export interface ViewIndex {
  readonly at: readonly Expr[];
  readonly when?: Expr;
}

/** Numbers for the names of run-time sizes. */
export type Sizes = Readonly<Record<string, number>>;

/** An operand of {@link OpBase} `evaluate`: elements with the shape they have in this run. */
export interface Value {
  readonly data: Data;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** What every op has. `A` is the type of its attributes: plain data that can be printed. */
export interface OpBase<A> {
  readonly name: string;
  /** The type of the result, or a `ShapeError` that says what does not fit. */
  readonly infer: (inputs: readonly TensorType[], attrs: A) => TensorType;
  /**
   * The gradient rule in tensor language: one cotangent per input, `undefined` where the op is not differentiable.
   * A cotangent may have the broadcast shape; it is summed back to the input's shape by the caller.
   */
  readonly vjp: (node: Tensor, ct: Tensor) => readonly (Tensor | undefined)[];
}

/** Element by element: operands broadcast, the result is a scalar expression of them. */
export interface MapOp<A> extends OpBase<A> {
  readonly kind: 'map';
  /** The result, from the operands' values at one element. */
  readonly scalar: (args: readonly Expr[], attrs: A) => Expr;
}
/** Combines the elements along `attrs.axes`, which disappear from the shape. */
export interface ReduceOp<A> extends OpBase<A> {
  readonly kind: 'reduce';
  /** What combining starts from: the value that changes nothing. */
  readonly init: (dtype: DType) => number;
  /** Two values into one; associative. */
  readonly combine: (a: Expr, b: Expr) => Expr;
}
/** Moves elements without changing them: an index map from the result to each input. */
export interface ViewOp<A> extends OpBase<A> {
  readonly kind: 'view';
  /** For each input, where the element at `out` is read. */
  readonly index: (out: readonly Expr[], node: Tensor) => readonly ViewIndex[];
}
/** A leaf: data handed in (`input`, `state`, `constant`), or a formula of the position when `value` is there. */
export interface SourceOp<A> extends OpBase<A> {
  readonly kind: 'source';
  /** The element at a position; absent where the data is handed in. */
  readonly value?: (at: readonly Expr[], node: Tensor) => Expr;
}
/** Pseudo-random elements: a formula of the flat position and of a key tensor's two `u32` words. */
export interface RandomOp<A> extends OpBase<A> {
  readonly kind: 'random';
  /** The element at a flat position (`u32` after a cast), from the two words of the key. */
  readonly value: (flat: Expr, key: readonly [Expr, Expr], attrs: A) => Expr;
}
/** Ops whose structure is their kind itself; `evaluate` is the reference, lowering knows the kind. */
export interface StructuredOp<A> extends OpBase<A> {
  readonly kind: 'contract' | 'gather' | 'scatter' | 'update';
  /** The reference: the elements of the result, from operands with the shapes of this run. */
  readonly evaluate: (node: Tensor, args: readonly Value[], shape: readonly number[], sizes: Sizes) => Data;
}

/** The row of an op. Everything downstream looks at `kind`, never at `name`. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- rows of all attribute types stand in one table
export type Op<A = any> = MapOp<A> | ReduceOp<A> | ViewOp<A> | SourceOp<A> | RandomOp<A> | StructuredOp<A>;
/** The kinds of ops: what a compiler or an evaluator has to know. */
export type OpKind = Op['kind'];
