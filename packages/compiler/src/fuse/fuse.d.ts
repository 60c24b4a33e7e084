/**
 * Decides which tensors are stored and which kernel computes each. Everything else is inlined where it is read: a map,
 * a view, a gather or a random number is an expression of its stored operands.
 *
 * A group is one kernel to be. It has an index space and members, which are tensors that are computed together: an
 * anchor (contraction, reduction, scatter) with the maps that follow it, or maps alone. A tensor joins a group when it is
 * computed over the same space and everything else that it reads is there before the group runs.
 */
import type { Graph, Tensor } from '@sinter/ir';
import type { DimRanges } from '../lower.ts';
import type { Region } from '../region.ts';
import type { Group } from './group.ts';
/** The result of {@link fuse}. */
export interface Fused {
    /** The graph, with a node of its own for every output and update. */
    readonly graph: Graph;
    /** In the order in which they run. */
    readonly groups: readonly Group[];
    /** The group of every member. */
    readonly groupOf: ReadonlyMap<Tensor, Group>;
    /** Why each tensor that need not be stored is stored all the same. */
    readonly stored: ReadonlyMap<Tensor, string>;
    /** Contractions that compute an operand again while they pack it, and those operands. */
    readonly recomputed: ReadonlyMap<Tensor, ReadonlySet<Tensor>>;
}
/** Options of {@link fuse}. */
export interface FuseOptions {
    /** Buffers that one kernel may use. */
    readonly maxBindings: number;
    /** Whether to count a state and what replaces it as one buffer; `false` where that cannot be done after all. Default `true`. */
    readonly inPlace?: boolean;
    /** The work up to which a contraction computes an element of an operand again, in simple operations. Default 40. */
    readonly recompute?: number;
    /** Ranges of run-time sizes. */
    readonly dims: DimRanges;
    /** `false`: every op is a kernel of its own. */
    readonly join?: boolean;
    /** Whether the backend runs a contraction its own way. Default: it runs none. */
    readonly claims?: (region: Region) => boolean;
}
/** Groups a graph. */
export declare function fuse(input: Graph, options: FuseOptions): Fused;
//# sourceMappingURL=fuse.d.ts.map