/**
 * The order in which groups run. The order of the graph is kept, except that a group which frees more memory than it takes runs as soon
 * as it can: a weight's gradient right after the last other reader of the gradient that it is made from.
 */
import type { Tensor } from '@sinter/ir';
import type { Group } from './group.ts';
import type { DimRanges } from '../lower.ts';
/** Orders groups, given what each reads from other groups. */
export declare function orderGroups(groups: readonly Group[], reads: ReadonlyMap<Group, ReadonlySet<Tensor>>, roots: ReadonlySet<Tensor>, dims: DimRanges): Group[];
//# sourceMappingURL=order.d.ts.map