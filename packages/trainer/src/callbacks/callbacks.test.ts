/** What callbacks show and log: the bar on a terminal, lines elsewhere, the event log, and when early stopping looks. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { cpu } from '@sinter/backend-cpu';
import { createFileWriter, readPoints } from '@sinter/logger';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { iris, mlp } from '../../test/mlp.ts';
import type { TrainingArgumentsInit } from '../arguments.ts';
import { TrainingArguments } from '../arguments.ts';
import { isBetter } from '../best.ts';
import type { TrainerOptions } from '../trainer-options.ts';
import { Trainer } from '../trainer.ts';
import type { TrainerCallback } from './callback.ts';
import { earlyStoppingCallback } from './early-stopping.ts';
import { tagOf } from './event-log.ts';
import { logLine, printerCallback, short } from './printer.ts';
import { progressCallback } from './progress.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sinter-callbacks-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const printed: string[] = [];
beforeEach(() => {
  printed.length = 0;
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
});

function trainer(args: TrainingArgumentsInit, options: Partial<TrainerOptions>): Trainer {
  return new Trainer({
    model: mlp(),
    train_dataset: iris,
    eval_dataset: iris,
    backend: cpu({ threads: 1 }),
    args: new TrainingArguments({
      output_dir: folder,
      per_device_train_batch_size: 30,
      max_steps: 6,
      logging_steps: 3,
      eval_strategy: 'steps',
      learning_rate: 0.01,
      save_strategy: 'no',
      report_to: 'none',
      ...args,
    }),
    progress: {},
    ...options,
  });
}

/** A stream that keeps what is written; with `columns` it says that it is a terminal. */
function screen(columns?: number): { readonly stream: NodeJS.WriteStream; text(): string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const terminal = { isTTY: true, columns, rows: 24, getWindowSize: () => [columns, 24] };
  return { stream: Object.assign(stream, columns ? terminal : {}) as unknown as NodeJS.WriteStream, text: () => text };
}

