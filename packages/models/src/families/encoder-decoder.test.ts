import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate, graph, input } from '@sinter/ir';
import type { Graph, Tensor, TensorData } from '@sinter/ir';
import { describe, expect, expectTypeOf, test } from 'vitest';
import type { Architecture, ModelOutputs, TrainableModel } from '../architecture.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { difference, golden, goldens, gradientGraph, largest, pick } from '../goldens.test.kit.ts';
import { keyValueCache } from '../layers/cache.ts';
import type { ModelClass } from '../model.ts';
import { scope } from '../scope.ts';
import { BartForConditionalGeneration, BartForSequenceClassification, BartModel } from './bart.ts';
import { MarianMTModel } from './marian.ts';
import { relativeBucket, T5ForConditionalGeneration, t5Config } from './t5.ts';
import { TransformerForConditionalGeneration, transformerConfig } from './transformer.ts';

const given = ['input_ids', 'attention_mask', 'labels'];
const writers = {
  'tiny-bart': BartForConditionalGeneration,
  'tiny-marian': MarianMTModel,
  'tiny-marian-two-tables': MarianMTModel,
  'tiny-t5': T5ForConditionalGeneration,
  'tiny-t5-gated': T5ForConditionalGeneration,
} as Readonly<Record<string, unknown>> as Readonly<Record<string, ModelClass<ModelConfig, ModelOutputs>>>;
const classes: typeof writers = {
  ...writers,
  'tiny-bart-classifier': BartForSequenceClassification as unknown as ModelClass<ModelConfig, ModelOutputs>,
  'tiny-transformer': TransformerForConditionalGeneration as unknown as ModelClass<ModelConfig, ModelOutputs>,
};
const load = async (name: string) => ({
  model: await classes[name]!.from_pretrained(join(goldens, name), { strict: true }),
  expected: await golden(`${name}.expected.safetensors`),
});
const weightsOf = (model: { parameters: Map<string, TensorData> }) => Object.fromEntries(model.parameters);

describe.each(Object.keys(classes))('%s agrees with Python', (name) => {
  test('in logits, loss, hidden states and attentions', async () => {
    const { model, expected } = await load(name);
    const g = model.graph({ inputs: given, output_hidden_states: true, output_attentions: true });
    const { outputs } = evaluate(g, pick(expected, given), weightsOf(model));
    const wanted = Object.keys(expected).filter((key) => !given.includes(key));
    // torch's own model gives nothing but logits, and the loss with smoothing beside that without.
    const names = name === 'tiny-transformer' ? ['logits'] : wanted;
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(names));
    if (names === wanted) expect(Object.keys(outputs).sort()).toEqual(wanted.sort());
    for (const output of names) expect(difference(outputs[output]!, expected[output]!), output).toBeLessThan(2e-6);
    if (name === 'tiny-transformer') expect(difference(outputs['loss']!, expected['likelihood']!)).toBeLessThan(1e-6);
  });

  test('in the gradient of every parameter', async () => {
    const { model, expected } = await load(name);
    const wanted = await golden(`${name}.gradients.safetensors`);
    const key = input('key', [2], 'u32');
    const { state: parameters, outputs } = model.graph({ inputs: given, outputs: ['loss'], key });
    expect(
      Object.keys(parameters)
        .filter((parameter) => parameter !== 'final_logits_bias')
        .sort(),
    ).toEqual(Object.keys(wanted).sort());
    const g = gradientGraph(parameters, outputs['loss']!);
    const got = evaluate(g, pick(expected, Object.keys(g.inputs)), weightsOf(model)).outputs;
    const absolute = 1e-7 * Math.max(...Object.values(wanted).map(largest));
    for (const parameter of Object.keys(wanted))
      expect(difference(got[`grad ${parameter}`]!, wanted[parameter]!, absolute), parameter).toBeLessThan(1e-5);
  });
});

