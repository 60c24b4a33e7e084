/** Trains a Transformer from nothing to translate names of emoji into German and Chinese, and says how well it does beside a dictionary. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import { trainByteLevelBPE, TransformerForConditionalGeneration } from '@sinter/models';
import type { PreTrainedTokenizer } from '@sinter/models';
import { bleu, chrf, Trainer, TrainingArguments } from '@sinter/trainer';
import { stopwatch } from '../../tools/stopwatch.ts';
import { dictionary, pairKeywords } from './data/dictionary.ts';
import { loadNames } from './data/names.ts';
import type { Pair } from './data/names.ts';

const { values: options } = parseArgs({
  options: {
    report: { type: 'string' },
    output: { type: 'string', default: 'runs/translation' },
    languages: { type: 'string', default: 'de,zh' },
    names: { type: 'string', default: 'Infinity' },
    vocabulary: { type: 'string' },
    layers: { type: 'string', default: '2' },
    width: { type: 'string', default: '128' },
    dropout: { type: 'string', default: '0.3' },
    batch: { type: 'string', default: '32' },
    epochs: { type: 'string', default: '40' },
    'learning-rate': { type: 'string', default: '0.002' },
    'no-copies': { type: 'boolean', default: false },
    beams: { type: 'string', default: '4' },
    seed: { type: 'string', default: '42' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 16)) },
  },
});
const number = (name: Exclude<keyof typeof options, 'report'>): number => Number(options[name]);
const { seconds, say } = stopwatch();

// Native code where there is a C compiler, four times as fast; WebAssembly where there is none.
const backend = cpu({ target: options.target as 'auto', threads: number('threads') });
const report: Record<string, unknown> = {};
for (const language of options.languages.split(',')) report[language] = await translate(language);
say('done');
if (options.report) await writeFile(options.report, `${JSON.stringify({ ...report, seconds: seconds() }, null, 2)}\n`);

async function translate(language: string): Promise<object> {
  // ---- pairs: names, and keywords that go together

  const names = await loadNames(language, number('seed'));
  const train = names.train.slice(0, number('names'));
  const test = names.test.slice(0, number('names') / 10);
  const keywords = pairKeywords(train);
  const pairs = [...train, ...keywords];
  // What is written may also be copied (Currey et al. 2017): a word that nobody taught stays what it is.
  const copies = options['no-copies'] ? [] : train.map(({ target }) => ({ source: target, target }));
  const lessons = [...pairs, ...copies];
  say(
    `English to ${language}: ${train.length} names and ${keywords.length} keywords to learn from, ${test.length} names held out`,
  );

  // ---- tokens: one vocabulary for both languages

  // Chinese has thousands of letters.
  const vocabulary = Number(options.vocabulary ?? (language.startsWith('zh') ? 3000 : 1000));
  const tokenizer = trainByteLevelBPE(
    pairs.flatMap(({ source, target }) => [source, target]),
    {
      ...{ vocab_size: vocabulary, add_prefix_space: true, template: { single: '$A </s>' } },
      ...{ pad_token: '<pad>', bos_token: '<s>', eos_token: '</s>' },
    },
  );
  const sources = tokenizer(lessons.map(({ source }) => source)).input_ids;
  const targets = tokenizer(lessons.map(({ target }) => target)).input_ids;
  const train_dataset = sources.map((input_ids, i) => ({ input_ids, labels: targets[i]! }));

  // ---- the model of 2017, small

  const [width, layers] = [number('width'), number('layers')];
  const model = TransformerForConditionalGeneration.from_config(
    {
      vocab_size: tokenizer.vocab_size,
      max_position_embeddings: 128,
      ...{ d_model: width, dropout: number('dropout') },
      ...{ encoder_layers: layers, encoder_attention_heads: 4, encoder_ffn_dim: 2 * width },
      ...{ decoder_layers: layers, decoder_attention_heads: 4, decoder_ffn_dim: 2 * width },
      pad_token_id: tokenizer.pad_token_id!,
      ...{ bos_token_id: tokenizer.bos_token_id!, decoder_start_token_id: tokenizer.bos_token_id! },
      eos_token_id: tokenizer.eos_token_id!,
    },
    { seed: number('seed') },
  );
  const folder = `${options.output}/${language}`;
  const args = new TrainingArguments({
    output_dir: folder,
    logging_dir: `${folder}/logs`,
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
    seed: number('seed'),
  });
  await using trainer = new Trainer({ model, args, train_dataset, processing_class: tokenizer, backend });
  say(`training ${(model.num_parameters() / 1e6).toFixed(2)} M parameters on ${backend.name}`);
  const { training_loss } = await trainer.train();
  await trainer.save_model(`${folder}/model`);

  // ---- the names held out, by the model and word by word

  say(`loss ${training_loss.toFixed(3)}; translating ${test.length} names`);
  const texts = test.map(({ source }) => source);
  const word = dictionary(pairs, language);
  const translations = {
    'word by word': texts.map(word),
    greedy: await written(model, tokenizer, texts, 1),
    [`${options.beams} beams`]: await written(model, tokenizer, texts, number('beams')),
  };
  const plain = test.flatMap(({ toned }, i) => (toned ? [] : [i]));
  const scores = Object.entries(translations).map(([name, said]) => ({
    name,
    ...score(said, test, language),
    plain: score(
      plain.map((i) => said[i]!),
      plain.map((i) => test[i]!),
      language,
    ),
  }));
  console.log(`\n  ${'English to ' + language}           BLEU   chrF   exact    without colours of skin`);
  for (const { name, plain, ...score } of scores) console.log(`  ${name.padEnd(20)}${row(score)}      ${row(plain)}`);
  console.log();
  for (let i = 0; i < test.length; i += Math.ceil(test.length / 8))
    console.log(`  ${texts[i]} → ${translations[`${options.beams} beams`]![i]}   (${test[i]!.target})`);
  console.log();
  return {
    train: train.length,
    keywords: keywords.length,
    test: test.length,
    parameters: model.num_parameters(),
    scores,
  };
}

/** What the model writes. */
async function written(
  model: TransformerForConditionalGeneration,
  tokenizer: PreTrainedTokenizer,
  texts: readonly string[],
  num_beams: number,
): Promise<string[]> {
  const all: string[] = [];
  for (let i = 0; i < texts.length; i += 32) {
    const inputs = tokenizer(texts.slice(i, i + 32), { padding: true, return_tensors: 'i32' });
    const { data, shape } = await model.generate(inputs, { backend, num_beams, max_new_tokens: 48 });
    for (let from = 0; from < data.length; from += shape[1]!)
      all.push(
        tokenizer
          .decode([...(data as Int32Array).subarray(from, from + shape[1]!)], { skip_special_tokens: true })
          .trim(),
      );
  }
  return all;
}

interface Score {
  readonly bleu: number;
  readonly chrf: number;
  /** Percent of names that are right to the letter. */
  readonly exact: number;
}

function score(said: readonly string[], test: readonly Pair[], language: string): Score {
  const references = test.map(({ target }) => target);
  const exact = (100 * said.filter((text, i) => text === references[i]).length) / said.length;
  const tokenize = language.startsWith('zh') ? 'zh' : '13a';
  return { bleu: bleu(said, references, { tokenize }), chrf: chrf(said, references), exact };
}

function row({ bleu, chrf, exact }: Score): string {
  return [bleu, chrf, exact].map((value) => value.toFixed(1).padStart(7)).join('');
}
