import { expect, test } from 'vitest';
import { traceFile } from './trace.ts';

test('kernels follow each other, runs lie above them, rates come from the explanation', () => {
  const steps = [
    { step: 0, kernel: 'contract', ms: 2 },
    { step: 1, kernel: 'row_softmax', ms: 0.5 },
  ];
  const explained = { flops: 4e6, bytes: 1e6, kernel: '', stores: ['contract f32[2]'], inlines: [] };
  const { traceEvents } = JSON.parse(
    traceFile('net', [steps, steps], { steps: steps.map((s) => ({ ...explained, step: s.step })) }),
  ) as { traceEvents: { name: string; ts: number; dur: number; args: Record<string, number> }[] };
  expect(traceEvents.map((e) => [e.name, e.ts, e.dur])).toEqual([
    ['contract', 0, 2000],
    ['row_softmax', 2000, 500],
    ['net, run 0', 0, 2500],
    ['contract', 2500, 2000],
    ['row_softmax', 4500, 500],
    ['net, run 1', 2500, 2500],
  ]);
  expect(traceEvents[0]!.args).toMatchObject({ step: 0, 'GFLOP/s': 2, 'GB/s': 0.5 });
});
