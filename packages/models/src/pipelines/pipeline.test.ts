/** What pipelines do besides being right: order, streams, and errors that say what to do. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { expect, test } from 'vitest';
import { AutoModel } from '../registry.ts';
import { AutoTokenizer } from '../tokenizer/auto.ts';
import { PipelineError } from './errors.ts';
import { folder } from './expected.test.kit.ts';
import { pipeline } from './pipeline.ts';
import { byLength } from './runner.ts';
import type { TaskName } from './types.ts';

const options = { backend: cpu({ threads: 1 }), cache: false } as const;
const silent = { on_notice: () => undefined };
const at = (name: string): string => join(folder, name);

test('rows of like length share a batch, the longest first, and readings keep their order', async () => {
  const rows = [3, 9, 4, 8, 9].map((length, i) => ({ input_ids: new Array<number>(length).fill(i) }));
  const seen: number[][] = [];
  const readings = await byLength(
    rows,
    (count, longest, shortest) => count <= 2 && longest - shortest <= 2,
    (batch) => {
      seen.push(batch.map(({ input_ids }) => input_ids.length));
      return Promise.resolve(batch.map(({ input_ids }) => input_ids[0]));
    },
  );
  expect(seen).toEqual([[9, 9], [8], [4, 3]]);
  expect(readings).toEqual([0, 1, 2, 3, 4]);
});

test('a stream is answered in order, and no more than a window of it is held', async () => {
  await using classify = await pipeline('text-classification', at('nli'), { ...options, batch_size: 2 });
  const texts = ['a', 'the river runs to the sea', 'mill', '', 'old marlow and port ellen', 'b'];
  let given = 0;
  function* source() {
    for (const text of texts) {
      given++;
      yield text;
    }
  }
  const wanted = await classify(texts);
  let answered = 0;
  for await (const found of classify(source(), { window: 3 })) {
    expect(found.label).toBe(wanted[answered]!.label);
    expect(found.score).toBeCloseTo(wanted[answered]!.score, 5);
    answered++;
    expect(given - answered).toBeLessThanOrEqual(3);
  }
  expect(answered).toBe(6);
  expect(await classify([])).toEqual([]);
  await expect(async () => await classify('a', { top_k: 0 })).rejects.toThrow(PipelineError);
});

test('vectors are pooled as asked, and similar sentences are found by them', async () => {
  const loaded = {
    model: await AutoModel.from_pretrained(at('masks'), silent),
    tokenizer: await AutoTokenizer.from_pretrained(at('masks')),
  };
  await using features = await pipeline('feature-extraction', loaded, options);
  const [text, other] = ['the mill', 'a boat to the islands'];
  const states = await features(text);
  const [tokens, size] = states.shape;
  const [mean, first] = await features([text, other], { pooling: 'mean' }).then(
    async ([m]) => [m!, await features(text, { pooling: 'cls' })] as const,
  );
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let token = 0; token < tokens; token++) sum += states.data[token * size + i]!;
    expect(mean[i]).toBeCloseTo(sum / tokens, 4);
    expect(first[i]).toBeCloseTo(states.data[i]!, 4);
  }
  const unit = await features([text, other], { pooling: 'mean', normalize: true });
  const cosine = unit[0]!.reduce((sum, x, i) => sum + x * unit[1]![i]!, 0);
  await using similar = await pipeline('sentence-similarity', loaded, options);
  const found = await similar({ source_sentence: text, sentences: [other, text] });
  expect(found[0]).toBeCloseTo(cosine, 4);
  expect(found[1]).toBeCloseTo(1, 5);
});

test('text comes in pieces as it is written', async () => {
  await using write = await pipeline('text-generation', at('writer'), options);
  const pieces: string[] = [];
  for await (const piece of write.stream('The river', { max_new_tokens: 6 })) pieces.push(piece);
  const [whole] = await write('The river', { max_new_tokens: 6, return_full_text: false });
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.join('')).toBe(whole!.generated_text);
});

test('errors say what the model is and what the task needs', async () => {
  const fails = (task: string, model: string) => pipeline(task as TaskName, at(model), options);
  await expect(fails('chess', 'nli')).rejects.toThrow(/no task 'chess'; there are text-classification, /);
  await expect(fails('fill-mask', 'nli')).rejects.toThrow(
    /is a BertForSequenceClassification, without .* needs a BertForMaskedLM/,
  );
  await expect(fails('zero-shot-classification', 'multi-label')).rejects.toThrow(/'entailment'; .* river, mill, boat/);
  await expect(fails('text-generation', 'nli')).rejects.toThrow(
    /a "bert" is no AutoModelForCausalLM; those that are: .*gpt2/,
  );
  const model = await AutoModel.from_pretrained(at('nli'), silent);
  const tokenizer = await AutoTokenizer.from_pretrained(at('nli'));
  await expect(pipeline('ner', { model, tokenizer }, options)).rejects.toThrow(
    /ner: the model is a BertModel; the task needs a BertForTokenClassification/,
  );
  const bare = await mkdtemp(join(tmpdir(), 'sinter-pipeline-'));
  try {
    for (const name of ['config.json', 'model.safetensors']) await cp(join(at('nli'), name), join(bare, name));
    await expect(pipeline('text-classification', bare, options)).rejects.toThrow(/No tokenizer in/);
  } finally {
    await rm(bare, { recursive: true });
  }
  await using fill = await pipeline('fill-mask', at('masks'), options);
  await expect(async () => await fill('no mask')).rejects.toThrow(/no \[MASK\] in 'no mask'/);
  await expect(async () => await fill('[MASK] [MASK]')).rejects.toThrow(/every_mask/);
});
