/** An embedding table: parameter `weight` `[count, size]`. */
import { embedding as lookUp } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import { normal } from '../init.ts';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';

/** The row of each id: `[...ids, size]`. Ids must be under `count`. Begins as `init`, by default normal of deviation 0.02. */
export const embedding = layer(
  (scope, ids: Tensor<Shape, 'i32'>, count: number, size: number, init: Init = normal(0.02)): Tensor =>
    lookUp(ids, scope.param('weight', [count, size], init)),
);
