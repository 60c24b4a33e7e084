/** Every curve as the graph computes it, held against the schedulers of transformers. */
import { spawnSync } from 'node:child_process';
import { evaluate, graph, input } from '@sinter/ir';
import { expect, test } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import type { ScheduleOptions, SchedulerType } from './schedules.ts';
import { schedule, schedulerTypes } from './schedules.ts';

function curve(type: SchedulerType, options: ScheduleOptions): number[] {
  const g = graph('curve', { outputs: { factor: schedule(type, options)(input('step', [])) } });
  return Array.from({ length: options.total + 3 }, (_, step) => {
    const { outputs } = evaluate(g, { step: { data: Float32Array.of(step), shape: [] } });
    return outputs['factor']!.data[0]!;
  });
}

test('linear warms up from 0 and ends at 0', () => {
  expect(curve('linear', { warmup: 2, total: 6 })).toEqual([0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0, 0]);
  expect(curve('linear', { warmup: 0, total: 2 })).toEqual([1, 0.5, 0, 0, 0]);
  expect(curve('constant', { warmup: 2, total: 2 })).toEqual([1, 1, 1, 1, 1]);
  expect(curve('constant_with_warmup', { warmup: 2, total: 2 })).toEqual([0, 0.5, 1, 1, 1]);
});

const python = findPython(['transformers', 'torch']);
test.skipIf(!python).each(schedulerTypes)(
  '%s is that of transformers over its whole curve',
  (type) => {
    for (const options of [
      { warmup: 0, total: 20 },
      { warmup: 7, total: 50 },
      { warmup: 30, total: 20 },
    ]) {
      const script = `
import json, torch, transformers
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
scheduler = transformers.get_scheduler(${JSON.stringify(type)}, optimizer, ${options.warmup}, ${options.total})
curve = []
for _ in range(${options.total + 3}):
    curve.append(scheduler.get_last_lr()[0]); optimizer.step(); scheduler.step()
print(json.dumps(curve))`;
      const { stdout } = spawnSync(python!, ['-c', script], { encoding: 'utf8' });
      const want = JSON.parse(stdout.trim().split('\n').at(-1)!) as number[];
      curve(type, options).forEach((x, i) => expect(Math.abs(x - want[i]!), `step ${i}`).toBeLessThan(1e-6));
    }
  },
  120_000,
);
