import { join } from 'node:path';
import type { TensorData } from '@sinter/ir';
import { evaluate, full, graph, graphRoots, input, ShapeError, state, topological } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { TrainableModel } from '../architecture.ts';
import { ConfigError } from '../errors.ts';
import { classificationLoss } from '../layers/classification.ts';
import { difference, golden, goldens, gradientGraph, inputNames, largest, pick } from '../goldens.test.kit.ts';
import { scope } from '../scope.ts';
import { bertConfig, BertForSequenceClassification, BertModel, bertModel } from './bert.ts';

describe.each(['tiny-bert', 'tiny-bert-3-labels'])('%s agrees with Hugging Face', (name) => {
  const load = async () => ({
    model: await BertForSequenceClassification.from_pretrained(join(goldens, name), { strict: true }),
    expected: await golden(`${name}.expected.safetensors`),
  });

  test('in logits, loss, hidden states and attentions', async () => {
    const { model, expected } = await load();
    const g = model.graph({ inputs: [...inputNames, 'labels'], output_hidden_states: true, output_attentions: true });
    const { outputs } = evaluate(g, pick(expected, [...inputNames, 'labels']), Object.fromEntries(model.parameters));
    expect(Object.keys(outputs).sort()).toEqual([
      'attentions.0',
      'attentions.1',
      'hidden_states.0',
      'hidden_states.1',
      'hidden_states.2',
      'logits',
      'loss',
    ]);
    for (const [output, got] of Object.entries(outputs))
      expect(difference(got, expected[output]!), output).toBeLessThan(1e-6);
  });

  test('in what the base model gives, loaded from the same checkpoint', async () => {
    const { expected } = await load();
    const notices: string[] = [];
    const model = await BertModel.from_pretrained(join(goldens, name), { on_notice: (text) => notices.push(text) });
    expect(model.loading).toEqual({
      missing: [],
      unexpected: ['classifier.bias', 'classifier.weight'],
      mismatched: [],
    });
    expect(notices.join()).toMatch(/not used when initializing BertModel: classifier\.bias, classifier\.weight/);
    const { outputs } = evaluate(model.graph(), pick(expected, inputNames), Object.fromEntries(model.parameters));
    for (const output of ['last_hidden_state', 'pooler_output'])
      expect(difference(outputs[output]!, expected[output]!), output).toBeLessThan(1e-6);
  });

  test('in training, where checkpointed layers give the same gradients to the bit', async () => {
    const { expected } = await load();
    const model = await BertForSequenceClassification.from_pretrained(join(goldens, name), {
      hidden_dropout_prob: 0.1,
      attention_probs_dropout_prob: 0.1,
    });
    const key = input('key', [2], 'u32');
    const at = (gradient_checkpointing: boolean) => {
      const options = { inputs: [...inputNames, 'labels'], outputs: ['loss'], key, gradient_checkpointing };
      const { state: parameters, outputs } = model.graph(options);
      return gradientGraph(parameters, outputs['loss']!);
    };
    const [plain, again] = [at(false), at(true)];
    const count = (g: typeof plain, op: string) => topological(graphRoots(g)).filter((t) => t.op.name === op).length;
    // Of what lies within a layer, all is there twice.
    expect(count(again, 'erf')).toBe(2 * count(plain, 'erf'));
    const inputs = {
      ...pick(
        expected,
        Object.keys(plain.inputs).filter((input) => input !== 'key'),
      ),
      key: { shape: [2], data: Uint32Array.of(3, 1) },
    };
    const weights = Object.fromEntries(model.parameters);
    expect(evaluate(again, inputs, weights).outputs).toEqual(evaluate(plain, inputs, weights).outputs);
  });

  test('in the gradient of every parameter', async () => {
    const { model, expected } = await load();
    const wanted = await golden(`${name}.gradients.safetensors`);
    const { state: parameters, outputs } = model.graph({ inputs: [...inputNames, 'labels'], outputs: ['loss'] });
    expect(Object.keys(parameters).sort()).toEqual(Object.keys(wanted).sort());
    const g = gradientGraph(parameters, outputs['loss']!);
    const got = evaluate(g, pick(expected, Object.keys(g.inputs)), Object.fromEntries(model.parameters)).outputs;
    const absolute = 1e-7 * Math.max(...Object.values(wanted).map(largest));
    for (const parameter of Object.keys(wanted))
      expect(difference(got[`grad ${parameter}`]!, wanted[parameter]!, absolute), parameter).toBeLessThan(1e-5);
  });
});