describe.each(['tiny-bart', 'tiny-marian-two-tables', 'tiny-t5', 'tiny-transformer'])(
  '%s writes token by token what it would write at once',
  (name) => {
    test('with a cache, where the source is read once', async () => {
      const { model, expected } = await load(name);
      const weights = weightsOf(model);
      const source = pick(expected, ['input_ids', 'attention_mask']);
      // What the decoder was told: the start token, and the labels but the last; -100 became padding.
      const { decoder_start_token_id: start, pad_token_id: padding } = model.config as Record<string, unknown>;
      const [rows, length] = expected['labels']!.shape as [number, number];
      const labels = expected['labels']!.data as Int32Array;
      const told = Int32Array.from(labels, (_, i) => {
        const label = i % length === 0 ? (start as number) : labels[i - 1]!;
        return label === -100 ? (padding as number) : label;
      });

      const { encode, decode } = model.architecture as Required<Architecture<ModelConfig, ModelOutputs>>;
      const ids = (input_name: string, ...shape: (string | number)[]) =>
        input(input_name, shape, 'i32') as Tensor<readonly (string | number)[], 'i32'>;
      const encoder = encode(scope(), model.config, {
        input_ids: ids('input_ids', 'batch', 'source'),
        attention_mask: ids('attention_mask', 'batch', 'source'),
      });
      const encoded = run(graph('encode', { outputs: { states: encoder } }), source, weights)['states']!;
      expect(encoded.shape).toEqual([3, 13, 16]);

      const decoder = (first: boolean) => {
        const at = input('at', [1], 'i32');
        const from = { batch: 'batch', tokens: 'source', length: 15 };
        const cache = keyValueCache({ batch: 3, length: 9, at, total: 'total', source: from });
        const decoded = decode(
          scope(),
          model.config,
          {
            input_ids: ids('input_ids', 'batch', 'n'),
            position_ids: ids('position_ids', 'batch', 'n'),
            attention_mask: ids('attention_mask', 'batch', 'total'),
            encoder_attention_mask: ids('encoder_attention_mask', 'batch', 'source'),
            ...(first && { encoder_hidden_states: input('encoder_hidden_states', ['batch', 'source', 16]) as Tensor }),
          },
          cache,
        );
        return graph('decode', { outputs: { logits: decoded.logits(decoded.states) }, updates: cache.updates });
      };

      // Two tokens at once, then one after the other; the caches are the state that a run leaves.
      const [first, next] = [decoder(true), decoder(false)];
      const caches = Object.keys(first.updates).map((key) => {
        const shape = first.updates[key]!.shape as number[];
        return [key, { shape, data: new Float32Array(shape.reduce((a, b) => a * b)) }] as const;
      });
      let state: Record<string, TensorData> = { ...weights, ...Object.fromEntries(caches) };
      const whole = expected['logits']!;
      const vocabulary = whole.shape[2]!;
      for (let at = 0, n = 2; at < length; at += n, n = 1) {
        const columns = (width: number, value: (row: number, column: number) => number): TensorData => ({
          shape: [rows, width],
          data: Int32Array.from({ length: rows * width }, (_, i) => value(Math.floor(i / width), i % width)),
        });
        const program = at === 0 ? first : next;
        const { outputs, updates } = evaluate(
          program,
          {
            at: { shape: [1], data: Int32Array.of(at) },
            input_ids: columns(n, (row, column) => told[row * length + at + column]!),
            ...(name !== 'tiny-t5' && { position_ids: columns(n, (_, column) => at + column) }),
            attention_mask: columns(at + n, () => 1),
            encoder_attention_mask: source['attention_mask']!,
            ...(at === 0 && { encoder_hidden_states: encoded }),
          },
          pick(state, Object.keys(program.state)),
        );
        state = { ...state, ...updates };
        const part = columns(n, () => 0);
        const wanted = new Float32Array(rows * n * vocabulary);
        for (let row = 0; row < rows; row++)
          wanted.set(
            whole.data.subarray((row * length + at) * vocabulary, (row * length + at + n) * vocabulary),
            row * n * vocabulary,
          );
        const shape = [...part.shape, vocabulary];
        expect(difference(outputs['logits']!, { shape, data: wanted }), `at ${at}`).toBeLessThan(1e-5);
      }
    });
  },
);

test('compiled, one program serves sources and targets of any length', async () => {
  const { model, expected } = await load('tiny-bart');
  await using compiled = await model.compile(cpu({ threads: 1 }), { outputs: ['logits'] });
  const whole = pick(expected, ['input_ids', 'attention_mask']);
  const decoder_input_ids = ids([[2, 7, 8]]);
  const once = (rows: TensorData): TensorData => ({ shape: [1, 13], data: rows.data.slice(0, 13) });
  const { logits } = await compiled({
    input_ids: once(whole['input_ids']!),
    attention_mask: once(whole['attention_mask']!),
    decoder_input_ids,
  });
  // The first text is not padded: what is left out means that there is no padding.
  const short = await compiled({ input_ids: once(whole['input_ids']!), decoder_input_ids: ids([[2, 7]]) });
  expect(difference(short['logits']!, { shape: [1, 2, 60], data: logits!.data.slice(0, 120) })).toBeLessThan(1e-5);
});

