/** Fine-tunes a BERT to tell spam from real mail, says how good it is, and tries it on mails that it has never seen. */
import { availableParallelism } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import type { PreTrainedTokenizer } from '@sinter/models';
import { predictedClasses, Trainer, TrainingArguments, TrainingInterruptedError } from '@sinter/trainer';
import { stopwatch } from '../../tools/stopwatch.ts';
import { labelNames } from './data/corpus.ts';
import { loadMails, mailText } from './data/mails.ts';
import type { Mail } from './data/mails.ts';
import { binaryMetrics, confusionTable, metricsTable } from './data/metrics.ts';
import { trainNaiveBayes } from './data/naiveBayes.ts';
import { startModel } from './model.ts';
import { unseenMails } from './unseen.ts';

const { values: options } = parseArgs({
  options: {
    report: { type: 'string' },
    output: { type: 'string', default: 'runs/spam' },
    'from-scratch': { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    'max-length': { type: 'string' },
    mails: { type: 'string' },
    epochs: { type: 'string' },
    'learning-rate': { type: 'string' },
    batch: { type: 'string', default: '16' },
    seed: { type: 'string', default: '42' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 16)) },
  },
});
const { seconds, say } = stopwatch();

const seed = Number(options.seed);
const { train, test, counts } = await loadMails({ seed });
say(
  `${counts.read} mails, ${counts.duplicates} near-duplicates dropped: ${train.length} to learn from, ${test.length} held out`,
);

const { name, model, tokenizer, pretrained } = await startModel(
  train.map((m) => m.text),
  say,
  options['from-scratch'],
);
say(`${name}: ${(model.num_parameters() / 1e6).toFixed(1)} M parameters`);

// Native code where there is a C compiler, four times as fast; WebAssembly where there is none.
const backend = cpu({ target: options.target as 'auto', threads: Number(options.threads) });

// What four minutes on two cores allow; a machine with more takes --mails, --epochs and --max-length.
const isNative = backend.name === 'cpu-native';
const recipe = pretrained
  ? { mails: isNative ? Infinity : 2400, epochs: 1, max_length: isNative ? 128 : 96, learning_rate: 2e-4 }
  : { mails: Infinity, epochs: 3, max_length: 128, learning_rate: 1e-3 };
const max_length = Number(options['max-length'] ?? recipe.max_length);
const learnFrom = train.slice(0, Number(options.mails ?? Math.min(recipe.mails, train.length)));
const train_dataset = encode(tokenizer, learnFrom, max_length);
const eval_dataset = encode(tokenizer, test, max_length);

const args = new TrainingArguments({
  output_dir: options.output,
  logging_dir: `${options.output}/logs`,
  num_train_epochs: Number(options.epochs ?? recipe.epochs),
  per_device_train_batch_size: Number(options.batch),
  per_device_eval_batch_size: 64,
  learning_rate: Number(options['learning-rate'] ?? recipe.learning_rate),
  warmup_ratio: 0.1,
  weight_decay: 0.01,
  group_by_length: true,
  logging_steps: 0.1,
  save_strategy: 'no',
  report_to: 'tensorboard',
  seed,
});
const trainer = new Trainer({
  model,
  args,
  train_dataset,
  eval_dataset,
  processing_class: tokenizer,
  backend,
});
say(
  `fine-tuning on ${learnFrom.length} mails of up to ${max_length} tokens, on ${backend.name} (Ctrl-C stops with a checkpoint; --resume goes on)`,
);
const trained = await trainer.train({ resume_from_checkpoint: options.resume }).catch((error: unknown) => {
  if (!(error instanceof TrainingInterruptedError)) throw error;
  console.error(`${error.message}\nHere that is: npm start -- --resume, with the same options.`);
  process.exit(130);
});
const runtime = Number(trained.metrics.train_runtime);
const tokens = train_dataset.reduce((sum, x) => sum + x.input_ids.length, 0) * args.num_train_epochs;
say(`trained: loss ${trained.training_loss.toFixed(4)}, ${Math.round(tokens / runtime)} tokens/s`);

say(`reading the ${test.length} mails held out`);
const { predictions } = await trainer.predict(eval_dataset);
const truth = test.map((m) => m.label);
const bert = binaryMetrics(predictedClasses(predictions), truth);
const bayes = trainNaiveBayes(train);
const baseline = binaryMetrics(
  test.map((m) => bayes.predict(m.text)),
  truth,
);
say('on the mails held out:\n');
console.log(metricsTable({ [name]: bert, 'naive Bayes': baseline }));
console.log(confusionTable(bert, labelNames));

const folder = `${options.output}/model`;
await trainer.save_model(folder);
await trainer.close();

console.log('Three mails it has never seen:\n');
const compiled = await model.compile(backend);
for (const mail of unseenMails) {
  const { logits } = await compiled(tokenizer(mailText(mail), { truncation: true, max_length, return_tensors: 'i32' }));
  const [ham, spam] = logits!.data as Float32Array;
  console.log(`  ${(100 / (1 + Math.exp(ham! - spam!))).toFixed(1).padStart(5)} % spam   ${mail.subject}`);
}
compiled.close();

console.log(
  `\nThe model is in ${folder} (Python's transformers loads it too); the event log in ${args.logging_dir}. Look at it with\n\n  tensorboard --logdir ${args.logging_dir}\n`,
);
say('done');
if (options.report) {
  const { accuracy, precision, recall, f1 } = bert;
  const report = {
    model: name,
    accuracy,
    precision,
    recall,
    f1,
    seconds: seconds(),
    tokens_per_second: tokens / runtime,
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    baseline_accuracy: baseline.accuracy,
    baseline_f1: baseline.f1,
  };
  await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);
}

/** Mails as a dataset: token ids and label. */
function encode(
  tokenizer: PreTrainedTokenizer,
  mails: readonly Mail[],
  max_length: number,
): { input_ids: number[]; label: number }[] {
  const { input_ids } = tokenizer(
    mails.map((m) => m.text),
    { truncation: true, max_length },
  );
  return mails.map((mail, i) => ({ input_ids: input_ids[i]!, label: mail.label }));
}
