/**
 * What fewer bits cost: the size of a model's file, how good it is, and its time, side by side for weights in 32, 16, 8 and 4 bits.
 * `npm run bench:quality` takes the models that two examples train: `npm start` (MiniLM that tells spam) and `npm run example:gpt-pretraining`.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cpu } from '@sinter/backend-cpu';
import type { Backend } from '@sinter/compiler';
import { AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer } from '@sinter/models';
import type { CompiledModel, PreTrainedModel, QuantizeOptions } from '@sinter/models';
import { bitsOf, documentTokens } from '../../examples/gpt-pretraining/tokens.ts';
import { loadMails } from '../../examples/spam/data/mails.ts';
import { loadSpeeches } from '../../examples/texts/documents.ts';

const { values: options } = parseArgs({
  options: {
    classifier: { type: 'string', default: 'runs/spam/model' },
    gpt: { type: 'string', default: 'runs/gpt-pretraining/model' },
    mails: { type: 'string', default: '400' },
    speeches: { type: 'string', default: '3' },
    target: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '20' },
  },
});
const backend: Backend = cpu({ target: options.target as 'auto', threads: Number(options.threads) });

/** The ways to keep weights that are compared. */
const ways: Readonly<Record<string, QuantizeOptions | 'float16' | undefined>> = {
  f32: undefined,
  f16: 'float16',
  int8: { bits: 8 },
  'int8, embeddings too': { bits: 8, embeddings: true },
  'int4 in groups of 32': { bits: 4 },
  'the same, embeddings in int8': { bits: 4, embeddings: true },
};

/** The class of a kind of model, as far as it is needed here. */
interface Loads {
  from_pretrained(folder: string, options: { readonly torch_dtype?: 'float16' }): Promise<PreTrainedModel>;
}
type Score = (model: PreTrainedModel) => Promise<Readonly<Record<string, string>>>;

async function table(title: string, loads: Loads, folder: string, score: Score): Promise<void> {
  if (!existsSync(folder)) {
    console.log(`${title}: left out, there is no ${folder}`);
    return;
  }
  console.log(`\n${title}, ${backend.name}, ${options.threads} thread(s)\n`);
  for (const [name, way] of Object.entries(ways)) {
    const whole = await loads.from_pretrained(folder, way === 'float16' ? { torch_dtype: way } : {});
    const model = typeof way === 'object' ? whole.quantize(way) : whole;
    const cells = { size: megabytes(await bytesOf(model)), ...(await score(model)) };
    if (name === 'f32')
      console.log(`| weights | ${Object.keys(cells).join(' | ')} |\n|---|${'---:|'.repeat(Object.keys(cells).length)}`);
    console.log(`| ${name} | ${Object.values(cells).join(' | ')} |`);
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** The bytes of the file that a model is saved as. */
async function bytesOf(model: PreTrainedModel): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-quality-'));
  await model.save_pretrained(folder);
  const { size } = statSync(join(folder, 'model.safetensors'));
  rmSync(folder, { recursive: true });
  return size;
}

/** The median of the times of a run, in milliseconds. */
async function median(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < Number(options.rounds) + 2; i++) {
    const begun = performance.now();
    await run();
    times.push(performance.now() - begun);
  }
  return times.slice(2).sort((a, b) => a - b)[Math.floor(Number(options.rounds) / 2)]!;
}

// ---- a classifier: mails of the held-out set that it tells right, and the time of one mail

const mails = (await loadMails({ seed: 42 })).test.slice(0, Number(options.mails));
await table(
  'MiniLM, fine-tuned to tell spam',
  AutoModelForSequenceClassification,
  options.classifier,
  async (model) => {
    const tokenizer = await AutoTokenizer.from_pretrained(options.classifier);
    const compiled: CompiledModel = await model.compile(backend, { outputs: ['logits'] });
    const read = (texts: string[]) =>
      compiled(tokenizer(texts, { truncation: true, max_length: 128, padding: true, return_tensors: 'i32' }));
    let right = 0;
    for (let at = 0; at < mails.length; at += 16) {
      const some = mails.slice(at, at + 16);
      const { logits } = await read(some.map(({ text }) => text));
      some.forEach(
        ({ label }, i) => (right += Number(logits!.data[2 * i + 1]! > logits!.data[2 * i]!) === label ? 1 : 0),
      );
    }
    const [long, short] = [mails.find(({ text }) => text.length > 2000)!.text, 'Win a prize now'];
    const times = [await median(() => read([long])), await median(() => read([short]))];
    compiled.close();
    return {
      [`right of ${mails.length}`]: String(right),
      '128 tokens': `${times[0]!.toFixed(1)} ms`,
      '6 tokens': `${times[1]!.toFixed(2)} ms`,
    };
  },
);

// ---- a GPT: the perplexity of speeches that were held out, and the time of a token

const speeches = (await loadSpeeches()).filter((_, i) => i % 21 === 10).slice(-Number(options.speeches));
await table('GPT-2, trained on speeches', AutoModelForCausalLM, options.gpt, async (model) => {
  const tokenizer = await AutoTokenizer.from_pretrained(options.gpt);
  const compiled = await model.compile(backend, { inputs: ['input_ids', 'labels'], outputs: ['loss'] });
  const length = Number(model.config['n_positions']);
  let [bits, tokens] = [0, 0];
  for (const { text } of speeches) {
    const document = documentTokens(tokenizer, text);
    bits += await bitsOf(compiled, document, { length, stride: length / 2 });
    tokens += document.length - 1;
  }
  compiled.close();
  const input_ids = {
    data: Int32Array.from(documentTokens(tokenizer, 'The state of the Union').slice(0, 5)),
    shape: [1, 5],
  };
  const new_tokens = Math.min(64, length - 8);
  const write = () =>
    model.generate({ input_ids }, { backend, max_new_tokens: new_tokens, min_new_tokens: new_tokens });
  const time = (await median(write)) / new_tokens;
  await model.free();
  return { perplexity: (2 ** (bits / tokens)).toFixed(2), 'a token': `${time.toFixed(2)} ms` };
});
