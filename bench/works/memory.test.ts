/** The memory of the works as planned: how near the arena is to the least that any could be. */
import { explain, makePlan } from '@sinter/compiler';
import { cpu } from '@sinter/backend-cpu';
import { expect, test } from 'vitest';
import { sinterGraph } from '../drive/sinter.ts';
import { gpt2Small, gptStep } from './gpt.ts';
import { works } from './index.ts';
import { minilmForward } from './minilm.ts';

const { target } = cpu({ threads: 2 });
const models = [
  ...works.filter(
    ({ name, place, programs }) => place === 'cpu' && programs.sinter && /MiniLM|GPT.*training/.test(name),
  ),
  minilmForward(16, 128),
  gptStep('GPT-2 small', gpt2Small, 1),
];

test.each(models.map((work) => [work.name, work] as const))('the arena of %s is within 5 % of the least', (_, work) => {
  const { arenaBytes, arenaLowerBound, memory } = explain(makePlan(sinterGraph(work, work.programs.sinter!), target));
  expect(arenaBytes).toBeGreaterThanOrEqual(arenaLowerBound);
  expect(arenaBytes / arenaLowerBound).toBeLessThan(1.05);
  // The bound is what lies at the peak.
  expect(memory.alive.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(arenaLowerBound);
  expect(memory.bytes[memory.peak.step]).toBe(arenaLowerBound);
});
