/** Where a block lies in the state that it is written over. */
import type { Expr, Tensor } from '@sinter/ir';
import { constantExpr as int, dimExpr, e, flatIndex } from '@sinter/ir';
import type { LoadExpr, LoopExpr } from '../loop/language.ts';
import type { Draft } from './draft.ts';
import { ix } from './draft.ts';

/** What is stored, and where. */
export interface Block {
  /** The element of the block. */ readonly value: LoopExpr;
  /** Where it belongs in the state. */ readonly at: LoopExpr;
  /** Where the block begins along each axis; it may stick out at both ends. */ readonly starts: readonly LoopExpr[];
  /** The sizes of the state. */ readonly sizes: readonly LoopExpr[];
}

/** The element of the block `t` at a place within it. */
export function blockAt(d: Draft, t: Tensor, place: readonly LoopExpr[]): Block {
  const [, value, start] = t.inputs as [Tensor, Tensor, Tensor];
  const starts = place.map((_, axis) => d.low.at(start, [int(axis)]));
  const there = place.map((x, axis) => ix.add(x, starts[axis]!));
  return {
    value: d.low.at(value, place),
    at: d.low.simplify(flatIndex(t.shape, there as readonly Expr[])),
    starts,
    sizes: t.shape.map((size) => dimExpr(size) as LoopExpr),
  };
}

/** Whether the element at `place` lies inside of the state, along the first `axes` axes. */
export function isInside({ starts, sizes }: Block, place: readonly LoopExpr[], axes: number): LoopExpr | undefined {
  let inside: LoopExpr | undefined;
  for (let axis = 0; axis < axes; axis++) {
    const at = ix.add(place[axis]!, starts[axis]!);
    const here = e.and<LoadExpr>(e.le<LoadExpr>(int(0), at), e.lt<LoadExpr>(at, sizes[axis]!));
    inside = inside ? e.and<LoadExpr>(inside, here) : here;
  }
  return inside;
}