describe('progress', () => {
  test('is a bar on a terminal, with every log above it', async () => {
    const { stream, text } = screen(120);
    // The bar is drawn ten times a second.
    const slowly: TrainerCallback = { on_prediction_step: () => setTimeout(150) };
    await using t = trainer(
      { per_device_eval_batch_size: 75, eval_strategy: 'epoch' },
      { progress: progressCallback({ stream }), callbacks: [slowly] },
    );
    await t.train();
    // Without the sequences that move the cursor: ESC [ … letter.
    const lines = text().split(/\u001b\[[0-9;?]*[a-zA-Z]|[\r\n]/);
    const bars = lines.filter((line) => line.includes('6/6'));
    expect(bars.at(-1)).toMatch(/^\S+ 6\/6 {2}loss \d\.\d{4} {2}lr \S+ {2}[\d,]+ tokens\/s {2}0:00 left/);
    expect(lines.some((line) => line.startsWith(`{'loss': `))).toBe(true);
    expect(lines.some((line) => line.startsWith(`{'eval_loss': `))).toBe(true);
    expect(lines.some((line) => / 1\/2 {2}evaluating$/.test(line))).toBe(true);
    expect(printed).toEqual([]);
  });

  test('is a line now and then where there is no terminal', async () => {
    const { stream, text } = screen();
    await using t = trainer({}, { progress: progressCallback({ stream, seconds: 0 }) });
    await t.train();
    const lines = text().trimEnd().split('\n');
    expect(lines.length).toBe(6);
    expect(lines[2]).toMatch(/^step 3\/6 \(50 %\) {2}loss \d\.\d{4} {2}lr \S+ {2}[\d,]+ tokens\/s {2}0:00 left$/);
    expect(text()).not.toContain('\u001b');
    expect(printed.map((line) => /'(\w+)'/.exec(line)![1])).toEqual([
      'loss',
      'eval_loss',
      'loss',
      'eval_loss',
      'train_runtime',
    ]);

    const seldom = screen();
    await using other = trainer({}, { progress: progressCallback({ stream: seldom.stream }) });
    await other.train();
    expect(seldom.text()).toBe('');
  });

  test('can be left to a printer, or left out', async () => {
    const lines: string[] = [];
    await using t = trainer({ eval_strategy: 'no' }, { progress: printerCallback((line) => lines.push(line)) });
    await t.train();
    expect(lines.length).toBe(3);
    expect(lines[0]).toMatch(/^\{'loss': [\d.]+, 'grad_norm': [\d.]+, 'learning_rate': [\d.e-]+, 'epoch': 0\.6\}$/);
    await using silent = trainer({}, { progress: {} });
    await silent.train();
    expect(printed).toEqual([]);
    await using plain = trainer({ disable_tqdm: true, eval_strategy: 'no' }, { progress: undefined });
    await plain.train();
    expect(printed.length).toBe(3);
  });

  test('numbers are short', () => {
    expect([0.123456, 4.5e-5, 1e-10, 3, 12345.678, 0.00012].map(short)).toEqual([
      '0.1235',
      '4.5e-05',
      '1e-10',
      '3',
      '12350',
      '0.00012',
    ]);
    expect(logLine({ loss: 0.5, epoch: 1 })).toBe(`{'loss': 0.5, 'epoch': 1}`);
  });
});

test("the event log has the tags of transformers, and the arguments and the model's configuration as text", async () => {
  const logs = join(folder, 'logs');
  const sink = createFileWriter(logs);
  await using t = trainer({}, { sink });
  await t.train();
  await sink.close();
  const scalars: [string, number, number][] = [];
  const texts: Record<string, string> = {};
  for await (const point of readPoints(logs)) {
    if (point.kind === 'text') texts[point.tag] = point.text;
    else if (point.kind === 'scalar') scalars.push([point.tag, point.step, point.value]);
  }
  const at = (tag: string): number[] => scalars.flatMap(([name, step]) => (name === tag ? [step] : []));
  expect(at('train/loss')).toEqual([3, 6]);
  expect(at('train/grad_norm')).toEqual([3, 6]);
  expect(at('train/learning_rate')).toEqual([3, 6]);
  expect(at('train/epoch')).toEqual([3, 3, 6, 6, 6]);
  expect(at('eval/loss')).toEqual([3, 6]);
  expect(at('eval/samples_per_second')).toEqual([3, 6]);
  expect(at('train/train_loss')).toEqual([6]);
  const logged = t.state.log_history.find((entry) => 'loss' in entry)!['loss']!;
  expect(scalars.find(([tag]) => tag === 'train/loss')![2]).toBe(Math.fround(logged));
  expect(texts['args']).toContain('"learning_rate": 0.01');
  expect(texts['model_config']).toContain('"hidden": 8');
  expect(['loss', 'eval_loss', 'test_accuracy', 'train_runtime', 'evaluation'].map(tagOf)).toEqual([
    'train/loss',
    'eval/loss',
    'test/accuracy',
    'train/train_runtime',
    'train/evaluation',
  ]);
});

describe('the best evaluation', () => {
  test('is the lowest loss or the highest other metric, and never NaN', () => {
    const better = (given: TrainingArgumentsInit, value: number, best: number | null): boolean =>
      isBetter(new TrainingArguments(given), value, best);
    expect(better({}, 1, 2)).toBe(true);
    expect(better({}, 2, 2)).toBe(false);
    expect(better({ metric_for_best_model: 'accuracy' }, 1, 2)).toBe(false);
    expect(better({ metric_for_best_model: 'accuracy' }, 3, 2)).toBe(true);
    expect(better({ metric_for_best_model: 'distance', greater_is_better: false }, 1, 2)).toBe(true);
    expect(better({}, NaN, null)).toBe(false);
    expect(better({}, 5, null)).toBe(true);
  });

  test('early stopping looks at the evaluations of a training only', async () => {
    await using t = trainer({ eval_steps: 3 }, { callbacks: [earlyStoppingCallback({ early_stopping_patience: 9 })] });
    await t.train();
    await t.evaluate(iris, { metric_key_prefix: 'test' });
    await using never = trainer({ eval_strategy: 'no' }, { callbacks: [earlyStoppingCallback()] });
    await expect(never.train()).rejects.toThrow(/eval_strategy is 'no'/);
    await using other = trainer({ metric_for_best_model: 'f1' }, { callbacks: [earlyStoppingCallback()] });
    await expect(other.train()).rejects.toThrow(/watches eval_f1; the evaluation has eval_loss/);
  });
});
