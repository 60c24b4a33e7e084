/** The learning rate that falls with evaluations, held against torch's `ReduceLROnPlateau`. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { expect, test } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import { iris, mlp } from '../test/mlp.ts';
import { TrainingArguments } from './arguments.ts';
import type { PlateauSettings } from './plateau.ts';
import { evaluated, noPlateau } from './plateau.ts';
import { Trainer } from './trainer.ts';

function factors(values: readonly number[], settings: PlateauSettings): number[] {
  let now = noPlateau;
  return values.map((value) => (now = evaluated(now, value, settings, 'min')).factor);
}

test('falls after patience, waits, and takes no NaN for better', () => {
  expect(factors([3, 2, 2, 2, 1, 1, 1, 1], { patience: 1, factor: 0.5 })).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]);
  expect(factors([1, NaN, NaN], { patience: 1, factor: 0.5 })).toEqual([1, 1, 0.5]);
  expect(evaluated({ best: 0.5, bad: 0, cooldown: 0, factor: 1 }, 0.6, {}, 'max').best).toBe(0.6);
});

const python = findPython(['torch']);
test.skipIf(!python)('is that of torch', () => {
  // A noisy curve that gets better ever more slowly.
  const values = Array.from({ length: 60 }, (_, i) => 2 / (1 + i / 3) + 0.3 * Math.abs(Math.sin(3 * i)));
  const cases: PlateauSettings[] = [
    {},
    { patience: 2, factor: 0.5 },
    { patience: 1, cooldown: 3, threshold: 0.05 },
    { patience: 0, threshold_mode: 'abs', threshold: 0.2, factor: 0.9 },
    { mode: 'max', patience: 3 },
  ];
  const script = `
import json, sys, torch
given = json.load(sys.stdin)
def factors(settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **settings)
    out = []
    for value in given["values"]:
        scheduler.step(value)
        out.append(optimizer.param_groups[0]["lr"])
    return out
print(json.dumps([factors(one) for one in given["cases"]]))`;
  const { stdout } = spawnSync(python!, ['-c', script], { encoding: 'utf8', input: JSON.stringify({ values, cases }) });
  const wanted = JSON.parse(stdout.trim().split('\n').at(-1)!) as number[][];
  cases.forEach((one, i) =>
    factors(values, one).forEach((x, step) => {
      expect(x, `evaluation ${step} of ${JSON.stringify(one)}`).toBeCloseTo(wanted[i]![step]!, 12);
    }),
  );
});

test('a trainer lowers its rate, and goes on with the lower one after a resume', async () => {
  const output_dir = await mkdtemp(join(tmpdir(), 'sinter-plateau-'));
  const rates = async (max_steps: number, resume: boolean): Promise<number[]> => {
    const seen: number[] = [];
    await using trainer = new Trainer({
      model: mlp(),
      train_dataset: iris,
      eval_dataset: iris,
      backend: cpu({ threads: 1 }),
      progress: {},
      callbacks: [{ on_step_end: (_args, _state, _control, { result }) => void seen.push(result!.learning_rate) }],
      args: new TrainingArguments({
        output_dir,
        max_steps,
        save_steps: 4,
        eval_strategy: 'steps',
        eval_steps: 1,
        // Nothing is that much better: the rate falls with every second evaluation but the first.
        lr_scheduler_type: 'reduce_lr_on_plateau',
        lr_scheduler_kwargs: { patience: 1, factor: 0.5, threshold: 10, threshold_mode: 'abs' },
        learning_rate: 0.01,
        report_to: 'none',
      }),
    });
    await trainer.train({ resume_from_checkpoint: resume });
    return seen.map((x) => x / 0.01);
  };
  const close = (x: readonly number[]): number[] => x.map((y) => Math.round(y * 1e5) / 1e5);
  expect(close(await rates(4, false))).toEqual([1, 1, 1, 0.5]);
  expect(close(await rates(8, true))).toEqual([0.5, 0.25, 0.25, 0.125]);
  await rm(output_dir, { recursive: true });
});
