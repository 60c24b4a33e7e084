import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate } from '@sinter/ir';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { TrainableModel } from '../architecture.ts';
import { ConfigError } from '../errors.ts';
import { difference, golden, goldens, gradientGraph, largest, pick } from '../goldens.test.kit.ts';
import { gpt2Config, GPT2ForSequenceClassification, GPT2LMHeadModel, GPT2Model } from './gpt2.ts';

const inputs = ['input_ids', 'attention_mask', 'labels'];
const classes = { 'tiny-gpt2': GPT2LMHeadModel, 'tiny-gpt2-classifier': GPT2ForSequenceClassification };

describe.each(Object.entries(classes))('%s agrees with Hugging Face', (name, model) => {
  const load = async () => ({
    loaded: await model.from_pretrained(join(goldens, name), { strict: true }),
    expected: await golden(`${name}.expected.safetensors`),
  });

  test('in logits, loss, hidden states and attentions', async () => {
    const { loaded, expected } = await load();
    const g = loaded.graph({ inputs, output_hidden_states: true, output_attentions: true });
    const { outputs } = evaluate(g, pick(expected, inputs), Object.fromEntries(loaded.parameters));
    expect(Object.keys(outputs).sort()).toEqual(
      Object.keys(expected)
        .filter((key) => !inputs.includes(key))
        .sort(),
    );
    for (const [output, got] of Object.entries(outputs))
      expect(difference(got, expected[output]!), output).toBeLessThan(1e-6);
  });

  test('in the gradient of every parameter', async () => {
    const { loaded, expected } = await load();
    const wanted = await golden(`${name}.gradients.safetensors`);
    const { state: parameters, outputs } = loaded.graph({ inputs, outputs: ['loss'] });
    expect(Object.keys(parameters).sort()).toEqual(Object.keys(wanted).sort());
    const g = gradientGraph(parameters, outputs['loss']!);
    const got = evaluate(g, pick(expected, Object.keys(g.inputs)), Object.fromEntries(loaded.parameters)).outputs;
    const absolute = 1e-7 * Math.max(...Object.values(wanted).map(largest));
    for (const parameter of Object.keys(wanted))
      expect(difference(got[`grad ${parameter}`]!, wanted[parameter]!, absolute), parameter).toBeLessThan(1e-5);
  });
});

test('compiled, one program reads texts of any length', async () => {
  const model = await GPT2LMHeadModel.from_pretrained(join(goldens, 'tiny-gpt2'), { strict: true });
  const expected = await golden('tiny-gpt2.expected.safetensors');
  await using compiled = await model.compile(cpu({ threads: 1 }), { outputs: ['logits'] });
  const { logits } = await compiled(pick(expected, inputs.slice(0, 2)));
  expect(difference(logits!, expected['logits']!)).toBeLessThan(1e-5);
  // A text that is cut begins as the whole one does.
  for (const length of [1, 2, 7]) {
    const ids = { data: expected['input_ids']!.data.slice(0, length), shape: [1, length] };
    const short = (await compiled({ input_ids: ids })).logits!;
    const wanted = { data: expected['logits']!.data.slice(0, length * 100), shape: [1, length, 100] };
    expect(difference(short, wanted)).toBeLessThan(1e-5);
  }
});

test('the base model is loaded from the checkpoint of a model with a head', async () => {
  const model = await GPT2Model.from_pretrained(join(goldens, 'tiny-gpt2'), { strict: true });
  const expected = await golden('tiny-gpt2.expected.safetensors');
  const { outputs } = evaluate(model.graph(), pick(expected, inputs.slice(0, 2)), Object.fromEntries(model.parameters));
  expect(difference(outputs['last_hidden_state']!, expected['hidden_states.2']!)).toBeLessThan(1e-6);
});

test('a text that begins with padding, or has none, is read to its end', async () => {
  const model = await GPT2ForSequenceClassification.from_pretrained(join(goldens, 'tiny-gpt2-classifier'));
  const weights = Object.fromEntries(model.parameters);
  const run = (rows: number[][]) => {
    const shape = [rows.length, rows[0]!.length];
    const ids = { data: Int32Array.from(rows.flat()), shape };
    return evaluate(model.graph({ inputs: ['input_ids'] }), { input_ids: ids }, weights).outputs['logits']!.data;
  };
  const both = run([
    [5, 6, 7],
    [0, 8, 9],
  ]);
  expect(Array.from(both)).toEqual([...run([[5, 6, 7]]), ...run([[0, 8, 9]])]);
  expect(run([[5, 6, 0]])).toEqual(run([[5, 6, 0, 0]]));
});

test('is what a Trainer wants, counts its parameters, and refuses what it is not', () => {
  const small = { vocab_size: 20, n_positions: 8, n_embd: 8, n_layer: 2, n_head: 2 };
  const model = GPT2LMHeadModel.from_config(small);
  expectTypeOf(model).toExtend<TrainableModel>();
  expect([...model.parameters.keys()].filter((name) => name.includes('lm_head'))).toEqual([]);
  const untied = GPT2LMHeadModel.from_config({ ...small, tie_word_embeddings: false });
  expect(untied.parameters.get('lm_head.weight')!.shape).toEqual([20, 8]);
  expect(() => gpt2Config({ n_embd: 10, n_head: 4 })).toThrow(ConfigError);
  expect(() => gpt2Config({ add_cross_attention: true })).toThrow(/attends to an encoder/);
  expect(() => gpt2Config({ activation_function: 'gelu_newest' })).toThrow(/gelu_newest/);
});
