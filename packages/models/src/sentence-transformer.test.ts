import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate } from '@sinter/ir';
import { expect, test } from 'vitest';
import { ConfigError } from './errors.ts';
import { golden, goldens, pick } from './goldens.test.kit.ts';
import { DistilBertModel } from './families/distilbert.ts';
import { SentenceTransformer } from './sentence-transformer.ts';

const load = async () => ({
  model: await DistilBertModel.from_pretrained(join(goldens, 'tiny-distilbert')),
  inputs: pick(await golden('tiny-distilbert.expected.safetensors'), ['input_ids', 'attention_mask']),
  states: (await golden('tiny-distilbert.expected.safetensors'))['last_hidden_state']!,
});
/** The states of the tokens of text 1, of which there are 8. */
const column = (states: Float32Array, i: number) => Array.from({ length: 8 }, (_, t) => states[(13 + t) * 16 + i]!);

test('the mean counts tokens only, and has length 1', async () => {
  const { model, inputs, states } = await load();
  const means = Array.from(
    { length: 16 },
    (_, i) => column(states.data as Float32Array, i).reduce((a, b) => a + b) / 8,
  );
  const length = Math.hypot(...means);
  await using compiled = await new SentenceTransformer(model).compile(cpu({ threads: 1 }), {
    outputs: ['sentence_embedding'],
    cache: false,
  });
  const { sentence_embedding } = await compiled(inputs);
  expect(sentence_embedding!.shape).toEqual([3, 16]);
  means.forEach((mean, i) => expect(sentence_embedding!.data[16 + i]).toBeCloseTo(mean / length, 5));
});

test('the first token, or the largest numbers, as they are', async () => {
  const { model, inputs, states } = await load();
  const run = (pooling: 'cls' | 'max') => {
    const sentences = new SentenceTransformer(model, { pooling, normalize: false });
    const g = sentences.graph({ outputs: ['sentence_embedding'] });
    return evaluate(g, inputs, Object.fromEntries(model.parameters)).outputs['sentence_embedding']!.data;
  };
  const [first, largest] = [run('cls'), run('max')];
  for (let i = 0; i < 16; i++) {
    expect(first[16 + i]).toBeCloseTo(states.data[13 * 16 + i]!, 5);
    expect(largest[16 + i]).toBeCloseTo(Math.max(...column(states.data as Float32Array, i)), 5);
  }
});

test('a folder says how, options say otherwise, and what is not supported is refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sentences-'));
  const { model } = await load();
  await new SentenceTransformer(model, { pooling: 'cls', normalize: false }).save_pretrained(folder);
  const loaded = await SentenceTransformer.from_pretrained(folder, { strict: true });
  expect(loaded).toMatchObject({ pooling: 'cls', normalize: false, config: { dim: 16 } });
  expect(await SentenceTransformer.from_pretrained(folder, { pooling: 'max', normalize: true })).toMatchObject({
    pooling: 'max',
    normalize: true,
  });
  await rm(join(folder, 'modules.json'));
  await rm(join(folder, '1_Pooling'), { recursive: true });
  expect(await SentenceTransformer.from_pretrained(folder)).toMatchObject({ pooling: 'mean', normalize: true });
  await rm(folder, { recursive: true });
  expect(() => new SentenceTransformer(model, { pooling: 'median' as never }).graph()).toThrow(ConfigError);
});
