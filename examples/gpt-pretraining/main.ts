/** Trains a GPT from nothing on 222 speeches, and says in how few bits it can write down eleven that it has never read. */
import { availableParallelism } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import { loadSpeeches } from '@sinter/example-texts/documents.ts';
import { GPT2LMHeadModel, trainByteLevelBPE } from '@sinter/models';
import { Trainer, TrainingArguments } from '@sinter/trainer';
import { stopwatch } from '../../tools/stopwatch.ts';
import { compressed, compressors } from './compress.ts';
import { bitsOf, documentTokens, trainingExamples } from './tokens.ts';

const { values: options } = parseArgs({
  options: {
    report: { type: 'string' },
    output: { type: 'string', default: 'runs/gpt-pretraining' },
    speeches: { type: 'string', default: '233' },
    vocabulary: { type: 'string', default: '4096' },
    layers: { type: 'string', default: '4' },
    width: { type: 'string', default: '192' },
    context: { type: 'string', default: '256' },
    batch: { type: 'string', default: '4' },
    epochs: { type: 'string', default: '2' },
    'learning-rate': { type: 'string', default: '0.0015' },
    prompt: { type: 'string', default: 'Fellow-citizens, the state of the Union is' },
    seed: { type: 'string', default: '42' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 16)) },
  },
});
const number = (name: Exclude<keyof typeof options, 'report'>): number => Number(options[name]);
const { seconds, say } = stopwatch();

// ---- texts: every 21st speech is held out, so that all ages of the language are

const speeches = (await loadSpeeches()).slice(-number('speeches'));
const train = speeches.filter((_, i) => i % 21 !== 10).map(({ text }) => text);
const held = speeches.filter((_, i) => i % 21 === 10).map(({ text }) => text);
const bytes = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
const heldBytes = bytes(held);
say(
  `${train.length} speeches to learn from, ${(bytes(train) / 1e6).toFixed(1)} MB; ${held.length} held out, ${(heldBytes / 1e6).toFixed(2)} MB`,
);

// ---- tokens: a vocabulary of these speeches

const tokenizer = trainByteLevelBPE(train, { vocab_size: number('vocabulary'), eos_token: '<|endoftext|>' });
const documents = train.map((text) => documentTokens(tokenizer, text));
const heldDocuments = held.map((text) => documentTokens(tokenizer, text));
const context = number('context');
const train_dataset = trainingExamples(documents, context);
const tokens = train_dataset.length * (context - 1);
say(
  `a vocabulary of ${tokenizer.vocab_size}: ${(tokens / 1e6).toFixed(2)} M tokens, ${(bytes(train) / tokens).toFixed(2)} bytes each`,
);

// ---- what it is measured by

const others = Object.entries(compressors).flatMap(([name, compressor]) => {
  const result = compressed(compressor, held.join('\n'), train.join('\n'));
  if (!result) say(`${name} is not installed: it is left out of the comparison`);
  return result ? [{ name, ...result }] : [];
});

// ---- the model, which knows nothing yet

const model = GPT2LMHeadModel.from_config(
  {
    vocab_size: tokenizer.vocab_size,
    n_positions: context,
    n_layer: number('layers'),
    n_embd: number('width'),
    n_head: number('width') / 32,
    // Every text is read a few times only: nothing is learnt by heart that dropout would have to prevent.
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
    bos_token_id: tokenizer.eos_token_id!,
    eos_token_id: tokenizer.eos_token_id!,
    initializer_range: 0.03,
  },
  { seed: number('seed') },
);
// Native code where there is a C compiler; WebAssembly where there is none.
const backend = cpu({ target: options.target as 'auto', threads: number('threads') });
const args = new TrainingArguments({
  output_dir: options.output,
  logging_dir: `${options.output}/logs`,
  num_train_epochs: number('epochs'),
  per_device_train_batch_size: number('batch'),
  per_device_eval_batch_size: 16,
  learning_rate: number('learning-rate'),
  lr_scheduler_type: 'cosine',
  warmup_ratio: 0.05,
  weight_decay: 0.1,
  adam_beta2: 0.99,
  logging_steps: 0.02,
  logging_first_step: true,
  eval_strategy: 'steps',
  eval_steps: 0.2,
  prediction_loss_only: true,
  save_strategy: 'no',
  report_to: 'tensorboard',
  seed: number('seed'),
});
const trainer = new Trainer({
  model,
  args,
  train_dataset,
  eval_dataset: trainingExamples(heldDocuments, context).filter((_, i) => i % 8 === 0),
  processing_class: tokenizer,
  backend,
});
say(
  `a GPT of ${(model.num_parameters() / 1e6).toFixed(1)} M parameters reads them ${args.num_train_epochs} times, on ${backend.name}`,
);
const { training_loss, metrics } = await trainer.train();
const runtime = Number(metrics.train_runtime);
say(`trained: loss ${training_loss.toFixed(3)}, ${Math.round((tokens * args.num_train_epochs) / runtime)} tokens/s`);
const folder = `${options.output}/model`;
await trainer.save_model(folder);
await trainer.close();

// ---- the score: every byte of what was held out, and where each speech ends

const compiled = await model.compile(backend, { inputs: ['input_ids', 'labels'], outputs: ['loss'] });
let bits = 0;
for (const document of heldDocuments)
  bits += await bitsOf(compiled, document, { length: context, stride: Math.ceil(context / 4) });
compiled.close();
const bitsPerByte = bits / heldBytes;

say(`bits per byte of the speeches held out:\n`);
console.log(`  ${'GPT'.padEnd(10)}${bitsPerByte.toFixed(3)}`);
for (const { name, alone, behind } of others)
  console.log(
    `  ${name.padEnd(10)}${alone.toFixed(3)}, or ${behind.toFixed(3)} when it has read the other speeches before`,
  );

// ---- a sample

const { input_ids, attention_mask } = tokenizer(options.prompt, { return_tensors: 'i32' });
const written = await model.generate(
  { input_ids, attention_mask },
  { max_length: context, do_sample: true, temperature: 0.8, top_k: 50, seed: number('seed'), backend },
);
await model.free();
const sample = tokenizer.decode(written.data as Int32Array, { skip_special_tokens: true });
console.log(`\nIt goes on from a beginning:\n\n  ${sample}\n`);

console.log(
  `The model is in ${folder} (Python's transformers loads it too); the loss curve in ${args.logging_dir}. Look at it with\n\n  tensorboard --logdir ${args.logging_dir}\n\nWith more cores or time: --layers 6 --width 384 --epochs 8.\n`,
);
say('done');
if (options.report) {
  const rates = Object.fromEntries(
    others.flatMap(({ name, alone, behind }) => [
      [name, alone],
      [`${name} behind`, behind],
    ]),
  );
  const report = {
    bits_per_byte: bitsPerByte,
    ...rates,
    held_out_bytes: heldBytes,
    parameters: model.num_parameters(),
    training_loss,
    tokens_per_second: (tokens * args.num_train_epochs) / runtime,
    train_seconds: runtime,
    seconds: seconds(),
    sample,
  };
  await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`);
}
