/** Operands of contractions that are converted on the way from memory: stored at full width they would take more bytes than what they are made of. */
import type { Tensor } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import { isData } from './group.ts';

/** The most maps between data and an operand. */
const mostMaps = 8;

const bytesOf = (t: Tensor): number =>
  t.shape.reduce<number>((product, d) => product * (typeof d === 'number' ? d : NaN), dtypeBytes[t.dtype]);

/**
 * Whether an operand is data of fewer bytes that a few maps convert and scale, as quantised weights are. Kernels then read the data: a
 * conversion costs less than writing and reading a copy. `work`: how many operations an element may take.
 */
export function isDequantised(x: Tensor, work: number): boolean {
  const leaves = new Set<Tensor>();
  const seen = new Set<Tensor>();
  let maps = 0;
  const visit = (t: Tensor): boolean => {
    if (seen.has(t)) return true;
    seen.add(t);
    if (isData(t)) {
      leaves.add(t);
      return true;
    }
    if (t.op.kind === 'map' && ++maps > Math.min(mostMaps, work)) return false;
    return (t.op.kind === 'map' || t.op.kind === 'view' || t.op.kind === 'source') && t.inputs.every(visit);
  };
  if (x.op.kind !== 'map' || !visit(x)) return false;
  return [...leaves].reduce((sum, t) => sum + bytesOf(t), 0) < bytesOf(x);
}

/** What an operand is a view of. */
export function baseOf(x: Tensor): Tensor {
  while (x.op.kind === 'view' && x.inputs.length === 1) x = x.inputs[0]!;
  return x;
}
