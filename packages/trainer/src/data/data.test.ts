/** Order, batches and collation. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { TrainingArguments } from '../arguments.ts';
import { DataError, TrainerError } from '../errors.ts';
import type { InputSpec } from '../model.ts';
import { epochBatches } from './batches.ts';
import { dataCollatorWithPadding, tokensOf } from './collate.ts';
import { concatBatches } from './concat.ts';
import { example } from './dataset.ts';
import { permutation } from './random.ts';

describe('order', () => {
  const args = (given: ConstructorParameters<typeof TrainingArguments>[0]) =>
    new TrainingArguments({ per_device_train_batch_size: 4, ...given });

  test('each epoch has every example once, in an order of its own', () => {
    const [first, second] = [epochBatches(args({}), 0, 10), epochBatches(args({}), 1, 10)];
    expect(first.map((batch) => batch.length)).toEqual([4, 4, 2]);
    expect(first.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(second).not.toEqual(first);
    expect(epochBatches(args({}), 0, 10)).toEqual(first);
    expect(epochBatches(args({ data_seed: 43 }), 0, 10)).toEqual(second);
    expect(epochBatches(args({ dataloader_drop_last: true }), 0, 10).length).toBe(2);
    expect(epochBatches(args({ train_sampling_strategy: 'sequential' }), 5, 5)).toEqual([[0, 1, 2, 3], [4]]);
  });

  test('groups of like length begin with the longest', () => {
    const lengths = Array.from({ length: 200 }, (_, i) => (i * 37) % 101);
    const batches = epochBatches(args({}), 0, 200, lengths);
    expect(lengths[batches[0]![0]!]).toBe(100);
    expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
    const spread = (all: number[][]): number =>
      all.reduce((sum, b) => sum + Math.max(...b.map((i) => lengths[i]!)) - Math.min(...b.map((i) => lengths[i]!)), 0);
    expect(spread(batches)).toBeLessThan(spread(epochBatches(args({}), 0, 200)) / 3);
  });

  const python = findPython(['torch']);
  test.skipIf(!python)("is that of torch's seeded generator", () => {
    const cases = [
      [10, 42],
      [1000, 0],
      [777, 4294967295],
    ] as const;
    const script = `
import json, torch
print(json.dumps([torch.randperm(n, generator=torch.Generator().manual_seed(s)).tolist() for n, s in ${JSON.stringify(cases)}]))`;
    const { stdout } = spawnSync(python!, ['-c', script], { encoding: 'utf8' });
    expect(cases.map(([n, seed]) => permutation(n, seed))).toEqual(JSON.parse(stdout));
  });
});

describe('collation', () => {
  const ids: InputSpec = { shape: ['batch', 'seq'], dtype: 'i32' };
  const inputs: Record<string, InputSpec> = {
    input_ids: { ...ids, below: 100 },
    attention_mask: { ...ids, missing: 1 },
    labels: { shape: ['batch'], dtype: 'i32', below: 2, ignored: -100 },
  };
  const collate = dataCollatorWithPadding({ inputs, dims: { seq: 6 }, pad_token_id: 9, pad_to_multiple_of: 4 });
  const error = async (...features: object[]): Promise<DataError> => {
    const found = await Promise.resolve()
      .then(() =>
        collate(
          features,
          features.map((_, i) => 10 + i),
        ),
      )
      .catch((e: unknown) => e);
    expect(found).toBeInstanceOf(DataError);
    return found as DataError;
  };

  test('pads, renames the label, makes the mask', async () => {
    const batch = await collate(
      [
        { input_ids: [1, 2, 3], label: 1, text: 'left out' },
        { input_ids: Int32Array.of(4), labels: -100 },
      ],
      [0, 1],
    );
    expect(batch['input_ids']).toEqual({ shape: [2, 4], data: Int32Array.of(1, 2, 3, 9, 4, 9, 9, 9) });
    expect(batch['attention_mask']).toEqual({ shape: [2, 4], data: Int32Array.of(1, 1, 1, 0, 1, 0, 0, 0) });
    expect(batch['labels']).toEqual({ shape: [2], data: Int32Array.of(1, -100) });
    expect(Object.keys(batch)).toEqual(['input_ids', 'attention_mask', 'labels']);
    expect(tokensOf(batch)).toBe(4);
  });

  test('never pads beyond what the model takes', async () => {
    expect((await collate([{ input_ids: [1, 2, 3, 4, 5], label: 0 }], [0]))['input_ids']!.shape).toEqual([1, 6]);
  });

  test('token labels are padded with -100', async () => {
    const tokens = dataCollatorWithPadding({ inputs: { input_ids: ids, labels: { ...ids, below: 3, ignored: -100 } } });
    const batch = await tokens(
      [
        { input_ids: [1, 2], labels: [0, 2] },
        { input_ids: [1], labels: [1] },
      ],
      [0, 1],
    );
    expect([...batch['labels']!.data]).toEqual([0, 2, 1, -100]);
  });

  test('takes nested and flat lists for fixed shapes', async () => {
    const image = dataCollatorWithPadding({ inputs: { pixels: { shape: ['batch', 2, 2], dtype: 'f32' } } });
    const batch = await image(
      [
        {
          pixels: [
            [1, 2],
            [3, 4],
          ],
        },
        { pixels: Float32Array.of(5, 6, 7, 8) },
      ],
      [0, 1],
    );
    expect(batch['pixels']).toEqual({ shape: [2, 2, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
    const ragged = (pixels: unknown) => Promise.resolve().then(() => image([{ pixels }], [3]));
    await expect(ragged([[1, 2], [3]])).rejects.toThrow(DataError);
    await expect(ragged([[1, 2]])).rejects.toThrow(/example 3/);
    await expect(ragged([1, 2, 3])).rejects.toThrow(DataError);
    await expect(
      ragged([
        [1, NaN],
        [1, 2],
      ]),
    ).rejects.toThrow(/must be finite/);
  });

  test('what is wrong is said with the example', async () => {
    const good = { input_ids: [1], label: 0 };
    expect((await error(good, { input_ids: [1, 100], label: 0 })).message).toBe(
      "example 11: 'input_ids' has the value 100; it must be from 0 to 99",
    );
    expect((await error({ input_ids: [1], label: -1 })).message).toContain(
      'from 0 to 1, or -100 where it does not count',
    );
    expect((await error({ input_ids: [1.5], label: 0 })).message).toContain('must be a whole number');
    expect((await error({ input_ids: ['a'], label: 0 })).message).toContain('"a"; it must be a number');
    expect((await error({ input_ids: [1, 2], attention_mask: [1], label: 0 })).message).toBe(
      "example 10 is ragged: 'input_ids' has length 2 and 'attention_mask' length 1; both are 'seq'",
    );
    expect((await error({ input_ids: 7, label: 0 })).message).toContain(
      "'input_ids' is 7; the model wants a list of shape [seq]",
    );
    expect((await error({ input_ids: [1], label: [0] })).message).toContain("'labels'");
    expect((await error({ input_ids: [1, 2, 3, 4, 5, 6, 7], label: 0 })).message).toContain('at most 6; cut it');
    expect(await error(good, { inputs_ids: [1], label: 0 })).toMatchObject({
      index: 11,
      field: 'input_ids',
      message: expect.stringContaining('is it inputs_ids?') as unknown,
    });
  });
});

test('a dataset is an array, or something to ask', async () => {
  const one = { label: 1 };
  expect(await example([one], 0)).toBe(one);
  expect(await example({ length: 1, at: () => one }, 0)).toBe(one);
  expect(await example({ length: 1, get: async () => one }, 0)).toBe(one);
  await expect(example([one], 1)).rejects.toThrow(TrainerError);
});

test('batches of different lengths are put together', () => {
  const a = { shape: [1, 2, 2], data: Float32Array.of(1, 2, 3, 4) };
  const b = { shape: [1, 1, 2], data: Float32Array.of(5, 6) };
  expect(concatBatches([a, b], 'f32')).toEqual({
    shape: [2, 2, 2],
    data: Float32Array.of(1, 2, 3, 4, 5, 6, -100, -100),
  });
  const [c, d] = [
    { shape: [2], data: Int32Array.of(1, 2) },
    { shape: [1], data: Int32Array.of(3) },
  ];
  expect(concatBatches([c, d], 'i32')).toEqual({ shape: [3], data: Int32Array.of(1, 2, 3) });
});
