/** Keeps kernels within the buffers that a target can bind: expressions of many operands are cut, groups of too many buffers divided. */
import type { Graph, Tensor } from '@sinter/ir';
import type { Group } from './group.ts';
/** Joins of more tensors than a kernel can read become joins of joins. */
export declare function splitConcats(g: Graph, maxBindings: number): Graph;
/**
 * Stores operands of expressions that read more tensors than a kernel can, those with the most first, until every expression
 * that is stored can be computed by a kernel of its own.
 */
export declare function cutExpressions(order: readonly Tensor[], stored: Map<Tensor, string>, maxBindings: number): void;
/** What {@link divide} knows of groups besides their members. */
export interface Uses {
    /** What each group reads of others. */
    readonly reads: ReadonlyMap<Group, ReadonlySet<Tensor>>;
    /** The stored tensors and data that a tensor is computed from. */
    readonly leaves: (t: Tensor) => ReadonlySet<Tensor>;
    /** The state, by name, that a tensor replaces: where the group reads that too, and no later one does, the two are one buffer. */
    readonly replaces: ReadonlyMap<Tensor, string>;
}
/**
 * Members that must begin groups of their own, so that no group reads and writes more buffers than a kernel can bind. A group is cut
 * where the parts have least in common: between one parameter's update and the next rather than within.
 */
export declare function divide(groups: readonly Group[], uses: Uses, maxBindings: number): Tensor[];
//# sourceMappingURL=limit.d.ts.map