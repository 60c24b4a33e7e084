/** Trains a BERT to find people and countries, on labels that rules made, and tests it on names that it never saw and on labels by hand. */
import { availableParallelism } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import { seeded, shuffled } from '@sinter/example-texts/random.ts';
import { Trainer, TrainingArguments } from '@sinter/trainer';
import { stopwatch } from '../../tools/stopwatch.ts';
import { trainBaseline } from './data/baseline.ts';
import { countryNames, firstNames } from './data/lists.ts';
import { score } from './data/score.ts';
import type { Score } from './data/score.ts';
import { loadSentences } from './data/sentences.ts';
import { lastWord, splitByName } from './data/split.ts';
import type { Labelled } from './data/split.ts';
import { swapNames } from './data/swap.ts';
import { wordsOf } from './data/words.ts';
import type { Span } from './data/words.ts';
import { encoder, spansFrom, startModel } from './model.ts';

const { values: options } = parseArgs({
  options: {
    report: { type: 'string' },
    output: { type: 'string', default: 'runs/ner' },
    'from-scratch': { type: 'boolean', default: false },
    sentences: { type: 'string' },
    epochs: { type: 'string' },
    'learning-rate': { type: 'string' },
    'max-length': { type: 'string', default: '96' },
    swap: { type: 'string', default: '0.5' },
    batch: { type: 'string', default: '16' },
    seed: { type: 'string', default: '42' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 16)) },
  },
});
const { seconds, say } = stopwatch();

// ---- sentences: labelled by rules, split by name; and a few labelled by hand

const seed = Number(options.seed);
const { labelled, checked, rules } = await loadSentences();
const split = splitByName(labelled, { seed });
const names = (set: readonly Labelled[]): number => set.reduce((sum, { spans }) => sum + spans.length, 0);
say(`${labelled.length} sentences; ${split.heldOut.size} names are held out, with all sentences that they occur in`);
say(
  `${split.train.length} to learn from (${names(split.train)} names), ${split.test.length} to test (${names(split.test)}), ${checked.length} checked by hand (${names(checked)})`,
);

// ---- the model

const texts = split.train.map(({ words }) => words.map(({ text }) => text).join(' '));
const { name, model, tokenizer, pretrained } = await startModel(texts, say, options['from-scratch']);
const recipe = pretrained ? { epochs: 2, learning_rate: 2e-4 } : { epochs: 4, learning_rate: 1e-3 };

// ---- what it reads: each sentence once an epoch, some names swapped for others, so that names cannot be learnt by heart

const isFree = (text: string): boolean => !wordsOf(text).some((word) => split.heldOut.has(word.text));
const trained = split.train.flatMap(({ words, spans }) =>
  spans.flatMap((span) => (span.type === 'PER' ? [lastWord(words, span)] : [])),
);
const people = [...new Set([...trained, ...(await firstNames())])].filter(isFree);
const pool = { PER: people, COUNTRY: countryNames().filter(isFree) };
const encode = encoder(tokenizer, Number(options['max-length']));
const epochs = Number(options.epochs ?? recipe.epochs);
const learnFrom = split.train.slice(0, Number(options.sentences ?? split.train.length));
const random = seeded(seed);
const train_dataset = Array.from({ length: epochs }, () =>
  shuffled(learnFrom, random).map((sentence) =>
    encode(swapNames(sentence, pool, Number(options.swap), random), rules.mayBeName),
  ),
).flat();

// Native code where there is a C compiler; WebAssembly where there is none.
const backend = cpu({ target: options.target as 'auto', threads: Number(options.threads) });
const args = new TrainingArguments({
  output_dir: options.output,
  logging_dir: `${options.output}/logs`,
  num_train_epochs: 1,
  per_device_train_batch_size: Number(options.batch),
  per_device_eval_batch_size: 32,
  learning_rate: Number(options['learning-rate'] ?? recipe.learning_rate),
  warmup_ratio: 0.1,
  weight_decay: 0.01,
  group_by_length: true,
  logging_steps: 0.05,
  save_strategy: 'no',
  report_to: 'tensorboard',
  seed,
});
const trainer = new Trainer({ model, args, train_dataset, processing_class: tokenizer, backend });
say(
  `${name}, ${(model.num_parameters() / 1e6).toFixed(1)} M parameters, reads ${learnFrom.length} sentences ${epochs} times, on ${backend.name}`,
);
const { training_loss, metrics } = await trainer.train();
say(`trained: loss ${training_loss.toFixed(4)}`);

// ---- the scores

const baseline = trainBaseline(split.train);
const results: Record<string, Score> = {};
const judge = (label: string, found: readonly (readonly Span[])[], sentences: readonly Labelled[]): void => {
  const own = (results[label] = score(
    found,
    sentences.map(({ spans }) => spans),
  ));
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8);
  const each = (['PER', 'COUNTRY'] as const).map(
    (type) =>
      score(
        found,
        sentences.map(({ spans }) => spans),
        type,
      ).f1,
  );
  console.log(`  ${label.padEnd(34)}${[own.f1, own.precision, own.recall, ...each].map(percent).join('')}`);
};
const predict = async (sentences: readonly Labelled[]): Promise<Span[][]> => {
  const examples = sentences.map((sentence) => encode(sentence));
  return spansFrom((await trainer.predict(examples)).predictions, examples);
};
const heading = (title: string): void => console.log(`\n  ${title.padEnd(36)}F1  precision recall  people countries`);
heading('names never seen in training');
judge(`unseen: ${name}`, await predict(split.test), split.test);
judge(
  'unseen: look-up and capitals',
  split.test.map(({ words }) => baseline(words)),
  split.test,
);
heading('sentences checked by hand');
const answers = await predict(checked);
judge(`checked: ${name}`, answers, checked);
judge(
  'checked: look-up and capitals',
  checked.map(({ words }) => baseline(words)),
  checked,
);
judge(
  'checked: the rules themselves',
  checked.map(({ words }) => rules.find(words)),
  checked,
);

console.log('\nSome of what it found there, as [people] and {countries}:\n');
for (const [i, { words }] of checked.entries()) {
  if (i % 25 !== 5) continue;
  const shown = words.map(({ text }) => text);
  for (const { type, start, end } of answers[i]!) {
    const [open, close] = type === 'PER' ? '[]' : '{}';
    shown[start] = open! + shown[start]!;
    shown[end - 1] += close!;
  }
  console.log(`  ${shown.join(' ')}`);
}

const folder = `${options.output}/model`;
await trainer.save_model(folder);
await trainer.close();
console.log(
  `\nThe model is in ${folder}, the event log in ${args.logging_dir}. Look at it with\n\n  tensorboard --logdir ${args.logging_dir}\n`,
);
say('done');
if (options.report) {
  const report = { model: name, results, training_loss, train_seconds: metrics.train_runtime, seconds: seconds() };
  await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);
}
