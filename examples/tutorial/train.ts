import { BertForSequenceClassification, BertTokenizer } from '@sinter/models';
import { Trainer, TrainingArguments } from '@sinter/trainer';

const tokenizer = await BertTokenizer.from_pretrained('sentence-transformers/all-MiniLM-L6-v2');
const model = await BertForSequenceClassification.from_pretrained('sentence-transformers/all-MiniLM-L6-v2');

const texts = ['I loved every minute of it', 'a waste of time', 'simply wonderful', 'dull and far too long'];
const labels = [1, 0, 1, 0];
const { input_ids } = tokenizer(texts, { truncation: true });
const train_dataset = labels.map((label, i) => ({ input_ids: input_ids[i]!, label }));

const args = new TrainingArguments({
  output_dir: './results',
  num_train_epochs: 3,
  per_device_train_batch_size: 16,
  per_device_eval_batch_size: 64,
  warmup_steps: 500,
  weight_decay: 0.01,
  logging_dir: './logs',
});

const trainer = new Trainer({ model, args, train_dataset, eval_dataset: train_dataset });
await trainer.train();
console.log(await trainer.evaluate());
await trainer.save_model('./results');
