/** A group: one kernel to be. */
import type { Shape, Tensor } from '@sinter/ir';
import type { Region } from '../region.ts';

/** What a group computes, by the template that schedules it. */
export type GroupKind = 'map' | 'row' | 'column' | 'contract' | 'scatter' | 'update';

/** One kernel to be. */
export interface Group {
  readonly kind: GroupKind;
  /** The index space: of the results of maps and contractions, of what a reduction keeps. */
  readonly space: Shape;
  /** Row groups: the space with the reduced innermost axis. */
  readonly full?: Shape;
  /** Column groups: the shape that is reduced, and its axes. */
  readonly reduced?: { readonly shape: Shape; readonly axes: readonly number[] };
  /** Contractions that the backend runs its own way: the group holds nothing else. */
  readonly region?: Region;
  /** Where it is made of groups that walk the same matrix of scores: what those are, and how many members each has. See `fuse/walk.ts`. */
  readonly parts?: readonly (Pick<Group, 'kind' | 'full'> & { readonly count: number })[];
  /** Tensors computed here, operands first. */
  readonly members: Tensor[];
  /** The members that others read, and so are stored. */
  outputs: readonly Tensor[];
  /** Position of the first member in the order of the graph; what a group reads from others stands before it. */
  readonly first: number;
}

/** Data that is there before the run: never computed, read from its buffer. */
export function isData(t: Tensor): boolean {
  return t.op.kind === 'source' && t.op.value === undefined;
}

/** The deepest chain of inlined maps. */
export const maxDepth = 150;
