/** The rows that say when something is computed and change nothing: views of their first operand. */
import type { OpBase, TensorType, ViewOp } from '../op.ts';
import { Tensor } from '../tensor.ts';

function firstOperand(name: string): ViewOp<object> {
  const infer: OpBase<object>['infer'] = ([x]): TensorType => ({ shape: x!.shape, dtype: x!.dtype });
  return {
    name,
    kind: 'view',
    infer,
    index: (out) => [{ at: out }],
    vjp: (node, ct) => node.inputs.map((_, i) => (i === 0 ? ct : undefined)),
  };
}

/** The first operand, not before the others are there. Their elements are not read. */
export const barrierOp: ViewOp<object> = firstOperand('barrier');
/** A result of a checkpointed function: the first operand. The others are the function's arguments, each behind a barrier of its own. */
export const checkpointOp: ViewOp<object> = firstOperand('checkpoint');

/**
 * `x`, not computed on from before every tensor of `after` is there. The same elements; costs nothing. What is made of it is never
 * merged with the same computation of `x` itself: that is how something is computed twice on purpose.
 */
export function barrier<T extends Tensor>(x: T, ...after: readonly Tensor[]): T {
  return Tensor.make(barrierOp, [x, ...after], {}) as T;
}
