import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { compile } from '@sinter/compiler';
import type { Program } from '@sinter/compiler';
import { decoder, graph, input, matmul, printGraph, state } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { writeSafetensors } from '@sinter/models';
import { adamw, decays, schedule, trainStep, TrainingArguments } from '@sinter/trainer';
import type { TrainableModel } from '@sinter/trainer';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { smallBert } from '../../../test/bert.ts';
import { graphSource } from './graph-files.ts';
import type { ModelSourceOptions } from './model-folder.ts';
import { modelSource } from './model-folder.ts';
import { sampleInputs, sampleSizes } from '../sample.ts';
import { dimsOf } from './source.ts';
import type { Source } from './source.ts';
import { taskOf } from './tasks.ts';

let root: string;
let bert: Awaited<ReturnType<typeof smallBert>>;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cli-source-'));
  bert = await smallBert(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

const options: ModelSourceOptions = {
  task: undefined,
  entries: ['forward'],
  weights: 'f32',
  step: new TrainingArguments({ weight_decay: 0.01 }),
  num_labels: undefined,
  revision: undefined,
  onNotice: (text) => expect(text).toBeUndefined(),
  onProgress: () => undefined,
};

async function load(source: Source, entry: string): Promise<Program> {
  const program = await compile(source.entries[entry]!, cpu({ threads: 1 }));
  for (const name of Object.keys(program.state.ports)) {
    const value = source.weights.get(name);
    if (value) await program.state.write(name, value.data);
  }
  return program;
}

const batch: Record<string, TensorData> = {
  input_ids: { shape: [2, 4], data: Int32Array.of(2, 5, 6, 3, 2, 9, 3, 0) },
  attention_mask: { shape: [2, 4], data: Int32Array.of(1, 1, 1, 1, 1, 1, 1, 0) },
  token_type_ids: { shape: [2, 4], data: new Int32Array(8) },
};

test('the task is what the model was made for', () => {
  expect(taskOf({ architectures: ['BertForSequenceClassification'] })).toBe('text-classification');
  expect(taskOf({ architectures: ['BertModel'] })).toBe('feature-extraction');
  expect(taskOf({ architectures: null })).toBe('feature-extraction');
});

test('forward gives what the model gives, and takes its configuration and tokenizer along', async () => {
  const source = await modelSource(bert.folder, options);
  expect(source.name).toBe('bert');
  expect(Object.keys(source.files)).toEqual(['config.json', 'tokenizer.json', 'tokenizer_config.json']);
  await using program = await load(source, 'forward');
  await using direct = await bert.model.compile(cpu({ threads: 1 }), { outputs: ['logits'] });
  expect(await program.run(batch)).toEqual(await direct(batch));
});

test('half the bytes of weights, and nearly the same numbers', async () => {
  const [full, half] = [
    await modelSource(bert.folder, options),
    await modelSource(bert.folder, { ...options, weights: 'f16' }),
  ];
  const name = 'classifier.weight';
  expect(half.weights.get(name)!.data.byteLength).toBe(full.weights.get(name)!.data.byteLength / 2);
  half.weights.get(name)!.data.forEach((bits, i) => {
    expect(decoder('f16')(bits)).toBeCloseTo(full.weights.get(name)!.data[i]!, 3);
  });
});

test('train_step draws and computes what the trainer does with the same seed, with the learning rate as an input', async () => {
  const source = await modelSource(bert.folder, { ...options, entries: ['train_step', 'evaluate'] });
  expect(Object.keys(source.entries['train_step']!.inputs).sort()).toEqual(
    [...Object.keys(batch), 'labels', 'learning_rate', 'seed'].sort(),
  );
  const labels = { shape: [2], data: Int32Array.of(1, 0) };
  await using program = await load(source, 'train_step');
  const step = trainStep(bert.model as unknown as TrainableModel, {
    optimizer: (name) => adamw({ weight_decay: decays(name) ? 0.01 : 0 }),
    learning_rate: 0.01,
    schedule: schedule('linear', { warmup: 0, total: 4 }),
    max_grad_norm: 1,
  });
  await using other = await compile(step, cpu({ threads: 1 }));
  for (const name of Object.keys(other.state.ports)) {
    const weight = bert.model.parameters.get(name);
    if (weight) await other.state.write(name, weight.data);
  }
  await other.state.write('rng', Uint32Array.of(42, 0));
  for (let i = 0; i < 4; i++) {
    const { learning_rate, ...wanted } = await other.run({ ...batch, labels });
    const seed = { shape: [], data: Uint32Array.of(42) };
    const got = await program.run({ ...batch, labels, learning_rate: learning_rate!, seed });
    expect(got).toEqual(wanted);
  }
  for (const name of bert.model.parameters.keys())
    expect(await program.state.read(name), name).toEqual(await other.state.read(name));
});

test('what a task does not have is refused', async () => {
  await expect(
    modelSource(bert.folder, { ...options, task: 'feature-extraction', entries: ['train_step'] }),
  ).rejects.toThrow(/feature-extraction has no loss, so there is no 'train_step'/);
});

test('sizes are completed by the limits of the model', async () => {
  const source = await modelSource(bert.folder, options);
  expect(dimsOf(source, {})).toEqual({ batch: {}, seq: { max: 64 } });
  expect(dimsOf(source, { batch: 4, seq: { min: 2 } })).toEqual({ batch: 4, seq: { min: 2, max: 64 } });
  expect(() => dimsOf(source, { seq: { max: 65 } })).toThrow("'seq=1..65': bert takes at most seq=64");
  expect(() => dimsOf(source, { width: 3 })).toThrow("there is no run-time size 'width'; there are: batch, seq");
});

test('graph files are entry points that share state', async () => {
  const x = input('x', ['batch', 2]);
  const w = state('w', [2, 3]);
  const paths = [join(root, 'a.graph'), join(root, 'b.graph')];
  await writeFile(paths[0]!, printGraph(graph('scores', { outputs: { y: matmul(x, w) } })));
  await writeFile(paths[1]!, printGraph(graph('twice', { outputs: {}, updates: { w } })));
  await writeSafetensors(join(root, 'w.safetensors'), {
    w: { dtype: 'f32', shape: [2, 3], data: new Float32Array(6).fill(2) },
  });
  const source = await graphSource(paths, { entries: undefined, state: join(root, 'w.safetensors') });
  expect(Object.keys(source.entries)).toEqual(['scores', 'twice']);
  expect(source.weights.get('w')!.data).toEqual(new Float32Array(6).fill(2));
  await writeSafetensors(join(root, 'v.safetensors'), {
    w: { dtype: 'f32', shape: [3, 2], data: new Float32Array(6) },
  });
  await expect(graphSource(paths, { entries: undefined, state: join(root, 'v.safetensors') })).rejects.toThrow(
    /state 'w' is f32\[2, 3\], but .* has f32\[3, 2\]/,
  );
  await expect(graphSource(paths, { entries: ['one'], state: undefined })).rejects.toThrow('1 names for 2 graph files');
  await writeFile(paths[1]!, 'graph "x" {\n  nonsense\n}\n');
  await expect(graphSource(paths, { entries: undefined, state: undefined })).rejects.toThrow(
    /b\.graph is no graph: line 2/,
  );
});

test('samples are within what the model takes, and the same every time', () => {
  const sizes = sampleSizes({ batch: { max: 1 }, seq: {}, width: 5, other: { min: 4 } });
  expect(sizes).toEqual({ batch: 1, seq: 7, width: 5, other: 4 });
  const make = () =>
    sampleInputs(
      {
        ids: { shape: ['batch', 'seq'], dtype: 'i32', buffer: 0 },
        mask: { shape: ['seq'], dtype: 'i32', buffer: 1 },
        x: { shape: [], dtype: 'f32', buffer: 2 },
      },
      { ids: { shape: ['batch', 'seq'], dtype: 'i32', below: 9 }, mask: { shape: ['seq'], dtype: 'i32', missing: 1 } },
      sizes,
    );
  const { ids, mask, x } = make();
  expect(ids!.shape).toEqual([1, 7]);
  expect(ids!.data.every((id) => id >= 0 && id < 9)).toBe(true);
  expect(new Set(ids!.data).size).toBeGreaterThan(2);
  expect(mask!.data).toEqual(new Int32Array(7).fill(1));
  expect(x!.data).toHaveLength(1);
  expect(make()).toEqual({ ids, mask, x });
});