test('left out inputs mean no padding, the first text, and positions in order', async () => {
  const model = await BertModel.from_pretrained(join(goldens, 'tiny-bert'), { on_notice: () => undefined });
  const shape = [2, 5];
  const ids = { data: Int32Array.from([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]), shape };
  const weights = Object.fromEntries(model.parameters);
  const short = evaluate(model.graph({ inputs: ['input_ids'] }), { input_ids: ids }, weights).outputs;
  const long = evaluate(
    model.graph(),
    {
      input_ids: ids,
      attention_mask: { data: new Int32Array(10).fill(1), shape },
      token_type_ids: { data: new Int32Array(10), shape },
    },
    weights,
  ).outputs;
  expect(short).toEqual(long);

  const x = input('input_ids', ['batch', 'seq'], 'i32');
  const backwards = bertModel(scope(), model.config, {
    input_ids: x,
    position_ids: input('position_ids', ['seq'], 'i32'),
  });
  const positions = (data: number[]) => ({ data: Int32Array.from(data), shape: [5] });
  const g = graph('positions', { outputs: { last_hidden_state: backwards.last_hidden_state } });
  const run = (data: number[]) =>
    evaluate(g, { input_ids: ids, position_ids: positions(data) }, pick(weights, Object.keys(g.state))).outputs[
      'last_hidden_state'
    ];
  expect(run([0, 1, 2, 3, 4])).toEqual(short['last_hidden_state']);
  expect(run([4, 3, 2, 1, 0])).not.toEqual(short['last_hidden_state']);
});

test('a text of nothing but padding attends evenly, as in PyTorch, and gives no NaN', async () => {
  const model = await BertModel.from_pretrained(join(goldens, 'tiny-bert'), { on_notice: () => undefined });
  const g = model.graph({
    inputs: ['input_ids', 'attention_mask'],
    outputs: ['attentions.0'],
    output_attentions: true,
  });
  const zeros = { data: new Int32Array(4), shape: [1, 4] };
  const { outputs } = evaluate(
    g,
    { input_ids: zeros, attention_mask: zeros },
    pick(Object.fromEntries(model.parameters), Object.keys(g.state)),
  );
  expect(new Set(outputs['attentions.0']!.data)).toEqual(new Set([0.25]));
});

test('is what a Trainer wants, and drops only while training, where Hugging Face does', () => {
  const model = BertForSequenceClassification.from_config({
    vocab_size: 20,
    hidden_size: 8,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 16,
  });
  expectTypeOf(model).toExtend<TrainableModel>();
  const inputs = Object.fromEntries(
    Object.entries(model.inputs).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  );
  const uniforms = (key?: Tensor) => {
    const { loss, logits } = model.build(inputs, { key });
    const all = topological(graphRoots(graph('train', { outputs: { loss: loss!, logits } })));
    return all
      .filter(({ op }) => op.name === 'uniform')
      .map(({ attrs }) => attrs as { stream: number; shape: unknown });
  };
  expect(uniforms()).toEqual([]);
  const drawn = uniforms(state('key', [2], 'u32'));
  const [hidden, probs] = [
    ['batch', 'seq', 8],
    ['batch', 2, 'seq', 'seq'],
  ];
  expect(drawn.sort((a, b) => a.stream - b.stream).map(({ shape }) => shape)).toEqual([
    hidden,
    probs,
    hidden,
    hidden,
    probs,
    hidden,
    hidden,
    ['batch', 8],
  ]);
  expect(new Set(drawn.map(({ stream }) => stream)).size).toBe(8);
});

describe('losses', () => {
  const run = (config: object, logits: number[][], labels: TensorData & { dtype?: 'i32' | 'f32' }) => {
    const flat = { data: Float32Array.from(logits.flat()), shape: [logits.length, logits[0]!.length] };
    const [x, y] = [
      input('logits', flat.shape),
      input('labels', labels.shape, labels.data instanceof Int32Array ? 'i32' : 'f32'),
    ];
    const loss = classificationLoss(bertConfig(config as never), x, y);
    return evaluate(graph('loss', { outputs: { loss } }), { logits: flat, labels }).outputs['loss']!.data[0];
  };

  test('one label is a regression', () => {
    expect(run({ num_labels: 1 }, [[1], [3]], { data: Float32Array.of(0, 5), shape: [2] })).toBeCloseTo(2.5);
  });
  test('reals for several labels are several labels at once', () => {
    const wanted = (-Math.log(1 / (1 + Math.exp(-2))) - Math.log(1 - 1 / (1 + Math.exp(1)))) / 2;
    expect(run({ num_labels: 2 }, [[2, -1]], { data: Float32Array.of(1, 0), shape: [1, 2] })).toBeCloseTo(wanted, 6);
    expect(run({ num_labels: 2 }, [[200, -200]], { data: Float32Array.of(0, 0), shape: [1, 2] })).toBe(100);
  });
  test('whole numbers are classes, and −100 does not count', () => {
    const wanted = Math.log(1 + Math.exp(-1));
    expect(
      run(
        { num_labels: 2 },
        [
          [0, 1],
          [9, 0],
        ],
        { data: Int32Array.of(1, -100), shape: [2] },
      ),
    ).toBeCloseTo(wanted, 6);
  });
  test('labels that do not fit the problem are a ShapeError', () => {
    const labels = { data: Int32Array.of(1), shape: [1] };
    expect(() => run({ problem_type: 'multi_label_classification' }, [[0, 1]], labels)).toThrow(
      new ShapeError('labels: multi_label_classification with 2 labels wants f32[1, 2], got i32[1]'),
    );
    expect(() => run({ problem_type: 'regression' }, [[0, 1]], labels)).toThrow(
      /regression with 2 labels wants f32\[1, 2\]/,
    );
  });
});

