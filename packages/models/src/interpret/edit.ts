/** Other values in the place of some of a graph's: what read them reads the new ones. The graph stays; a new one is made beside it. */
import { ShapeError, Tensor, sameShape, showShape, topological } from '@sinter/ir';

/** What stands for a value, made of what it would have been. */
export type Edit = (value: Tensor) => Tensor;

/**
 * The tensors `wanted` as they are after the edits. A value is edited once, where it arises: all that is computed of it, directly or on the way,
 * is computed of the new value, and several edits take effect in the order of the graph. @throws ShapeError if an edit changes shape or dtype
 */
export function edited(wanted: readonly Tensor[], edits: ReadonlyMap<Tensor, Edit>): Tensor[] {
  const now = new Map<Tensor, Tensor>();
  for (const tensor of topological(wanted)) {
    const inputs = tensor.inputs.map((x) => now.get(x)!);
    const same = inputs.every((x, i) => x === tensor.inputs[i]);
    const value = same ? tensor : Tensor.make(tensor.op, inputs, tensor.attrs);
    const made = edits.get(tensor)?.(value) ?? value;
    if (made.dtype !== tensor.dtype || !sameShape(made.shape, tensor.shape))
      throw new ShapeError(
        `what takes the place of a value is ${made.dtype}${showShape(made.shape)}; it must be ${tensor.dtype}${showShape(tensor.shape)}, as the value`,
      );
    now.set(tensor, made);
  }
  return wanted.map((tensor) => now.get(tensor)!);
}
