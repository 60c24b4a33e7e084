import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { mul } from '@sinter/ir';
import type { Tensor, TensorData } from '@sinter/ir';
import { afterAll, expect, test } from 'vitest';
import { BartForConditionalGeneration } from '../families/bart.ts';
import { BertForSequenceClassification } from '../families/bert.ts';
import { LlamaForCausalLM } from '../families/llama.ts';
import { difference, golden, goldens, pick } from '../goldens.test.kit.ts';
import { findValues } from './names.ts';

const backend = cpu({ threads: 1 });
const model = await BertForSequenceClassification.from_pretrained(join(goldens, 'tiny-bert'));
const expected = await golden('tiny-bert.expected.safetensors');
const inputs = pick(expected, ['input_ids', 'attention_mask', 'token_type_ids']);
afterAll(() => model.free());

test('gives values by name, by the end of it, with parts left out, and several at once', async () => {
  const { outputs, values } = await model.trace(inputs, {
    outputs: ['encoder.layer.1.attention.probs', 'layer.*.hidden', 'bert.pooler_output'],
    backend,
  });
  expect(difference(outputs['logits']!, expected['logits']!)).toBeLessThan(1e-5);
  expect(difference(values['encoder.layer.1.attention.probs']!, expected['attentions.1']!)).toBeLessThan(1e-5);
  expect(difference(values['bert.pooler_output']!, expected['pooler_output']!)).toBeLessThan(1e-5);
  const hidden = ['bert.encoder.layer.0.hidden', 'bert.encoder.layer.1.hidden'];
  expect(Object.keys(values).slice(1, 3)).toEqual(hidden);
  hidden.forEach((name, i) =>
    expect(difference(values[name]!, expected[`hidden_states.${i + 1}`]!)).toBeLessThan(1e-5),
  );
});

test('names are listed with shapes; a wrong one names what is near, an unclear one what it may be', async () => {
  expect(model.values()).toContainEqual({
    name: 'bert.encoder.layer.0.attention.self.probs',
    shape: ['batch', 4, 'seq', 'seq'],
  });
  await expect(model.trace(inputs, { outputs: ['encoder.layer.0.probbs'], backend })).rejects.toThrow(
    /no value 'encoder.layer.0.probbs'; near it are bert.encoder.layer.0.probs/,
  );
  await expect(model.trace(inputs, { outputs: ['attention.self.probs'], backend })).rejects.toThrow(
    /may be each of bert.encoder.layer.0.attention.self.probs, bert.encoder.layer.1/,
  );
  await expect(model.trace({ ids: inputs['input_ids']! }, { backend })).rejects.toThrow(/no input 'ids'/);
  const values = new Map([
    ['a.b', {} as Tensor],
    ['c.b', {} as Tensor],
    ['b', {} as Tensor],
  ]);
  expect([...findValues(values, 'b').keys()]).toEqual(['b']);
});

test('what is patched with the values of another run gives the outputs of that run', async () => {
  const other = {
    ...inputs,
    input_ids: {
      ...inputs['input_ids']!,
      data: inputs['input_ids']!.data.map((id) => (id && (id * 7) % 90) + (id ? 1 : 0)),
    },
  };
  const name = 'encoder.layer.0.output.LayerNorm';
  const clean = await model.trace(inputs, { outputs: [name], backend });
  const corrupt = await model.trace(other, { backend });
  expect(difference(corrupt.outputs['logits']!, clean.outputs['logits']!)).toBeGreaterThan(1e-3);
  const patched = await model.trace(other, { replace: { [name]: clean.values[name]! }, backend });
  expect(difference(patched.outputs['logits']!, clean.outputs['logits']!)).toBeLessThan(1e-6);
  // The value of one text, for all.
  const data = clean.values[name]!;
  const first = { data: data.data.slice(0, 13 * 32), shape: [1, 13, 32] };
  const same = (await model.trace(inputs, { replace: { [name]: first }, backend, outputs: ['layer.1.hidden'] })).values;
  expect(same['layer.1.hidden']!.shape).toEqual([3, 13, 32]);
  await expect(
    model.trace(inputs, { replace: { [name]: { data: new Float32Array(4), shape: [4] } }, backend }),
  ).rejects.toThrow(/the value is \[3, 13, 32\] in this run, the data \[4\]/);
});

