/**
 * Every golden of BERT, RoBERTa and DistilBERT, whatever its head: its folder loads, and outputs and gradients are those of Python. A new golden is a row
 * in tools/goldens/families.py, and nothing here.
 */
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate, input } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { TrainableModel } from '../architecture.ts';
import { ConfigError } from '../errors.ts';
import { difference, golden, goldenModels, goldens, gradientGraph, largest, pick } from '../goldens.test.kit.ts';
import { BertForMultipleChoice, BertForPreTraining, BertForQuestionAnswering } from './bert.ts';
import { distilBertConfig, DistilBertModel } from './distilbert.ts';
import { RobertaForMaskedLM, robertaConfig, RobertaModel } from './roberta.ts';

const models = goldenModels(['bert', 'roberta', 'distilbert']);

test('there are goldens of every head', () => {
  expect(new Set(models.map(({ model }) => model.architecture.name)).size).toBe(7 + 6 + 6);
});

describe.each(models)('$name', ({ name, model: modelClass, has }) => {
  const load = async () => {
    const model = await modelClass.from_pretrained(join(goldens, name), { strict: true });
    const expected = await golden(`${name}.expected.safetensors`);
    return { model, expected, inputs: Object.keys(model.inputs).filter((input) => input in expected) };
  };

  test('gives what Python gives, evaluated and compiled', async () => {
    const { model, expected, inputs } = await load();
    const options = { inputs, output_hidden_states: true, output_attentions: true };
    const g = model.graph(options);
    const weights = pick(Object.fromEntries(model.parameters), Object.keys(g.state));
    const { outputs } = evaluate(g, pick(expected, inputs), weights);
    // The first goldens have what the base gives beside what the model itself does.
    const wanted = Object.keys(expected).filter(
      (key) =>
        !inputs.includes(key) && (key in outputs || !has.gradients || !/^(last_hidden_state|pooler_output)$/.test(key)),
    );
    expect(Object.keys(outputs).sort()).toEqual(wanted.sort());
    for (const output of wanted) expect(difference(outputs[output]!, expected[output]!), output).toBeLessThan(1e-6);

    await using compiled = await model.compile(cpu({ threads: 1 }), { ...options, cache: false });
    const got = await compiled(pick(expected, inputs));
    for (const output of wanted) expect(difference(got[output]!, expected[output]!), output).toBeLessThan(1e-5);
  });

  test.runIf(has.gradients)('has the gradients that Python has', async () => {
    const { model, expected, inputs } = await load();
    const wanted = await golden(`${name}.gradients.safetensors`);
    const { state: parameters, outputs } = model.graph({ inputs, outputs: ['loss'] });
    expect(Object.keys(parameters).sort()).toEqual(Object.keys(wanted).sort());
    const g = gradientGraph(parameters, outputs['loss']!);
    const weights = pick(Object.fromEntries(model.parameters), Object.keys(g.state));
    const got = evaluate(g, pick(expected, Object.keys(g.inputs)), weights).outputs;
    const absolute = 1e-7 * Math.max(...Object.values(wanted).map(largest));
    for (const parameter of Object.keys(wanted))
      expect(difference(got[`grad ${parameter}`]!, wanted[parameter]!, absolute), parameter).toBeLessThan(1e-5);
  });
});

test('heads of all kinds are what a Trainer wants', () => {
  expectTypeOf<BertForQuestionAnswering>().toExtend<TrainableModel>();
  expectTypeOf<BertForMultipleChoice>().toExtend<TrainableModel>();
  expectTypeOf<BertForPreTraining>().toExtend<TrainableModel>();
});

const small = { vocab_size: 20, max_position_embeddings: 10 };
const bertSize = { ...small, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16 };
const distilSize = { ...small, dim: 8, n_layers: 1, n_heads: 2, hidden_dim: 16 };
const ids = (rows: number[][]) => ({ data: Int32Array.from(rows.flat()), shape: [rows.length, rows[0]!.length] });
const weightsOf = (model: { parameters: Map<string, TensorData> }) => Object.fromEntries(model.parameters);

