/** Every curve as the graph computes it, held against the schedulers of transformers. */
import { spawnSync } from 'node:child_process';
import { cpu } from '@sinter/backend-cpu';
import { compile } from '@sinter/compiler';
import { evaluate, graph, input } from '@sinter/ir';
import { expect, test } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import type { ScheduleOptions, SchedulerType, ScheduleSettings } from './schedules.ts';
import { plateauFactor, schedule, schedulerTypes } from './schedules.ts';

function curve(type: SchedulerType, options: ScheduleOptions): number[] {
  const g = graph('curve', { outputs: { factor: schedule(type, options)(input('step', [])) } });
  const state = type === 'reduce_lr_on_plateau' ? { [plateauFactor]: { data: Float32Array.of(0.25), shape: [] } } : {};
  return Array.from({ length: options.total + 3 }, (_, step) => {
    const { outputs } = evaluate(g, { step: { data: Float32Array.of(step), shape: [] } }, state);
    return outputs['factor']!.data[0]!;
  });
}

test('linear warms up from 0 and ends at 0', () => {
  expect(curve('linear', { warmup: 2, total: 6 })).toEqual([0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0, 0]);
  expect(curve('linear', { warmup: 0, total: 2 })).toEqual([1, 0.5, 0, 0, 0]);
  expect(curve('constant', { warmup: 2, total: 2 })).toEqual([1, 1, 1, 1, 1]);
  expect(curve('constant_with_warmup', { warmup: 2, total: 2 })).toEqual([0, 0.5, 1, 1, 1]);
});

const half = (x: number): number => 0.5 * (1 + Math.cos(Math.PI * x));
const ramps = { linear: (x: number) => 1 - x, cosine: half, '1-sqrt': (x: number) => 1 - Math.sqrt(x) };
const progress = (step: number, { warmup, total }: ScheduleOptions): number =>
  (step - warmup) / Math.max(1, total - warmup);
const warm = (rest: (step: number, o: ScheduleOptions) => number) => (step: number, o: ScheduleOptions) =>
  step < o.warmup ? step / o.warmup : rest(step, o);

/** The formulas of `transformers.optimization`, in plain numbers. */
const formulas: Record<SchedulerType, (step: number, options: ScheduleOptions) => number> = {
  linear: warm((step, o) => Math.max(0, 1 - progress(step, o))),
  cosine: warm((step, o) => Math.max(0, half((o.num_cycles ?? 0.5) * 2 * progress(step, o)))),
  cosine_with_restarts: warm((step, o) =>
    progress(step, o) >= 1 ? 0 : half(((o.num_cycles ?? 1) * progress(step, o)) % 1),
  ),
  polynomial: warm((step, o) => {
    const end = (o.lr_end ?? 1e-7) / o.learning_rate!;
    return (1 - end) * Math.max(0, 1 - progress(step, o)) ** (o.power ?? 1) + end;
  }),
  constant: () => 1,
  constant_with_warmup: warm(() => 1),
  inverse_sqrt: warm((step, o) => {
    const timescale = o.timescale ?? (o.warmup || 10_000);
    return 1 / Math.sqrt((step + timescale - o.warmup) / timescale);
  }),
  reduce_lr_on_plateau: () => 0.25,
  cosine_with_min_lr: warm((step, o) => {
    const least = o.min_lr_rate ?? o.min_lr! / o.learning_rate!;
    return least + (1 - least) * half((o.num_cycles ?? 0.5) * 2 * progress(step, o));
  }),
  cosine_warmup_with_min_lr: (step, o) => {
    const { warmup, warmup_lr_rate: from } = o;
    if (step < warmup)
      return from === undefined ? (step + 1) / warmup : from + ((1 - from) * step) / Math.max(1, warmup - 1);
    return o.min_lr_rate! + (1 - o.min_lr_rate!) * half((o.num_cycles ?? 0.5) * 2 * progress(step + 1, o));
  },
  warmup_stable_decay: (step, o) => {
    const { warmup, total, num_decay_steps: decay = 0, warmup_type = 'linear', decay_type = 'cosine' } = o;
    const [stable, least] = [o.num_stable_steps ?? total - warmup - decay, o.min_lr_ratio ?? 0];
    const between = (x: number): number => least + (1 - least) * x;
    if (step < warmup) {
      const rise = {
        linear: (x: number) => x,
        cosine: (x: number) => 1 - half(x),
        '1-sqrt': (x: number) => 1 - Math.sqrt(1 - x),
      };
      return between(rise[warmup_type](step / warmup));
    }
    if (step >= warmup + stable + decay) return least;
    return step < warmup + stable ? 1 : between(ramps[decay_type]((step - warmup - stable) / decay));
  },
};
const lengths: readonly ScheduleOptions[] = [
  { warmup: 0, total: 20 },
  { warmup: 7, total: 50 },
  { warmup: 30, total: 20 },
].map((length) => ({ ...length, learning_rate: 2e-4 }));
/** The settings that each schedule is tried with. */
const settings: Partial<Record<SchedulerType, readonly ScheduleSettings[]>> = {
  cosine: [{}, { num_cycles: 1.5 }],
  cosine_with_restarts: [{}, { num_cycles: 3 }],
  polynomial: [{}, { power: 2, lr_end: 1e-5 }],
  cosine_with_min_lr: [{ min_lr: 1e-5 }, { min_lr_rate: 0.1, num_cycles: 1 }],
  cosine_warmup_with_min_lr: [{ min_lr_rate: 0.1 }, { min_lr_rate: 0.2, warmup_lr_rate: 0.3 }],
  warmup_stable_decay: [
    { num_decay_steps: 5, num_stable_steps: 8 },
    { num_decay_steps: 6, num_stable_steps: 10, min_lr_ratio: 0.1 },
    { num_decay_steps: 10, num_stable_steps: 3, warmup_type: '1-sqrt', decay_type: '1-sqrt' },
    { num_decay_steps: 10, num_stable_steps: 3, warmup_type: 'cosine', decay_type: 'linear' },
  ],
};
const cases = (type: SchedulerType): ScheduleOptions[] =>
  (settings[type] ?? [{}]).flatMap((one) => lengths.map((length) => ({ ...length, ...one })));

