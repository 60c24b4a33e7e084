/** Pretrains a BERT from nothing on two centuries of speeches and a book, and shows what that is worth where labels are few. */
import { availableParallelism } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import { loadBook, loadSpeeches } from '@sinter/example-texts/documents.ts';
import { seeded } from '@sinter/example-texts/random.ts';
import { BertForPreTraining, BertForSequenceClassification, trainWordPiece } from '@sinter/models';
import { dataCollatorForLanguageModeling, predictedClasses, Trainer, TrainingArguments } from '@sinter/trainer';
import { stopwatch } from '../../tools/stopwatch.ts';
import { naiveBayes } from './data/bayes.ts';
import { drawEach, eras, sentencesWithEra } from './data/eras.ts';
import { countGuesses } from './data/guesses.ts';
import { readHeldOut } from './data/held-out.ts';
import { sentencePairs } from './data/pairs.ts';

const { values: options } = parseArgs({
  options: {
    report: { type: 'string' },
    output: { type: 'string', default: 'runs/bert-pretraining' },
    from: { type: 'string' },
    speeches: { type: 'string', default: '233' },
    vocabulary: { type: 'string', default: '4000' },
    layers: { type: 'string', default: '4' },
    width: { type: 'string', default: '128' },
    length: { type: 'string', default: '32' },
    batch: { type: 'string', default: '64' },
    epochs: { type: 'string', default: '3.6' },
    'learning-rate': { type: 'string', default: '0.002' },
    masked: { type: 'string', default: '0.3' },
    'initializer-range': { type: 'string', default: '0.05' },
    'whole-words': { type: 'boolean', default: false },
    labels: { type: 'string', default: '50' },
    'tuning-epochs': { type: 'string', default: '15' },
    'tuning-rate': { type: 'string', default: '0.0005' },
    test: { type: 'string', default: '300' },
    seeds: { type: 'string', default: '3' },
    seed: { type: 'string', default: '42' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 16)) },
  },
});
const number = (name: Exclude<keyof typeof options, 'report' | 'from' | 'whole-words'>): number =>
  Number(options[name]);
const { seconds, say } = stopwatch();
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const [seed, length] = [number('seed'), number('length')];

// ---- texts: every tenth speech and chapter is held out

const speeches = (await loadSpeeches()).slice(-number('speeches'));
const book = (await loadBook()).slice(0, Math.ceil((140 * speeches.length) / 233));
const isHeld = (_: unknown, i: number): boolean => i % 10 === 5;
const isRead = (_: unknown, i: number): boolean => i % 10 !== 5;
const read = [...speeches.filter(isRead), ...book.filter(isRead)];
const held = [...speeches.filter(isHeld), ...book.filter(isHeld)];
const texts = read.map(({ text }) => text);
const tokenizer = trainWordPiece(texts, { vocab_size: number('vocabulary') });
const tokenized = (documents: typeof read): number[][][] =>
  documents.map(({ paragraphs }) => tokenizer(paragraphs.flat(), { add_special_tokens: false }).input_ids);
const [readTokens, heldTokens] = [tokenized(read), tokenized(held)];
const [cls, sep] = [tokenizer.cls_token_id!, tokenizer.sep_token_id!];
const pairs = sentencePairs(readTokens, { length, cls, sep, random: seeded(seed) });
const heldPairs = sentencePairs(heldTokens, { length, cls, sep, random: seeded(seed) }).filter((_, i) => i % 4 === 0);
say(`${read.length} documents to read, ${held.length} held out; a vocabulary of ${tokenizer.vocab_size}`);
say(`${pairs.length} pairs of texts of up to ${length} tokens; ${heldPairs.length} held out`);

// ---- pretraining: masked tokens, and whether the second text follows the first

const size = {
  vocab_size: tokenizer.vocab_size,
  hidden_size: number('width'),
  num_hidden_layers: number('layers'),
  num_attention_heads: number('width') / 32,
  intermediate_size: 4 * number('width'),
  max_position_embeddings: length,
  // So small a model begins to learn sooner with larger weights than BERT's 0.02.
  initializer_range: number('initializer-range'),
};
// Nothing is read so often that it could be learnt by heart, so nothing is dropped.
const undropped = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
const model = options.from
  ? await BertForPreTraining.from_pretrained(options.from)
  : BertForPreTraining.from_config({ ...size, ...undropped }, { seed });
