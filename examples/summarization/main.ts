/** Trains a Transformer from nothing to find subject lines for mails, and says how well it does beside the first words of each mail. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import { trainByteLevelBPE, TransformerForConditionalGeneration } from '@sinter/models';
import { Trainer, TrainingArguments } from '@sinter/trainer';
import { stopwatch } from '../../tools/stopwatch.ts';
import { rougeL, rougeN } from './data/rouge.ts';
import { loadSubjects } from './data/subjects.ts';

const { values: options } = parseArgs({
  options: {
    report: { type: 'string' },
    output: { type: 'string', default: 'runs/summarization' },
    mails: { type: 'string', default: 'Infinity' },
    test: { type: 'string', default: 'Infinity' },
    vocabulary: { type: 'string', default: '4000' },
    tokens: { type: 'string', default: '100' },
    layers: { type: 'string', default: '2' },
    width: { type: 'string', default: '128' },
    dropout: { type: 'string', default: '0.1' },
    batch: { type: 'string', default: '16' },
    epochs: { type: 'string', default: '4' },
    'learning-rate': { type: 'string', default: '0.002' },
    beams: { type: 'string', default: '4' },
    seed: { type: 'string', default: '42' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 16)) },
  },
});
const number = (name: Exclude<keyof typeof options, 'report'>): number => Number(options[name]);
const { seconds, say } = stopwatch();
const seed = number('seed');

// ---- mails: whole threads are held out, since answers have the subject of what they answer

const data = await loadSubjects({ seed });
const train = data.train.slice(0, number('mails'));
const test = data.test.slice(0, number('test'));
say(
  `${data.read} real mails, ${data.threads} threads: ${train.length} mails to learn from, ${test.length} threads held out`,
);

// ---- tokens: in lower case, because ROUGE does not look at it and words are then half as many

const tokenizer = trainByteLevelBPE(
  train.flatMap(({ body, subject }) => [body.toLowerCase(), subject.toLowerCase()]),
  {
    ...{ vocab_size: number('vocabulary'), add_prefix_space: true, template: { single: '$A </s>' } },
    ...{ pad_token: '<pad>', bos_token: '<s>', eos_token: '</s>' },
  },
);
const cut = { truncation: true, max_length: number('tokens') } as const;
const bodies = tokenizer(
  train.map(({ body }) => body.toLowerCase()),
  cut,
).input_ids;
const subjects = tokenizer(
  train.map(({ subject }) => subject.toLowerCase()),
  { ...cut, max_length: 24 },
).input_ids;
const train_dataset = bodies.map((input_ids, i) => ({ input_ids, labels: subjects[i]! }));

// ---- the model of 2017, small

const [width, layers] = [number('width'), number('layers')];
const model = TransformerForConditionalGeneration.from_config(
  {
    vocab_size: tokenizer.vocab_size,
    max_position_embeddings: Math.max(128, number('tokens')),
    ...{ d_model: width, dropout: number('dropout') },
    ...{ encoder_layers: layers, encoder_attention_heads: 4, encoder_ffn_dim: 2 * width },
    ...{ decoder_layers: layers, decoder_attention_heads: 4, decoder_ffn_dim: 2 * width },
    pad_token_id: tokenizer.pad_token_id!,
    ...{ bos_token_id: tokenizer.bos_token_id!, decoder_start_token_id: tokenizer.bos_token_id! },
    eos_token_id: tokenizer.eos_token_id!,
  },
  { seed },
);
// Native code where there is a C compiler, four times as fast; WebAssembly where there is none.
const backend = cpu({ target: options.target as 'auto', threads: number('threads') });
const args = new TrainingArguments({
  output_dir: options.output,
  logging_dir: `${options.output}/logs`,
  num_train_epochs: number('epochs'),
  per_device_train_batch_size: number('batch'),
  learning_rate: number('learning-rate'),
  warmup_ratio: 0.1,
  weight_decay: 0.01,
  adam_beta2: 0.98,
  group_by_length: true,
  logging_steps: 0.1,
  save_strategy: 'no',
  report_to: 'tensorboard',
  seed,
});
await using trainer = new Trainer({ model, args, train_dataset, processing_class: tokenizer, backend });
say(`training ${(model.num_parameters() / 1e6).toFixed(2)} M parameters on ${backend.name}`);
const { training_loss } = await trainer.train();
await trainer.save_model(`${options.output}/model`);

// ---- the threads held out: written freely, written with pieces of the mail alone, and the first words

say(`loss ${training_loss.toFixed(3)}; writing ${test.length} subjects`);
const [free, fromMail]: [string[], string[]] = [[], []];
for (const { body } of test) {
  const inputs = tokenizer(body.toLowerCase(), { ...cut, return_tensors: 'i32' });
  const there = new Set(inputs.input_ids.data);
  const absent = Array.from({ length: tokenizer.vocab_size }, (_, id) => [id]).filter(([id]) => !there.has(id!));
  const write = async (rules: object): Promise<string> => {
    const { data } = await model.generate(inputs, {
      backend,
      num_beams: number('beams'),
      max_new_tokens: 24,
      ...rules,
    });
    return tokenizer.decode(data as Int32Array, { skip_special_tokens: true }).trim();
  };
  free.push(await write({ no_repeat_ngram_size: 2 }));
  fromMail.push(await write({ no_repeat_ngram_size: 1, min_new_tokens: 4, bad_words_ids: absent }));
}
// The baseline takes as many words as are best for it on the mails to learn from.
const leading = (body: string, words: number): string => body.split(' ').slice(0, words).join(' ');
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const rouge1 = (said: readonly string[], of: typeof test): number =>
  100 * mean(said.map((text, i) => rougeN(text, of[i]!.subject, 1).f1));
const lengths = [4, 6, 8, 12, 16, 24, 32].map((words) => ({
  words,
  score: rouge1(
    train.map(({ body }) => leading(body, words)),
    train,
  ),
}));
const { words } = lengths.reduce((best, next) => (next.score > best.score ? next : best));
const writers = {
  free,
  'pieces of the mail': fromMail,
  [`its first ${words} words`]: test.map(({ body }) => leading(body, words)),
};
const scores = Object.entries(writers).map(([name, said]) => ({
  name,
  rouge1: rouge1(said, test),
  rougeL: 100 * mean(said.map((text, i) => rougeL(text, test[i]!.subject).f1)),
}));
console.log(`\n  F1 of ${test.length} subjects    ROUGE-1  ROUGE-L`);
for (const { name, rouge1, rougeL } of scores)
  console.log(`  ${name.padEnd(22)}${rouge1.toFixed(1).padStart(9)}${rougeL.toFixed(1).padStart(9)}`);
console.log();
for (let i = 0; i < test.length; i += Math.ceil(test.length / 8)) {
  console.log(
    `  ${test[i]!.subject}\n    free: ${free[i]}\n    of the mail: ${fromMail[i]}\n    first words: ${leading(test[i]!.body, words)}`,
  );
}
say('done');
if (options.report) {
  const report = {
    train: train.length,
    test: test.length,
    parameters: model.num_parameters(),
    training_loss,
    scores,
    seconds: seconds(),
  };
  await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);
}
