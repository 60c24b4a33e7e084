/** One program trains and one evaluates, whatever the batches are like; and a second trainer finds both in the cache. */
import { cpu } from '@sinter/backend-cpu';
import type { Backend, Cache } from '@sinter/compiler';
import { BertForSequenceClassification } from '@sinter/models';
import { expect, test } from 'vitest';
import { TrainingArguments } from './arguments.ts';
import { Trainer } from './trainer.ts';

const config = {
  vocab_size: 30,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 40,
  num_labels: 2,
};

/** Texts of these lengths, with labels. */
const texts = (...lengths: number[]) =>
  lengths.map((length, i) => ({
    input_ids: Array.from({ length }, (_, j) => (i * 7 + j) % 30),
    labels: i % 2,
  }));

const sizesOf = (batches: readonly (readonly unknown[])[]): Set<string> => new Set(batches.map((b) => b.join()));

test('ten different batches and lengths compile one program for training and one for evaluation', async () => {
  const kept = new Map<string, Uint8Array>();
  const cache: Cache = { read: async (key) => kept.get(key), write: async (key, bytes) => void kept.set(key, bytes) };
  const own = cpu({ threads: 1 });
  const sizes: number[][] = [];
  let built = 0;
  const backend: Backend = {
    ...own,
    build: (plan, options) => {
      built++;
      return own.build(plan, options);
    },
    async load(artifact, options) {
      const program = await own.load(artifact, options);
      const run = program.run.bind(program);
      program.run = (inputs) => {
        sizes.push([...inputs!['input_ids']!.shape]);
        return run(inputs);
      };
      return program;
    },
  };
  const train = async (): Promise<number[]> => {
    await using trainer = new Trainer({
      model: BertForSequenceClassification.from_config(config),
      args: new TrainingArguments({
        per_device_train_batch_size: 3,
        per_device_eval_batch_size: 16,
        max_steps: 5,
        train_sampling_strategy: 'sequential',
        save_strategy: 'no',
        report_to: 'none',
        disable_tqdm: true,
      }),
      train_dataset: texts(2, 3, 4, 5, 5, 5, 7, 6, 5, 9, 11, 2, 8, 13),
      backend,
      cache,
      progress: {},
    });
    await trainer.train();
    const losses: number[] = [];
    for (const lengths of [[1], [2, 3], [9, 4, 4], [17, 3, 8, 8], [5, 5, 5, 5, 31]])
      losses.push((await trainer.evaluate(texts(...lengths)))['eval_loss'] as number);
    return losses;
  };

  const first = await train();
  expect(sizesOf(sizes).size).toBe(10);
  expect(built).toBe(2);
  expect(kept.size).toBe(2);
  expect(await train()).toEqual(first);
  expect(built).toBe(2);
});
