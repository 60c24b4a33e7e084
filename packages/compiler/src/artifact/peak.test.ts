import { expect, test } from 'vitest';
import { explain } from '../explain.ts';
import { interpreter } from '../loop/backend.ts';
import { makePlan } from '../make-plan.ts';
import { adam, feedForward, layerNormGradients, maskedSoftmax } from '../models.test.kit.ts';
import { evaluateSize } from './offsets.ts';
import { peakBytes, peakExpression } from './peak.ts';
import { sizeFromJson, sizeToJson } from './size.ts';
import { trainStep } from './samples.test.kit.ts';

const backend = interpreter();

test.each([feedForward(), maskedSoftmax(), layerNormGradients(), adam(), trainStep()].map((g) => [g.name, g] as const))(
  'the peak of %s is what explain counts, and what a run takes is little more',
  async (_name, g) => {
    const planned = makePlan(g, backend.target);
    const artifact = await backend.build(planned.plan);
    const peak = sizeFromJson(peakExpression(artifact));
    for (const [batch, seq] of [
      [1, 1],
      [3, 7],
      [8, 128],
      [64, 33],
    ] as const) {
      const sizes = Object.fromEntries(Object.entries({ batch, seq }).filter(([dim]) => dim in artifact.dims));
      const least = evaluateSize(peak, sizes);
      expect(least).toBe(explain(planned, sizes).arenaLowerBound);
      expect(peakBytes(artifact, sizes)).toBeGreaterThanOrEqual(least);
      expect(peakBytes(artifact, sizes)).toBeLessThanOrEqual(1.25 * least + 64 * artifact.buffers.length);
    }
  },
);

test('a peak reads well, and fixed sizes are numbers in it', async () => {
  const at = async (dims: Record<string, number>, prepare: boolean) =>
    peakExpression(await backend.build(makePlan(feedForward(), backend.target, { dims, prepare }).plan));
  expect(await at({ batch: 2 }, false)).toEqual(['add', ['mul', 'seq', 480], expect.any(Number)]);
  expect(typeof (await at({ batch: 2, seq: 3 }, false))).toBe('number');
  // A packed weight that is kept is not in the arena.
  expect(await at({ batch: 2 }, true)).toEqual(['mul', 'seq', 480]);
});

test('sizes survive JSON', () => {
  const { plan } = makePlan(feedForward(), backend.target);
  for (const { length } of plan.buffers)
    expect(sizeFromJson(JSON.parse(JSON.stringify(sizeToJson(length))) as never)).toEqual(length);
});

test('a peak wants sizes that the program was built for', async () => {
  const artifact = await backend.build(makePlan(feedForward(), backend.target, { dims: { batch: { max: 4 } } }).plan);
  expect(() => peakBytes(artifact, { batch: 5, seq: 1 })).toThrow("'batch' is 5, but it was built for 1 to 4");
});
