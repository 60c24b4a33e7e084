/** An embedding table: parameter `weight` `[count, size]`. */
import { embedding as lookUp, sameShape, ShapeError, showShape } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import { normal } from '../init.ts';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';

/** The row of each id: `[...ids, size]`. Ids must be under `count`. Begins as `init`, by default normal of deviation 0.02. */
export const embedding = layer(
  (scope, ids: Tensor<Shape, 'i32'>, count: number, size: number, init: Init = normal(0.02)): Tensor =>
    lookUp(ids, scope.param('weight', [count, size], init)),
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
