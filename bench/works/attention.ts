/** Causal attention by itself, with the gradients of all that is attended: what a training step of a long sequence spends its time on. */
import { floats } from '../harness/values.ts';
import type { Work } from '../harness/work.ts';

/** Twelve heads over `batch` sequences. The result is the context and, beside it, the three gradients of a loss that
 * weighs every element of it. */
export function attentionStep(batch: number, seq: number, size = 64): Work {
  const shape = [batch, seq, 12, size] as const;
  return {
    name: `attention step ${batch}×${seq}`,
    place: 'cpu',
    // Six products; a mask hides half of each.
    flops: (6 * 2 * batch * 12 * seq * seq * size) / 2,
    tokens: batch * seq,
    params: {},
    inputs: { q: floats(shape), k: floats(shape), v: floats(shape), weight: floats(shape) },
    programs: {
      sinter: (ir, t) => {
        const of = [t('q'), t('k'), t('v')] as const;
        const past = ir.lessEqual(ir.iota([seq, seq], 1), ir.iota([seq, seq], 0));
        const bias = ir.where(past, ir.full([], 0), ir.full([], -Infinity));
        const { context } = ir.attention(...of, { bias });
        const [dq, dk, dv] = ir.gradients(ir.sum(ir.mul(context, t('weight'))), of);
        return { output: ir.concat([context, dq, dk, dv], 3) };
      },
      torch: `attention_step(t)`,
    },
  };
}
