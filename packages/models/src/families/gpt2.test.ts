import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { TrainableModel } from '../architecture.ts';
import { ConfigError } from '../errors.ts';
import { difference, golden, goldens, gradientGraph, largest, pick } from '../goldens.test.kit.ts';
import { AutoModelForMaskedLM } from '../registry.ts';
import { gpt2Config, GPT2ForMaskedLM, GPT2ForSequenceClassification, GPT2LMHeadModel, GPT2Model } from './gpt2.ts';

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

describe('GPT2ForMaskedLM', () => {
  const keys = { vocab_size: 20, n_positions: 8, n_embd: 8, n_layer: 2, n_head: 2 };
  const model = GPT2ForMaskedLM.from_config(keys, { seed: 3 });
  const weights = Object.fromEntries(model.parameters);
  const ids = (...rows: number[][]) => ({ data: Int32Array.from(rows.flat()), shape: [rows.length, rows[0]!.length] });
  const run = (...rows: number[][]) =>
    evaluate(model.graph({ inputs: ['input_ids'] }), { input_ids: ids(...rows) }, weights).outputs['logits']!;
  const lossOf = (input_ids: TensorData, labels: TensorData, state: Readonly<Record<string, TensorData>> = weights) =>
    evaluate(model.graph({ inputs: ['input_ids', 'labels'], outputs: ['loss'] }), { input_ids, labels }, state).outputs[
      'loss'
    ]!.data[0]!;

  test('reads the tokens on both sides', () => {
    const middle = (row: number[]) => run(row).data.slice(40, 60);
    const text = middle([5, 6, 1, 7, 8]);
    expect(middle([9, 6, 1, 7, 8])).not.toEqual(text);
    expect(middle([5, 6, 1, 7, 9])).not.toEqual(text);
    expect(evaluateCausally(keys, [5, 6, 1, 7, 8])).toEqual(evaluateCausally(keys, [5, 6, 1, 7, 9]));
  });

  test('its loss is the likelihood of what was masked, and nothing else', () => {
    const input_ids = ids([5, 1, 7], [1, 8, 9]);
    const logits = run([5, 1, 7], [1, 8, 9]).data;
    const likelihood = (at: number, label: number) => {
      const own = Array.from(logits.slice(at * 20, at * 20 + 20));
      return Math.log(own.reduce((sum, x) => sum + Math.exp(x), 0)) - own[label]!;
    };
    const labels = ids([-100, 6, -100], [4, -100, -100]);
    expect(lossOf(input_ids, labels)).toBeCloseTo((likelihood(1, 6) + likelihood(3, 4)) / 2, 5);
  });

  test('has the gradients that finite differences show', () => {
    const given = { input_ids: ids([5, 1, 7, 2]), labels: ids([-100, 6, -100, 3]) };
    const { state, outputs } = model.graph({ inputs: ['input_ids', 'labels'], outputs: ['loss'] });
    const exact = evaluate(gradientGraph(state, outputs['loss']!), given, weights).outputs;
    for (const name of [
      'transformer.wte.weight',
      'transformer.h.0.attn.c_attn.weight',
      'transformer.h.1.mlp.c_fc.bias',
    ])
      for (const at of [7, 60].filter((i) => i < weights[name]!.data.length)) {
        const moved = (by: number) => {
          const data = Float32Array.from(weights[name]!.data);
          data[at]! += by;
          return lossOf(given.input_ids, given.labels, { ...weights, [name]: { ...weights[name]!, data } });
        };
        expect(exact[`grad ${name}`]!.data[at]!).toBeCloseTo((moved(1e-2) - moved(-1e-2)) / 2e-2, 4);
      }
  });

  test('its folder says that it looks both ways, and no model that looks to the left reads it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gpt2-masked-'));
    await model.save_pretrained(folder);
    expect((await AutoModelForMaskedLM.from_pretrained(folder)).config['is_causal']).toBe(false);
    await expect(GPT2LMHeadModel.from_pretrained(folder)).rejects.toThrow(/must not see the token that it predicts/);
    expect(() => GPT2ForMaskedLM.from_config({ ...keys, is_causal: true })).toThrow(ConfigError);
  });
});

function evaluateCausally(keys: Parameters<typeof GPT2LMHeadModel.from_config>[0], row: number[]) {
  const model = GPT2LMHeadModel.from_config(keys, { seed: 3 });
  const input_ids = { data: Int32Array.from(row), shape: [1, row.length] };
  const g = model.graph({ inputs: ['input_ids'] });
  return evaluate(g, { input_ids }, Object.fromEntries(model.parameters)).outputs['logits']!.data.slice(40, 60);
}
