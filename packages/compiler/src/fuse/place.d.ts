/** Whether a tensor can be computed in a group's kernel: over the same space, reading the group's members at its own place only. */
import type { Tensor } from '@sinter/ir';
import type { Group } from './group.ts';
/** Whether `t` is computed over the space of `g`: a quick look, before {@link fits}. */
export declare function hasPlaceFor(g: Group, t: Tensor): boolean;
/** Whether `t` can be computed in the kernel of `g`: over its space, and reading its members only at the same place. */
export declare function fits(g: Group, t: Tensor, isMember: (x: Tensor) => boolean, stored: ReadonlyMap<Tensor, string>): boolean;
//# sourceMappingURL=place.d.ts.map