test('RoBERTa counts positions from the padding on: what stands before a text moves nothing', () => {
  const model = RobertaModel.from_config(bertSize);
  expect(model.dims).toEqual({ seq: 8 });
  const g = model.graph({ inputs: ['input_ids', 'attention_mask'], outputs: ['last_hidden_state'] });
  const states = (rows: number[][]) => {
    const mask = rows.map((row) => row.map((id) => (id === 1 ? 0 : 1)));
    const weights = pick(weightsOf(model), Object.keys(g.state));
    return evaluate(g, { input_ids: ids(rows), attention_mask: ids(mask) }, weights).outputs['last_hidden_state']!.data;
  };
  const [plain, after] = [states([[5, 6, 7]]), states([[1, 1, 5, 6, 7]])];
  expect(after.slice(2 * 8)).toEqual(plain);
  expect(after.slice(0, 8)).toEqual(after.slice(8, 16));
});

test('sinusoids are saved as a parameter, and not read', () => {
  const model = DistilBertModel.from_config({ ...distilSize, sinusoidal_pos_embds: true });
  const name = 'embeddings.position_embeddings.weight';
  const table = model.parameters.get(name)!;
  expect(table.shape).toEqual([10, 8]);
  expect([...table.data.slice(8, 10)]).toEqual([Math.fround(Math.sin(1)), Math.fround(Math.cos(1))]);
  expect(Object.keys(model.graph().state)).not.toContain(name);
});

test('an answer needs both labels, one before the text is its beginning, and one behind it does not count', () => {
  const model = BertForQuestionAnswering.from_config(bertSize);
  const g = model.graph({ inputs: ['input_ids', 'start_positions', 'end_positions'], outputs: ['loss'] });
  const loss = (starts: number[], ends: number[]) => {
    const [start_positions, end_positions] = [starts, ends].map((at) => ({ data: Int32Array.from(at), shape: [2] }));
    const inputs = { input_ids: ids([[5, 6, 7], [8, 9, 2]]), start_positions: start_positions!, end_positions: end_positions! }; // prettier-ignore
    return evaluate(g, inputs, pick(weightsOf(model), Object.keys(g.state))).outputs['loss']!.data[0]!;
  };
  expect(loss([-4, 1], [0, 1])).toBe(loss([0, 1], [0, 1]));
  const [one, other] = [loss([0, 3], [0, 3]), loss([9, 1], [9, 1])];
  expect((one + other) / 2).toBeCloseTo(loss([0, 1], [0, 1]), 6);
  expect(() => model.graph({ inputs: ['input_ids', 'start_positions'], outputs: ['loss'] })).toThrow(
    /no output 'loss'/,
  );
});

test('choices may lack what has a usual value, compiled too', async () => {
  const model = BertForMultipleChoice.from_config(bertSize);
  await using compiled = await model.compile(cpu({ threads: 1 }), { cache: false });
  const input_ids = { data: Int32Array.from({ length: 24 }, (_, i) => i % 20), shape: [2, 3, 4] };
  const { logits } = await compiled({ input_ids });
  expect(logits!.shape).toEqual([2, 3]);
  // Each choice is read by itself.
  const { logits: second } = await compiled({ input_ids: { data: input_ids.data.slice(12), shape: [1, 3, 4] } });
  expect([...logits!.data.slice(3)]).toEqual([...second!.data]);
});

test('what cannot be is refused', () => {
  expect(() => robertaConfig({ max_position_embeddings: 2 })).toThrow(/leave no position after pad_token_id 1/);
  expect(() => robertaConfig({ pad_token_id: null })).toThrow(ConfigError);
  expect(() => robertaConfig({ is_decoder: true })).toThrow(/a "roberta" that looks to the left only/);
  expect(() => distilBertConfig({ dim: 10, n_heads: 4 })).toThrow(/dim 10 is no multiple of n_heads 4/);
  expect(() => BertForPreTraining.from_config({ ...bertSize }).graph({ inputs: ['input_ids', 'labels'], outputs: ['loss'] })).toThrow(/no output 'loss'/); // prettier-ignore
  const masked = RobertaForMaskedLM.from_config(bertSize);
  expect([...masked.parameters.keys()].filter((name) => name.startsWith('lm_head'))).toEqual([
    'lm_head.dense.weight',
    'lm_head.dense.bias',
    'lm_head.layer_norm.weight',
    'lm_head.layer_norm.bias',
    'lm_head.bias',
  ]);
  const labels = input('labels', [2, 3], 'i32');
  expect(() => masked.build({ input_ids: input('input_ids', [2, 4], 'i32'), labels })).toThrow(
    /labels are \[2, 3\]; they must be as input_ids, \[2, 4\]/,
  );
});
