/** A tensor is the node: op, inputs, attributes, shape, dtype; immutable, without ids or a global context. */
import type { DType } from './dtype.ts';
import type { Op, TensorType } from './op.ts';
import type { Shape } from './shape.ts';
import { showShape } from './shape.ts';

/**
 * One value of a graph, and at once the operation that makes it. `S` is its shape and `D` its dtype where they are
 * known to the type checker; a plain `Tensor` has any.
 */
export class Tensor<out S extends Shape = Shape, out D extends DType = DType> {
  /** The row of the operation. */
  readonly op: Op;
  /** The operands. */
  readonly inputs: readonly Tensor[];
  /** The attributes of the operation: plain data. */
  readonly attrs: unknown;
  /** The sizes, outermost first. */
  readonly shape: S;
  /** The element type. */
  readonly dtype: D;

  private constructor(op: Op, inputs: readonly Tensor[], attrs: unknown, type: TensorType<S, D>) {
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.shape = type.shape;
    this.dtype = type.dtype;
  }

  /** Applies an op: the only way to make a tensor. Throws a `ShapeError` where the operands do not fit. */
  static make<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A): Tensor {
    return new Tensor(op, inputs, attrs, op.infer(inputs, attrs));
  }

  /** A short text for messages: `add f32[batch, 784]`, with the name where it has one. */
  toString(): string {
    const name = (this.attrs as { name?: string } | undefined)?.name;
    return `${this.op.name}${name ? ` '${name}'` : ''} ${this.dtype}${showShape(this.shape)}`;
  }
}

/** `op.infer` and `Tensor.make` in one: a function that builds nodes of this op. */
export function builder<A>(op: Op<A>): (inputs: readonly Tensor[], attrs: A) => Tensor {
  return (inputs, attrs) => Tensor.make(op, inputs, attrs);
}