test('functions of values, one after the other in the order of the graph', async () => {
  const twice = (x: Tensor): Tensor => mul(x, 2) as Tensor;
  const [a, b] = ['layer.0.intermediate.dense', 'layer.1.intermediate.dense'];
  const both = await model.trace(inputs, { replace: { [a!]: twice, [b!]: twice }, outputs: [a!, b!], backend });
  const one = await model.trace(inputs, { replace: { [a!]: twice }, outputs: [a!, b!], backend });
  const none = await model.trace(inputs, { outputs: [a!, b!], backend });
  const doubled = ({ data, shape }: TensorData): TensorData => ({
    data: (data as Float32Array).map((x) => 2 * x),
    shape,
  });
  expect(difference(one.values[a!]!, doubled(none.values[a!]!))).toBeLessThan(1e-6);
  expect(difference(both.values[b!]!, doubled(one.values[b!]!))).toBeLessThan(1e-6);
  expect(difference(one.values[b!]!, none.values[b!]!)).toBeGreaterThan(1e-3);
});

test('heads are taken out one by one: without any, attention gives nothing', async () => {
  const probs = 'layer.1.attention.self.probs';
  const context = 'layer.1.attention.self.context';
  const { values } = await model.trace(inputs, {
    ablate: [{ value: probs, heads: [0, 2] }],
    outputs: [context],
    backend,
  });
  const plain = (await model.trace(inputs, { outputs: [context], backend })).values[context]!.data;
  values[context]!.data.forEach((x, i) => {
    const head = Math.floor((i % 32) / 8);
    if (head % 2 === 0) expect(x).toBe(0);
    else expect(x).toBeCloseTo(plain[i]!, 5);
  });
  const all = await model.trace(inputs, { ablate: [probs], outputs: [context], backend });
  expect(all.values[context]!.data.every((x) => x === 0)).toBe(true);
  const mean = await model.trace(inputs, {
    ablate: [{ value: 'layer.0.hidden', by: 'mean' }],
    outputs: ['layer.0.hidden'],
    backend,
  });
  const hidden = mean.values['layer.0.hidden']!.data;
  expect(hidden.slice(0, 32)).toEqual(hidden.slice(-32));
  await expect(model.trace(inputs, { ablate: [{ value: probs, heads: [4] }], backend })).rejects.toThrow(
    /heads 0 to 3, not 4/,
  );
  await expect(model.trace(inputs, { ablate: [{ value: 'layer.0.hidden', heads: [0] }], backend })).rejects.toThrow(
    /no heads/,
  );
});

test('sees new weights', async () => {
  const own = await BertForSequenceClassification.from_pretrained(join(goldens, 'tiny-bert'));
  const before = await own.trace(inputs, { backend });
  const bias = own.parameters.get('classifier.bias')!;
  own.parameters.set('classifier.bias', { ...bias, data: bias.data.map((x) => x + 5) });
  const after = await own.trace(inputs, { backend });
  expect(after.outputs['logits']!.data[0]! - before.outputs['logits']!.data[0]!).toBeCloseTo(5, 4);
  await own.free();
});

test('works for decoders, and for two halves', async () => {
  const llama = await LlamaForCausalLM.from_pretrained(join(goldens, 'tiny-llama'));
  const wanted = await golden('tiny-llama.expected.safetensors');
  const given = pick(wanted, ['input_ids', 'attention_mask', 'labels']);
  const { outputs, values } = await llama.trace(given, { outputs: ['layers.*.self_attn.probs'], backend });
  expect(difference(outputs['loss']!, wanted['loss']!)).toBeLessThan(1e-5);
  expect(difference(values['model.layers.1.self_attn.probs']!, wanted['attentions.1']!)).toBeLessThan(1e-5);
  await llama.free();
  const bart = await BartForConditionalGeneration.from_pretrained(join(goldens, 'tiny-bart'));
  const both = await golden('tiny-bart.expected.safetensors');
  const cross = 'decoder.layers.0.encoder_attn.probs';
  const traced = await bart.trace(pick(both, ['input_ids', 'attention_mask', 'labels']), { outputs: [cross], backend });
  expect(difference(traced.values[cross]!, both['cross_attentions.0']!)).toBeLessThan(1e-5);
  await bart.free();
});
