/**
 * Puts every stored tensor into a group: it joins that of a tensor it reads when it can be computed there and everything else that it
 * reads is there before the group runs; else it begins a group of its own.
 */
import type { Tensor } from '@sinter/ir';
import type { Group } from './group.ts';
import type { Regions } from '../region.ts';
/** Groups, and what each tensor is computed from. */
export interface Grouping {
    readonly groups: Group[];
    readonly groupOf: Map<Tensor, Group>;
    /** The stored tensors and data that a tensor is computed from. */
    readonly leaves: (t: Tensor) => ReadonlySet<Tensor>;
}
/** Groups all stored tensors, in the order of the graph. Those that are to stand `alone` join no group, but others may join theirs. */
export declare function groupAll(order: readonly Tensor[], index: ReadonlyMap<Tensor, number>, stored: ReadonlyMap<Tensor, string>, depth: ReadonlyMap<Tensor, number>, alone: ReadonlySet<Tensor>, regions: Regions): Grouping;
//# sourceMappingURL=join.d.ts.map