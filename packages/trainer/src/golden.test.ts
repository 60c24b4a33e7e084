/** Five steps of a small BERT beside those that torch and Hugging Face's Trainer took. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { cpu } from '@sinter/backend-cpu';
import { interpreter } from '@sinter/compiler';
import type { Backend } from '@sinter/compiler';
import { BertForSequenceClassification, readSafetensors } from '@sinter/models';
import { describe, expect, test } from 'vitest';
import { Trainer } from './trainer.ts';
import { TrainingArguments } from './arguments.ts';
import type { StepResult } from './callbacks/callback.ts';
import { dataCollatorWithPadding } from './data/collate.ts';
import type { Feature } from './data/dataset.ts';

interface Golden {
  readonly settings: ConstructorParameters<typeof TrainingArguments>[0];
  readonly steps: readonly {
    readonly input_ids: number[][];
    readonly attention_mask: number[][];
    readonly token_type_ids: number[][];
    readonly labels: number[];
    readonly learning_rate: number;
    readonly loss: number;
    readonly grad_norm: number;
  }[];
}

const goldens = fileURLToPath(new URL('../../models/goldens/', import.meta.url));
const { settings, steps } = JSON.parse(await readFile(`${goldens}training.json`, 'utf8')) as Golden;
/** The rows of a step: the batches of the golden run have different sizes, so one example stands for a whole batch. */
const rowsOf = (step: Golden['steps'][number]): Feature[] =>
  step.labels.map((label, i) => ({
    input_ids: step.input_ids[i]!,
    attention_mask: step.attention_mask[i]!,
    token_type_ids: step.token_type_ids[i]!,
    label,
  }));

const relative = (got: number, want: number): number => Math.abs(got - want) / Math.max(1e-12, Math.abs(want));

describe.each<[string, () => Backend]>([
  ['cpu', () => cpu()],
  ['interpreter', () => interpreter()],
])('on the %s', (_name, make) => {
  test('losses, gradient norms, learning rates and weights are those of torch', async () => {
    const model = await BertForSequenceClassification.from_pretrained(`${goldens}tiny-bert`);
    const collate = dataCollatorWithPadding(model);
    const results: StepResult[] = [];
    await using trainer = new Trainer({
      model,
      args: new TrainingArguments({
        ...settings,
        per_device_train_batch_size: 1,
        max_steps: steps.length,
        train_sampling_strategy: 'sequential',
        save_strategy: 'no',
        report_to: 'none',
      }),
      train_dataset: steps.map((_, step) => ({ step })),
      data_collator: ([batch], [index]) => collate(rowsOf(steps[(batch as { step: number }).step]!), [index!]),
      backend: make(),
      progress: {},
      callbacks: [{ on_step_end: (_args, _state, _control, { result }) => void results.push(result!) }],
    });
    await trainer.train();

    steps.forEach((step, i) => {
      expect(relative(results[i]!.loss, step.loss)).toBeLessThan(1e-4);
      expect(relative(results[i]!.grad_norm, step.grad_norm)).toBeLessThan(1e-4);
      expect(relative(results[i]!.learning_rate, step.learning_rate)).toBeLessThan(1e-6);
    });
    await using expected = await readSafetensors(`${goldens}training.final.safetensors`).then((file) =>
      Object.assign(file, { [Symbol.asyncDispose]: () => file.close() }),
    );
    for (const name of expected.names) {
      const want = (await expected.readF32(name)).data;
      const got = model.parameters.get(name)!.data;
      const largest = want.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const difference = want.reduce((a, b, i) => Math.max(a, Math.abs(b - got[i]!)), 0);
      // A softmax does not feel the bias of keys: its gradient is noise, which Adam blows up.
      const limit = name.endsWith('key.bias') ? 1e-3 : 1e-4;
      expect(difference / largest, name).toBeLessThan(limit);
    }
  });
});
