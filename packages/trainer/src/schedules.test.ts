/** Every curve as the graph computes it, held against the schedulers of transformers. */
import { spawnSync } from 'node:child_process';
import { cpu } from '@sinter/backend-cpu';
import { compile } from '@sinter/compiler';
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

/** The formulas of `transformers.optimization`, in plain numbers. */
const formulas: Record<SchedulerType, (step: number, options: ScheduleOptions) => number> = {
  linear: (step, { warmup, total }) => Math.max(0, (total - step) / Math.max(1, total - warmup)),
  cosine: (step, { warmup, total, num_cycles = 0.5 }) =>
    Math.max(0, 0.5 * (1 + Math.cos((Math.PI * num_cycles * 2 * (step - warmup)) / Math.max(1, total - warmup)))),
  constant: () => 1,
  constant_with_warmup: () => 1,
};
const lengths: readonly ScheduleOptions[] = [
  { warmup: 0, total: 20 },
  { warmup: 7, total: 50 },
  { warmup: 30, total: 20 },
];

test.each(schedulerTypes)('%s is its formula', (type) => {
  const options = [...lengths, ...(type === 'cosine' ? [{ warmup: 3, total: 40, num_cycles: 1.5 }] : [])];
  for (const one of options) {
    curve(type, one).forEach((x, step) => {
      const warming = type !== 'constant' && step < one.warmup;
      expect(x, `step ${step}`).toBeCloseTo(warming ? step / one.warmup : formulas[type](step, one), 6);
    });
  }
});

test.each<SchedulerType>(['linear', 'cosine'])('%s is the same when it is compiled', async (type) => {
  const options = { warmup: 3, total: 12 };
  const at = graph('curve', { outputs: { factor: schedule(type, options)(input('step', [])) } });
  await using program = await compile(at, cpu({ threads: 1 }));
  for (const [step, want] of curve(type, options).entries()) {
    const { factor } = await program.run({ step: { data: Float32Array.of(step), shape: [] } });
    expect(factor!.data[0], `step ${step}`).toBeCloseTo(want, 6);
  }
});

const python = findPython(['transformers', 'torch']);
test.skipIf(!python)(
  'all are those of transformers over their whole curves',
  () => {
    const cases = schedulerTypes.flatMap((type) => lengths.map((options) => ({ type, options })));
    const script = `
import json, sys, torch, transformers
def curve(type, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = transformers.get_scheduler(type, optimizer, options["warmup"], options["total"])
    for _ in range(options["total"] + 3):
        yield scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
print(json.dumps([list(curve(**case)) for case in json.load(sys.stdin)]))`;
    const { stdout } = spawnSync(python!, ['-c', script], { encoding: 'utf8', input: JSON.stringify(cases) });
    const curves = JSON.parse(stdout.trim().split('\n').at(-1)!) as number[][];
    for (const [i, { type, options }] of cases.entries()) {
      curve(type, options).forEach((x, step) => {
        expect(Math.abs(x - curves[i]![step]!), `${type}, step ${step}`).toBeLessThan(1e-6);
      });
    }
  },
  120_000,
);
