/** Which tensors are stored: what must be, the ends of epilogues, and what several kernels read and would dearly compute again. */
import type { Tensor } from '@sinter/ir';
import type { Grouping } from './join.ts';
/** Operands of a contraction are packed or read many times: what is computed there is computed once, before. */
export declare function contractOperands(order: readonly Tensor[]): Map<Tensor, string>;
/**
 * A contraction is stored after the maps that alone read it, as far as their other operands are there before it: what
 * is stored is then the end of its epilogue and not the bare product.
 */
export declare function extendEpilogue(contraction: Tensor, index: ReadonlyMap<Tensor, number>, consumers: ReadonlyMap<Tensor, readonly Tensor[]>, stored: Map<Tensor, string>): void;
/** Very long chains of maps are cut, so that no expression is deeper than its readers can recurse. */
export declare function limitDepth(order: readonly Tensor[], stored: Map<Tensor, string>): ReadonlyMap<Tensor, number>;
/** Inlined tensors that several groups compute and that cost more to compute again than to store. */
export declare function worthStoring(order: readonly Tensor[], consumers: ReadonlyMap<Tensor, readonly Tensor[]>, stored: ReadonlyMap<Tensor, string>, grouping: Grouping): Tensor[];
//# sourceMappingURL=store.d.ts.map