describe('bad input', () => {
  const config = {
    vocab_size: 20,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 16,
  };
  const ids = (...shape: (string | number)[]) => input('input_ids', shape, 'i32');

  test('shapes are refused with the place in the model', () => {
    const model = BertForSequenceClassification.from_config(config);
    expect(() => model.build({ input_ids: ids('batch') })).toThrow(
      /'input_ids' of BertForSequenceClassification is i32\[batch, seq\], got input 'input_ids' i32\[batch\]/,
    );
    expect(() => model.build({ input_ids: input('input_ids', [1, 4]) as Tensor })).toThrow(/got input 'input_ids' f32/);
    expect(() => model.build({ input_ids: ids(2, 4), attention_mask: ids(2, 5) })).toThrow(
      /^in bert: attention_mask is \[2, 5\]; it must be \[batch, seq\], as input_ids, which is \[2, 4\]/,
    );
    expect(() => model.build({ input_ids: ids(2, 17) })).toThrow(
      /^in bert\.embeddings: 17 tokens are more than the 16 positions/,
    );
    expect(() => model.build({ input_ids: ids(2, 4), labels: input('labels', [3], 'i32') })).toThrow(ShapeError);
    expect(() => model.build({ inputs_ids: full([1, 1], 0, 'i32') })).toThrow(
      /no input 'inputs_ids'; the inputs are input_ids, attention_mask/,
    );
    expect(() => model.graph({ outputs: ['loss'] })).toThrow(/no output 'loss'; with these inputs it has logits/);
  });

  test('configurations are refused by key', () => {
    const refuse = (keys: object, message: RegExp) => {
      expect(() => bertConfig(keys as never)).toThrow(ConfigError);
      expect(() => bertConfig(keys as never)).toThrow(message);
    };
    refuse({ hidden_size: 100 }, /hidden_size 100 is no multiple of num_attention_heads 12/);
    refuse({ hidden_size: '768' }, /"hidden_size" of the configuration is "768"; it must be a number/);
    refuse({ vocab_size: 0 }, /"vocab_size" of the configuration is 0; it must be a whole number from 1 on/);
    refuse({ hidden_act: 'gleu' }, /the activation "gleu" is not known; known: gelu, /);
    refuse({ model_type: 'gpt2' }, /of a "gpt2", not of a "bert"/);
    refuse({ position_embedding_type: 'relative_key' }, /"relative_key" is not supported/);
    refuse({ is_decoder: true }, /is_decoder/);
    refuse({ num_labels: 3, id2label: { 0: 'a', 2: 'b' } }, /no name for label 1 of 2/);
    expect(() => bertConfig({}, { num_label: 3 })).toThrow(/"num_label" is no option and no key of a "bert"/);
  });
});

test('labels are named as in Python', () => {
  expect(bertConfig().id2label).toEqual({ 0: 'LABEL_0', 1: 'LABEL_1' });
  expect(bertConfig({}, { num_labels: 3 }).label2id).toEqual({ LABEL_0: 0, LABEL_1: 1, LABEL_2: 2 });
  const file = { id2label: { '0': 'ham', '1': 'spam' }, label2id: { ham: 0, spam: 1 }, surprise: [1] };
  expect(bertConfig(file)).toMatchObject({ num_labels: 2, ...file });
  expect(bertConfig(file, { num_labels: 2 }).id2label).toEqual({ 0: 'ham', 1: 'spam' });
  expect(bertConfig(file, { num_labels: 3 }).id2label).toEqual({ 0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2' });
  expect(bertConfig(file, { label2id: { a: 0, b: 1, c: 2 } })).toMatchObject({
    num_labels: 3,
    id2label: { 0: 'a', 2: 'c' },
  });
});
