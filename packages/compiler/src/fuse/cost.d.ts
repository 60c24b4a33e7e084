/** When to compute an element again and when to store it: the rule for producers that several kernels read. */
import type { Tensor } from '@sinter/ir';
/** Work of computing one element of a tensor that is not stored from those that are. */
export declare function elementCost(isStored: (t: Tensor) => boolean): (t: Tensor) => number;
/**
 * The work from which storing an element (one write, one read) beats doing it again. Bytes count: a dropout mask of
 * booleans is stored early, a large `f32` late (it also costs memory). A tensor that is broadcast by its readers is small next
 * to them and almost always stored.
 */
export declare function storeThreshold(t: Tensor, broadcast: boolean): number;
//# sourceMappingURL=cost.d.ts.map