test('a model without a head is loaded from one with a head, and a BART reads its source when told nothing else', async () => {
  const notices: string[] = [];
  const on_notice = (text: string) => notices.push(text);
  const model = await BartModel.from_pretrained(join(goldens, 'tiny-bart'), { on_notice });
  expect(notices).toEqual([]);
  const input_ids = ids([[5, 6, 2]]);
  const run = (inputs: Record<string, TensorData>) =>
    evaluate(model.graph({ inputs: Object.keys(inputs) }), inputs, weightsOf(model)).outputs['last_hidden_state'];
  expect(run({ input_ids })).toEqual(run({ input_ids, decoder_input_ids: ids([[2, 5, 6]]) }));
});

test('distances fall into the buckets of the paper', () => {
  const buckets = (distances: number[], twoSided: boolean) =>
    distances.map((distance) => relativeBucket(distance, 32, 128, twoSided));
  expect(buckets([0, -1, -7, -8, -11, -12, -16, -127, -128, -9999], true)).toEqual([0, 1, 7, 8, 8, 9, 10, 15, 15, 15]);
  expect(buckets([1, 7, 8, 127, 9999], true)).toEqual([17, 23, 24, 31, 31]);
  expect(buckets([5, 0, -15, -16, -128], false)).toEqual([0, 0, 15, 16, 31]);
});

test('are what a Trainer wants, begin as their papers say, and refuse what they are not', () => {
  const small = {
    vocab_size: 20,
    d_model: 8,
    encoder_layers: 1,
    decoder_layers: 1,
    encoder_ffn_dim: 16,
    decoder_ffn_dim: 16,
  };
  const heads = { encoder_attention_heads: 2, decoder_attention_heads: 2 };
  const model = TransformerForConditionalGeneration.from_config({ ...small, ...heads });
  expectTypeOf(model).toExtend<TrainableModel>();
  // The base model of the paper has 65 million parameters, with a vocabulary of 37,000.
  const { encoder_layers, d_model, dropout, label_smoothing } = transformerConfig();
  expect([encoder_layers, d_model, dropout, label_smoothing]).toEqual([6, 512, 0.1, 0.1]);
  const untied = BartForConditionalGeneration.from_config({ ...small, ...heads, tie_word_embeddings: false });
  expect(untied.parameters.get('lm_head.weight')!.shape).toEqual([20, 8]);
  const tokens = (...shape: number[]) => input('input_ids', shape, 'i32') as Tensor;
  expect(() => model.build({ input_ids: tokens(1, 4) })).toThrow(/in model: wants decoder_input_ids, or labels/);
  expect(() => untied.build({ input_ids: tokens(1, 1025), labels: tokens(1, 4) })).toThrow(
    /in model.encoder: 1025 tokens are more than the 1024 positions/,
  );
  const target = { decoder_input_ids: tokens(1, 3), labels: tokens(1, 4) };
  expect(() => model.build({ input_ids: tokens(1, 4), ...target })).toThrow(
    /labels are \[1, 4\]; they must be as decoder_input_ids/,
  );
  const startless = TransformerForConditionalGeneration.from_config({
    ...small,
    ...heads,
    decoder_start_token_id: null,
  });
  expect(() => startless.build({ input_ids: tokens(1, 4), labels: tokens(1, 4) })).toThrow(ConfigError);
  expect(() => transformerConfig({ d_model: 10 })).toThrow(/d_model 10 is no multiple of encoder_attention_heads 8/);
  expect(() => t5Config({ feed_forward_proj: 'gated-glue' })).toThrow(/"glue" is not known/);
  expect(() => t5Config({ relative_attention_num_buckets: 6 })).toThrow(/buckets come in fours/);
});

function run(g: Graph, inputs: Record<string, TensorData>, weights: Record<string, TensorData>) {
  return evaluate(g, inputs, pick(weights, Object.keys(g.state))).outputs;
}

function ids(rows: readonly (readonly number[])[]): TensorData {
  return { shape: [rows.length, rows[0]!.length], data: Int32Array.from(rows.flat()) };
}
