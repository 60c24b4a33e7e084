import { expect, test } from 'vitest';
import { arenaLayout } from './artifact/offsets.ts';
import { keepPrepared } from './artifact/prepare.ts';
import { explain } from './explain.ts';
import { interpreter } from './loop/backend.ts';
import { makePlan } from './make-plan.ts';
import { feedForward, maskedSoftmax, trainingStep } from './models.test.kit.ts';
import { memoryTimeline } from './timeline.ts';

const { target } = interpreter();

test.each([feedForward(), maskedSoftmax(), trainingStep()].map((g) => [g.name, g] as const))(
  'what lies at the peak of %s is the bound, and the arena is near it',
  (_, g) => {
    const planned = makePlan(g, target);
    const sizes = Object.fromEntries(Object.entries({ batch: 3, seq: 17 }).filter(([dim]) => dim in planned.plan.dims));
    const { bytes, peak, alive } = memoryTimeline(planned.plan, sizes);
    expect(bytes.length).toBe(planned.plan.steps.length);
    expect([Math.max(...bytes), bytes[peak.step]]).toEqual([peak.bytes, peak.bytes]);
    expect(alive.reduce((sum, b) => sum + b.bytes, 0)).toBe(peak.bytes);
    for (const { live } of alive) expect(live[0] <= peak.step && peak.step <= live[1]).toBe(true);
    expect(arenaLayout(keepPrepared(planned.plan), sizes).bytes).toBeLessThanOrEqual(
      1.05 * peak.bytes + 64 * planned.plan.buffers.length,
    );
  },
);

test('explain draws it, and names who wrote what lies there and who reads it last', () => {
  const text = String(explain(makePlan(maskedSoftmax(), target), { batch: 8, seq: 64 }));
  expect(text).toMatch(
    /an arena of [\d.]+ MiB \(at least [\d.]+ MiB\)\n {2}over the steps [▁-█]+\n {2}where it is most, in step \d+ \(\w+\), lie\n/,
  );
  expect(text).toContain("256.00 KiB the input 'scores', kept for row_");
  expect(text).toMatch(/256\.00 KiB row_\w+, kept for the caller/);
});