test.each(schedulerTypes)('%s is its formula', (type) => {
  for (const one of cases(type))
    curve(type, one).forEach((x, step) => {
      expect(Math.abs(x - formulas[type](step, one)), `step ${step} of ${JSON.stringify(one)}`).toBeLessThan(1e-6);
    });
});

test('settings that a schedule does not take, or lacks, are errors', () => {
  const make = (type: SchedulerType, given: object) => () => curve(type, { warmup: 1, total: 4, ...given });
  expect(make('cosine', { num_cycle: 2 })).toThrow(/'cosine' has no setting 'num_cycle'; did you mean num_cycles/);
  expect(make('linear', { power: 2 })).toThrow(/'linear' has no setting 'power'; it takes none/);
  expect(make('cosine_with_min_lr', {})).toThrow(/wants lr_scheduler_kwargs with min_lr or min_lr_rate/);
  expect(make('cosine_with_min_lr', { min_lr: 1, min_lr_rate: 1 })).toThrow(/not both/);
  expect(make('warmup_stable_decay', {})).toThrow(/num_decay_steps/);
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
  'all that transformers has are as there, over their whole curves',
  () => {
    const all = schedulerTypes
      .filter((type) => type !== 'reduce_lr_on_plateau')
      .flatMap((type) => cases(type).map((options) => ({ type, options })));
    const script = `
import json, sys, torch, transformers
from transformers.trainer_utils import SchedulerType
known = {t.value for t in SchedulerType}
def curve(type, options):
    names = {"warmup", "total", "learning_rate"}
    settings = {k: v for k, v in options.items() if k not in names}
    # Older versions lack the last schedules and some of their settings.
    if type not in known: return None
    lr = options["learning_rate"]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    try: scheduler = transformers.get_scheduler(type, optimizer, options["warmup"], options["total"], settings)
    except TypeError: return None
    curve = []
    for _ in range(options["total"] + 3):
        try: curve.append(scheduler.get_last_lr()[0] / lr)
        except ZeroDivisionError: return curve
        optimizer.step()
        scheduler.step()
    return curve
print(json.dumps([curve(**case) for case in json.load(sys.stdin)]))`;
    const { stdout, stderr } = spawnSync(python!, ['-c', script], { encoding: 'utf8', input: JSON.stringify(all) });
    const curves = JSON.parse(stdout.trim().split('\n').at(-1) ?? stderr) as (number[] | null)[];
    const compared = new Set<string>();
    for (const [i, { type, options }] of all.entries()) {
      const wanted = curves[i];
      // Python's warm-up of this one begins at 0 in older versions, whatever min_lr_ratio says.
      if (!wanted || (type === 'warmup_stable_decay' && options.min_lr_ratio)) continue;
      compared.add(type);
      curve(type, options)
        .slice(0, wanted.length)
        .forEach((x, step) => {
          expect(Math.abs(x - wanted[step]!), `${type}, step ${step}`).toBeLessThan(1e-6);
        });
    }
    expect(compared.size).toBeGreaterThanOrEqual(9);
  },
  120_000,
);
