/** Finds the sum (or product, minimum, maximum) of all lanes of registers, which machines do with few instructions. */
import type { LoopExpr } from '@sinter/compiler';

/** Ops that join lanes. */
export type JoiningOp = 'add' | 'mul' | 'min' | 'max';

/** All elements of an array joined by one op. */
export interface LaneTree {
  readonly op: JoiningOp;
  readonly from: string;
  readonly count: number;
}

/**
 * The tree behind an expression that joins element `l` with element `l + count/2` of an array, and so on with half as many,
 * until one is left. It must be exactly this tree, since reals are not associative.
 */
export function laneTree(x: LoopExpr): LaneTree | undefined {
  if (x.k !== 'op' || x.dtype !== 'f32') return undefined;
  const { op } = x;
  if (op !== 'add' && op !== 'mul' && op !== 'min' && op !== 'max') return undefined;
  let count = 1;
  let leaf: LoopExpr = x;
  while (leaf.k === 'op' && leaf.op === op) {
    leaf = leaf.args[0]!;
    count *= 2;
  }
  if (leaf.k !== 'load') return undefined;
  const { from } = leaf;
  const fits = (y: LoopExpr, element: number, left: number): boolean => {
    if (left === count) return y.k === 'load' && y.from === from && y.at.k === 'const' && y.at.value === element;
    return (
      y.k === 'op' && y.op === op && fits(y.args[0]!, element, 2 * left) && fits(y.args[1]!, element + left, 2 * left)
    );
  };
  return fits(x, 0, 1) ? { op, from, count } : undefined;
}
