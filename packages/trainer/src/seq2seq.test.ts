/** A model that reads one text and writes another: source and target have their own lengths, and the decoder is told the labels. */
import { fileURLToPath } from 'node:url';
import { cpu } from '@sinter/backend-cpu';
import { readSafetensors, TransformerForConditionalGeneration } from '@sinter/models';
import { expect, test } from 'vitest';
import { TrainingArguments } from './arguments.ts';
import { dataCollatorWithPadding } from './data/collate.ts';
import { Trainer } from './trainer.ts';

const goldens = fileURLToPath(new URL('../../models/goldens/', import.meta.url));
const args = new TrainingArguments({
  per_device_train_batch_size: 3,
  max_steps: 60,
  learning_rate: 0.02,
  save_strategy: 'no',
  report_to: 'none',
  disable_tqdm: true,
});

test('trains and measures what torch does, with decoder_input_ids or without', async () => {
  const model = await TransformerForConditionalGeneration.from_pretrained(`${goldens}tiny-transformer`);
  const file = await readSafetensors(`${goldens}tiny-transformer.expected.safetensors`);
  const rows = async (name: string, padding: number): Promise<number[][]> => {
    const { data, shape } = await file.readI32(name);
    const width = shape[1]!;
    return Array.from({ length: shape[0]! }, (_, row) =>
      [...data.subarray(row * width, (row + 1) * width)].slice(0, lengthOf(data, row, width, padding)),
    );
  };
  const labels = await rows('labels', -100);
  const examples = (await rows('input_ids', 0)).map((input_ids, i) => ({ input_ids, labels: labels[i]! }));
  const likelihood = (await file.readF32('likelihood')).data[0]!;
  await file.close();
  expect(examples.map(({ input_ids, labels }) => [input_ids.length, labels.length])).toEqual([
    [13, 7],
    [8, 9],
    [5, 4],
  ]);

  await using trainer = new Trainer({
    model,
    args,
    train_dataset: examples,
    backend: cpu({ threads: 1 }),
    progress: {},
  });
  expect((await trainer.evaluate(examples))['eval_loss']).toBeCloseTo(likelihood, 5);
  const told = examples.map((example) => ({
    ...example,
    decoder_input_ids: [1, ...example.labels.slice(0, -1).map((label) => (label === -100 ? 0 : label))],
  }));
  expect((await trainer.evaluate(told))['eval_loss']).toBeCloseTo(likelihood, 5);
  // Three texts are learnt by heart.
  await trainer.train();
  expect((await trainer.evaluate(examples))['eval_loss']).toBeLessThan(0.2 * likelihood);
});

test('sources, targets and labels are padded each to the longest of its kind', () => {
  const { inputs } = TransformerForConditionalGeneration.from_config({ ...small, vocab_size: 30 });
  const collate = dataCollatorWithPadding({ inputs, pad_token_id: 9 });
  const given = [
    { input_ids: [1, 2, 3], labels: [4] },
    { input_ids: [5], labels: [6, 7] },
  ];
  const tensor = (...rows: number[][]) => ({ shape: [2, rows[0]!.length], data: Int32Array.from(rows.flat()) });
  expect(collate(given, [0, 1])).toEqual({
    input_ids: tensor([1, 2, 3], [5, 9, 9]),
    attention_mask: tensor([1, 1, 1], [1, 0, 0]),
    labels: tensor([4, -100], [6, 7]),
  });
  const told = given.map((example) => ({ ...example, decoder_input_ids: example.labels }));
  expect(collate(told, [0, 1])).toMatchObject({ decoder_input_ids: tensor([4, 9], [6, 7]) });
});

const small = {
  d_model: 8,
  encoder_layers: 1,
  decoder_layers: 1,
  encoder_attention_heads: 2,
  decoder_attention_heads: 2,
};

/** A row without the padding at its end. */
function lengthOf(data: Int32Array, row: number, width: number, padding: number): number {
  let length = width;
  while (data[row * width + length - 1] === padding) length--;
  return length;
}
