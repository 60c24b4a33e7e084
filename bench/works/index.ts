/** The list of works, in the order they run. */
import type { Work } from '../harness/work.ts';
import { minilmForward, minilmStep } from './minilm.ts';
import { gelu, layerNorm, matmul, softmax } from './ops.ts';

export const works: readonly Work[] = [
  minilmForward(8, 128),
  minilmForward(1, 128),
  minilmStep(16, 128),
  matmul(512),
  softmax(4096, 1024),
  layerNorm(4096, 768),
  gelu(4 * 2 ** 20),
];

/** @throws Error when there is no such work */
export function findWork(name: string): Work {
  const work = works.find((candidate) => candidate.name === name);
  if (!work) throw new Error(`no work named "${name}"; there are: ${works.map((each) => each.name).join(', ')}`);
  return work;
}
