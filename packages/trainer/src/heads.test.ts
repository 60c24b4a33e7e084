/** Every kind of head of a model learns, whatever its labels are called, is evaluated and predicts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import {
  BertForMultipleChoice,
  BertForNextSentencePrediction,
  BertForPreTraining,
  BertForQuestionAnswering,
  BertForTokenClassification,
  DistilBertForSequenceClassification,
  RobertaForMaskedLM,
} from '@sinter/models';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TrainingArguments } from './arguments.ts';
import type { TrainableModel } from './model.ts';
import { Trainer } from './trainer.ts';

const bert = { vocab_size: 12, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 16 }; // prettier-ignore
const distil = { vocab_size: 12, dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 32, max_position_embeddings: 16 };
const undropped = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };

/** Texts of 4 tokens in which a 9 stands at `i % 3`, among others that differ. */
const texts = Array.from({ length: 24 }, (_, i) => ({
  at: i % 3,
  input_ids: [4, 4, 4, 4].map((id, j) => (j === i % 3 ? 9 : id + ((i >> 1) % 2) + (j % 2))),
}));
type Text = (typeof texts)[number];

const heads: Record<string, readonly [TrainableModel, (text: Text) => object]> = {
  'token classes': [
    BertForTokenClassification.from_config({ ...bert, ...undropped }),
    ({ input_ids }) => ({ labels: input_ids.map((id) => (id === 9 ? 1 : id === 5 ? -100 : 0)) }),
  ],
  answers: [
    BertForQuestionAnswering.from_config({ ...bert, ...undropped }),
    ({ at }) => ({ start_positions: at, end_positions: at + 1 }),
  ],
  choices: [
    BertForMultipleChoice.from_config({ ...bert, ...undropped }),
    ({ at, input_ids }) => ({
      input_ids: [0, 1].map((i) => (i === at % 2 ? input_ids : [4, 5, 4, 5])),
      labels: at % 2,
    }),
  ],
  'next sentences': [
    BertForNextSentencePrediction.from_config({ ...bert, ...undropped }),
    ({ at }) => ({ labels: at === 0 ? 0 : 1 }),
  ],
  pretraining: [
    BertForPreTraining.from_config({ ...bert, ...undropped }),
    ({ at, input_ids }) => ({
      labels: input_ids.map((id) => (id === 9 ? id : -100)),
      next_sentence_label: at === 0 ? 0 : 1,
    }),
  ],
  'masked tokens': [
    RobertaForMaskedLM.from_config({ ...bert, ...undropped, pad_token_id: 1 }),
    ({ input_ids }) => ({ labels: input_ids.map((id) => (id === 9 ? 3 : -100)) }),
  ],
  'classes of texts': [
    DistilBertForSequenceClassification.from_config({ ...distil, num_labels: 3, dropout: 0, attention_dropout: 0 }),
    ({ at }) => ({ label: at }),
  ],
};

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'heads-'))));
afterAll(() => rm(folder, { recursive: true }));

test.each(Object.entries(heads))('%s are learnt', async (name, [model, labels]) => {
  const dataset = texts.map((text) => ({ input_ids: text.input_ids, ...labels(text) }));
  const trainer = new Trainer({
    model,
    args: new TrainingArguments({
      output_dir: join(folder, name),
      max_steps: 60,
      per_device_train_batch_size: 24,
      learning_rate: 2e-2,
      save_strategy: 'no',
      report_to: 'none',
      disable_tqdm: true,
    }),
    train_dataset: dataset,
    eval_dataset: dataset,
    backend: cpu({ threads: 1 }),
  });
  const before = (await trainer.evaluate())['eval_loss']!;
  await trainer.train();
  const after = (await trainer.evaluate())['eval_loss']!;
  expect(after).toBeLessThan(before / 4);
  // A model that gives several kinds of logits has no one prediction.
  const { predictions } = await trainer.predict(dataset);
  expect(predictions.shape[0]).toBe(['answers', 'pretraining'].includes(name) ? 0 : texts.length);
  await trainer.close();
});