// Native code where there is a C compiler; WebAssembly where there is none.
const backend = cpu({ target: options.target as 'auto', threads: number('threads') });
const pretraining = new Trainer({
  model,
  args: new TrainingArguments({
    output_dir: options.output,
    logging_dir: `${options.output}/logs`,
    num_train_epochs: number('epochs'),
    per_device_train_batch_size: number('batch'),
    learning_rate: number('learning-rate'),
    lr_scheduler_type: 'cosine',
    warmup_ratio: 0.06,
    weight_decay: 0.01,
    adam_beta2: 0.98,
    logging_steps: 0.02,
    save_strategy: 'no',
    report_to: 'tensorboard',
    seed,
  }),
  train_dataset: pairs,
  data_collator: dataCollatorForLanguageModeling({
    inputs: model.inputs,
    dims: model.dims,
    tokenizer,
    seed,
    mlm_probability: number('masked'),
    whole_word: options['whole-words'],
  }),
  processing_class: tokenizer,
  backend,
});
say(`a BERT of ${(model.num_parameters() / 1e6).toFixed(1)} M parameters reads them, on ${backend.name}`);
if (!options.from) {
  const { training_loss, metrics } = await pretraining.train();
  say(`read in ${Number(metrics.train_runtime).toFixed(0)} s; mean loss ${training_loss.toFixed(3)}`);
}
const folder = `${options.output}/model`;
await pretraining.save_model(folder);
await pretraining.close();

const { unigram, bigram } = countGuesses(readTokens);
const heldOut = await readHeldOut(model, tokenizer, heldPairs, { unigram, bigram }, backend);
say(`in what it never read, ${heldOut.tokens} masked tokens and ${heldPairs.length} pairs:`);
say(
  `  masked tokens   ${percent(heldOut.masked)} right; the most frequent token ${percent(heldOut.guessed['unigram']!)}`,
);
say(`                  the most frequent after the token before ${percent(heldOut.guessed['bigram']!)}`);
say(`  next sentences  ${percent(heldOut.next)} right; by chance 50 %`);

// ---- what that is worth: the era of a sentence, learnt from a few, with and without pretraining

const labels = Object.fromEntries(Object.keys(eras).map((name, i) => [name, i]));
const known = sentencesWithEra(speeches.filter(isRead));
const test = drawEach(sentencesWithEra(speeches.filter(isHeld)), number('test'), seeded(1));
const encoded = (examples: typeof test): object[] =>
  examples.map(({ text, label }) => ({ ...tokenizer(text, { truncation: true, max_length: length }), label }));

/** Share of right answers of a classifier that learns from a few sentences. */
async function tuned(
  classifier: BertForSequenceClassification,
  few: typeof test,
  name: string,
  run: number,
): Promise<number> {
  const trainer = new Trainer({
    model: classifier,
    args: new TrainingArguments({
      output_dir: `${options.output}/${name}-${run}`,
      logging_dir: `${options.output}/logs/${name}-${run}`,
      num_train_epochs: number('tuning-epochs'),
      per_device_train_batch_size: 16,
      per_device_eval_batch_size: 64,
      learning_rate: number('tuning-rate'),
      warmup_ratio: 0.1,
      weight_decay: 0.01,
      logging_steps: 0.5,
      disable_tqdm: true,
      save_strategy: 'no',
      report_to: 'tensorboard',
      seed: run,
    }),
    train_dataset: encoded(few),
    processing_class: tokenizer,
    backend,
  });
  await trainer.train();
  const { predictions } = await trainer.predict(encoded(test));
  await trainer.close();
  const classes = predictedClasses(predictions);
  return test.filter(({ label }, i) => label === classes[i]).length / test.length;
}

const scores = { pretrained: [] as number[], 'not pretrained': [] as number[], 'naive Bayes': [] as number[] };
const dropout = { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1, label2id: labels };
for (let run = 1; run <= number('seeds'); run++) {
  const read = { ...dropout, on_notice: () => undefined, seed: run };
  const knowing = await BertForSequenceClassification.from_pretrained(folder, read);
  const fresh = BertForSequenceClassification.from_config({ ...size, ...dropout }, { seed: run });
  const few = drawEach(known, number('labels'), seeded(run));
  scores.pretrained.push(await tuned(knowing, few, 'pretrained', run));
  scores['not pretrained'].push(await tuned(fresh, few, 'fresh', run));
  const bayes = naiveBayes(few, Object.keys(eras).length);
  scores['naive Bayes'].push(test.filter(({ text, label }) => bayes(text) === label).length / test.length);
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
say(`the era of ${test.length} sentences of speeches that it never read, learnt from ${number('labels')} of each:`);
for (const [name, values] of Object.entries(scores))
  say(`  ${name.padEnd(15)} ${percent(mean(values))} right (${values.map(percent).join(', ')})`);
say(`the model is in ${folder} (Python's transformers loads it too); tensorboard --logdir ${options.output}/logs`);
if (options.report) {
  const report = { seconds: seconds(), ...heldOut, scores };
  await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);
}
