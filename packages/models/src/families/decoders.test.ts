/**
 * Every golden of Llama, Mistral and Qwen2: its folder loads, outputs, gradients and what it writes are those of Python. A new golden is a row in
 * tools/goldens/families.py, and nothing here.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate } from '@sinter/ir';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { TrainableModel } from '../architecture.ts';
import type { ConfigKeys } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { GenerateOptions } from '../generation/generator.ts';
import { generator } from '../generation/generator.ts';
import { difference, golden, goldenModels, goldens, gradientGraph, largest, pick } from '../goldens.test.kit.ts';
import { PreTrainedModel } from '../model.ts';
import { llamaConfig, LlamaForCausalLM } from './llama.ts';
import { MistralForCausalLM, type MistralForSequenceClassification } from './mistral.ts';
import { qwen2Config, Qwen2ForCausalLM, type Qwen2ForSequenceClassification } from './qwen2.ts';

const models = goldenModels(['llama', 'mistral', 'qwen2']);
const tensor = (rows: readonly (readonly number[])[]) => ({
  data: Int32Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length],
});

test('there are goldens of every family', () => {
  expect(new Set(models.map(({ model_type }) => model_type)).size).toBe(3);
});

describe.each(models)('$name', ({ name, model: modelClass }) => {
  const load = async () => {
    const model = await modelClass.from_pretrained(join(goldens, name), { strict: true });
    const expected = await golden(`${name}.expected.safetensors`);
    return { model, expected, inputs: ['input_ids', 'attention_mask', 'labels'] };
  };

  test('gives what Python gives, evaluated and compiled', async () => {
    const { model, expected, inputs } = await load();
    const options = { inputs, output_hidden_states: true, output_attentions: true };
    const { outputs } = evaluate(model.graph(options), pick(expected, inputs), Object.fromEntries(model.parameters));
    const wanted = Object.keys(expected).filter((key) => !inputs.includes(key));
    expect(Object.keys(outputs).sort()).toEqual(wanted.sort());
    for (const output of wanted) expect(difference(outputs[output]!, expected[output]!), output).toBeLessThan(1e-6);

    await using compiled = await model.compile(cpu({ threads: 1 }), { ...options, cache: false });
    const got = await compiled(pick(expected, inputs));
    for (const output of wanted) expect(difference(got[output]!, expected[output]!), output).toBeLessThan(1e-5);
  });

  test('has the gradients that Python has', async () => {
    const { model, expected, inputs } = await load();
    const wanted = await golden(`${name}.gradients.safetensors`);
    const { state: parameters, outputs } = model.graph({ inputs, outputs: ['loss'] });
    expect(Object.keys(parameters).sort()).toEqual(Object.keys(wanted).sort());
    const g = gradientGraph(parameters, outputs['loss']!);
    const got = evaluate(g, pick(expected, Object.keys(g.inputs)), Object.fromEntries(model.parameters)).outputs;
    const absolute = 1e-7 * Math.max(...Object.values(wanted).map(largest));
    for (const parameter of Object.keys(wanted))
      expect(difference(got[`grad ${parameter}`]!, wanted[parameter]!, absolute), parameter).toBeLessThan(1e-5);
  });

  const writing = join(goldens, `${name}.generation.json`);
  test.runIf(existsSync(writing))('writes what Python writes, after prompts that are padded on the left', async () => {
    const { input_ids, attention_mask, cases } = JSON.parse(await readFile(writing, 'utf8')) as {
      readonly input_ids: number[][];
      readonly attention_mask: number[][];
      readonly cases: readonly { readonly options: GenerateOptions; readonly output: number[][] }[];
    };
    const model = await modelClass.from_pretrained(join(goldens, name));
    await using writer = await generator(model, cpu({ threads: 1 }), { batch: 3 });
    const prompts = { input_ids: tensor(input_ids), attention_mask: tensor(attention_mask) };
    for (const { options, output } of cases)
      expect(await writer.generate(prompts, { pad_token_id: 0, ...options })).toEqual(tensor(output));
  });
});

describe('rope_scaling', async () => {
  const kinds = JSON.parse(await readFile(join(goldens, 'tiny-llama.ropes.json'), 'utf8')) as Record<
    string,
    ConfigKeys
  >;
  const expected = await golden('tiny-llama.ropes.safetensors');
  const { parameters, config } = await LlamaForCausalLM.from_pretrained(join(goldens, 'tiny-llama'));
  const { rope_scaling: _, ...unscaled } = config;

  test.each(Object.keys(kinds))('%s', (kind) => {
    const { architecture } = LlamaForCausalLM;
    const model = new PreTrainedModel(architecture, architecture.config({ ...unscaled, ...kinds[kind] }), parameters);
    const input_ids = expected['input_ids']!;
    expect(model.dims['seq']).toBeGreaterThanOrEqual(24);
    const { logits } = evaluate(
      model.graph({ inputs: ['input_ids'] }),
      { input_ids },
      Object.fromEntries(parameters),
    ).outputs;
    const wanted = expected[kind]!;
    const fourth = wanted.data.map((_, i) => logits!.data[Math.floor(i / 100) * 400 + (i % 100)]!);
    expect(difference({ data: fourth, shape: wanted.shape }, wanted)).toBeLessThan(2e-6);
  });

  test('says what is missing', () => {
    expect(() => llamaConfig({ rope_scaling: { rope_type: 'spiral' } })).toThrow(/"spiral".*known: default, linear/);
    expect(() => llamaConfig({ rope_scaling: { rope_type: 'linear' } })).toThrow(/"factor" of "rope_scaling"/);
    expect(() => llamaConfig({ rope_scaling: { type: 'longrope', factor: 2 } })).toThrow(/list of 64 numbers/);
    expect(() => llamaConfig({ head_dim: 15 })).toThrow(/must be even/);
  });
});

const small = { vocab_size: 30, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 2, num_attention_heads: 4 };

test('a window hides what lies before it, in the layers that have one', () => {
  const input_ids = tensor([[1, 2, 3, 4, 5, 6, 7]]);
  const other = tensor([[9, 2, 3, 4, 5, 6, 7]]);
  const last = (model: LlamaForCausalLM | MistralForCausalLM | Qwen2ForCausalLM, ids: typeof input_ids) =>
    evaluate(model.graph({ inputs: ['input_ids'] }), { input_ids: ids }, Object.fromEntries(model.parameters)).outputs[
      'logits'
    ]!.data.slice(-30);
  const keys = { ...small, num_key_value_heads: 2 };
  // Two layers of windows of 3 see 5 tokens.
  const near = MistralForCausalLM.from_config({ ...keys, sliding_window: 3 });
  expect(last(near, input_ids)).toEqual(last(near, other));
  const all = MistralForCausalLM.from_config({ ...keys, sliding_window: null });
  expect(last(all, input_ids)).not.toEqual(last(all, other));
  const upper = Qwen2ForCausalLM.from_config({
    ...keys,
    use_sliding_window: true,
    sliding_window: 1,
    max_window_layers: 1,
  });
  expect(last(upper, input_ids)).not.toEqual(last(upper, other));
});

test('the cache holds keys of the heads that there are, and no more', async () => {
  const model = LlamaForCausalLM.from_config({ ...small, num_key_value_heads: 1, max_position_embeddings: 16 });
  expect(model.parameters.get('model.layers.0.self_attn.k_proj.weight')!.shape).toEqual([2, 8]);
  await using writer = await generator(model, cpu({ threads: 1 }), { batch: 2, length: 16 });
  const { data } = await writer.generate({ input_ids: tensor([[3], [4]]) }, { max_new_tokens: 3, eos_token_id: null });
  expect(data.length).toBe(8);
});

test('are what a Trainer wants, and refuse what they are not', () => {
  expectTypeOf<Qwen2ForSequenceClassification>().toExtend<TrainableModel>();
  expectTypeOf<MistralForSequenceClassification>().toExtend<TrainableModel>();
  expect(llamaConfig({ eos_token_id: [2, 3] }).eos_token_id).toEqual([2, 3]);
  expect(() => qwen2Config({ hidden_size: 10, num_attention_heads: 4 })).toThrow(ConfigError);
  expect(() => qwen2Config({ num_attention_heads: 4, num_key_value_heads: 3, hidden_size: 16 })).toThrow(/no multiple/);
});
