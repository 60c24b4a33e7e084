/** An embedding table: parameter `weight` `[count, size]`. */
import {
  embedding as lookUp,
  equal,
  expandDims,
  sameShape,
  ShapeError,
  showShape,
  stopGradient,
  where,
} from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import { normal } from '../init.ts';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';

/**
 * The row of each id: `[...ids, size]`. Ids must be under `count`. Begins as `init`, by default normal of deviation 0.02. Looking up the row of
 * `padding` (default: none) does not train it, as PyTorch's `padding_idx`.
 */
export const embedding = layer(
  (
    scope,
    ids: Tensor<Shape, 'i32'>,
    count: number,
    size: number,
    init: Init = normal(0.02),
    padding: number | null = null,
  ): Tensor => {
    const rows = lookUp(ids, scope.param('weight', [count, size], init));
    if (padding === null) return rows;
    return where(expandDims(equal(ids, padding), ids.shape.length), stopGradient(rows), rows) as Tensor;
  },
);

/** Complains unless ids, and what stands beside them, are `[batch, seq]` and of one shape. @throws ShapeError */
export function checkIds({
  input_ids,
  ...others
}: { readonly input_ids: Tensor } & Readonly<Record<string, Tensor | undefined>>): void {
  for (const [name, ids] of Object.entries({ input_ids, ...others }))
    if (ids && (ids.shape.length !== 2 || !sameShape(ids.shape, input_ids.shape)))
      throw new ShapeError(
        `${name} is ${showShape(ids.shape)}; it must be [batch, seq], as input_ids, which is ${showShape(input_ids.shape)}`,
      );
}
