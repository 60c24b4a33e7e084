/** Which operands of late contractions are computed again rather than kept. */
import type { Tensor } from '@sinter/ir';
import type { Grouping } from './join.ts';
/**
 * An operand that was stored for an early reader and is packed by a late one (the activations of a forward pass, for the gradient of
 * a weight) is computed again while it is packed, where what it is made of is alive until then anyway: the operand itself
 * then need not be.
 */
export declare function recomputedOperands(order: readonly Tensor[], index: ReadonlyMap<Tensor, number>, stored: ReadonlyMap<Tensor, string>, grouping: Grouping, { maxBindings, recompute }: {
    readonly maxBindings: number;
    readonly recompute: number;
}): Map<Tensor, ReadonlySet<Tensor>>;
//# sourceMappingURL=recompute.d.ts.map