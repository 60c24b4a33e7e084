import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluate } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import { CheckpointError } from './checkpoint/errors.ts';
import { readSafetensors, writeSafetensors } from './checkpoint/safetensors.ts';
import type { TensorToWrite } from './checkpoint/safetensors.ts';
import { checkInputs } from './compiled.ts';
import { ConfigError, InputError } from './errors.ts';
import { BertForSequenceClassification, BertModel } from './families/bert.ts';
import type { TrainableModel } from './architecture.ts';
import type { PreTrainedModel } from './model.ts';
import { AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification } from './registry.ts';

const tiny = fileURLToPath(new URL('../goldens/tiny-bert', import.meta.url));
const small = {
  vocab_size: 30,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 12,
};
const quiet = { on_notice: () => undefined };

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), 'models-'))));
afterAll(() => rm(root, { recursive: true, force: true }));

const batch: Record<string, TensorData> = {
  input_ids: { data: Int32Array.of(2, 7, 9, 3, 2, 8, 3, 0), shape: [2, 4] },
  attention_mask: { data: Int32Array.of(1, 1, 1, 1, 1, 1, 1, 0), shape: [2, 4] },
  token_type_ids: { data: Int32Array.of(0, 0, 1, 1, 0, 0, 0, 0), shape: [2, 4] },
};
const run = (model: PreTrainedModel, output: string) =>
  evaluate(model.graph({ outputs: [output] }), batch, Object.fromEntries(model.parameters)).outputs[output]!;

/** The checkpoint of `tiny`, with its tensors changed. */
async function changed(
  name: string,
  change: (tensors: Record<string, TensorToWrite>) => Record<string, TensorToWrite>,
): Promise<string> {
  const folder = join(root, name);
  await cp(tiny, folder, { recursive: true });
  const file = await readSafetensors(join(tiny, 'model.safetensors'));
  const tensors: Record<string, TensorToWrite> = {};
  for (const tensor of file.names) tensors[tensor] = await file.read(tensor);
  await file.close();
  await writeSafetensors(join(folder, 'model.safetensors'), change(tensors));
  return folder;
}
const renamed = (rename: (name: string) => string) => (tensors: Record<string, TensorToWrite>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [rename(name), tensor]));

describe('loading', () => {
  test('reads every parameter by its name', async () => {
    const model = await BertForSequenceClassification.from_pretrained(tiny, { strict: true });
    expect(model.loading).toEqual({ missing: [], unexpected: [], mismatched: [] });
    expect(model.num_parameters()).toBe(22_818);
    const file = await readSafetensors(join(tiny, 'model.safetensors'));
    expect([...model.parameters.keys()].sort()).toEqual([...file.names].sort());
    expect(model.parameters.get('bert.encoder.layer.1.attention.self.query.weight')).toEqual(
      await file.readF32('bert.encoder.layer.1.attention.self.query.weight'),
    );
    await file.close();
  });

  test('takes the checkpoint of a bare encoder for a classifier, and says what is new', async () => {
    const bare = await changed('bare', (tensors) =>
      renamed((name) => name.replace(/^bert\./, ''))(
        Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith('bert.'))),
      ),
    );
    const notice = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const model = await BertForSequenceClassification.from_pretrained(bare, { num_labels: 5, seed: 3 });
    expect(notice.mock.calls).toEqual([
      [
        `Some weights of BertForSequenceClassification were not initialized from the model checkpoint at ${bare} and are newly initialized: classifier.weight, classifier.bias.\n` +
          'You should probably TRAIN this model on a down-stream task to be able to use it for predictions and inference.',
      ],
    ]);
    notice.mockRestore();
    expect(model.parameters.get('classifier.weight')!.shape).toEqual([5, 32]);
    const again = await BertForSequenceClassification.from_pretrained(bare, { num_labels: 5, seed: 3, ...quiet });
    expect(again.parameters).toEqual(model.parameters);
    const other = await BertForSequenceClassification.from_pretrained(bare, { num_labels: 5, seed: 4, ...quiet });
    expect(other.parameters.get('classifier.weight')).not.toEqual(model.parameters.get('classifier.weight'));
    const whole = await BertModel.from_pretrained(tiny, quiet);
    expect(run(await BertModel.from_pretrained(bare, { strict: true }), 'pooler_output')).toEqual(
      run(whole, 'pooler_output'),
    );
  });

  test('knows the old names of layer normalisations, and buffers that are no parameters', async () => {
    const old = await changed('old', (tensors) => ({
      ...renamed((name) =>
        name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
      )(tensors),
      'bert.embeddings.position_ids': { dtype: 'i64', shape: [1, 2], data: BigInt64Array.of(0n, 1n) },
    }));
    const model = await BertForSequenceClassification.from_pretrained(old, { strict: true });
    expect(run(model, 'logits')).toEqual(run(await BertForSequenceClassification.from_pretrained(tiny), 'logits'));
  });

  test('complains about shapes that do not fit, unless told to begin anew', async () => {
    const loading = BertForSequenceClassification.from_pretrained(tiny, { num_labels: 3 });
    await expect(loading).rejects.toThrow(CheckpointError);
    await expect(loading).rejects.toMatchObject({ code: 'shape-mismatch', tensor: 'classifier.weight' });
    await expect(loading).rejects.toThrow(
      /\[3, 32\] for the parameter "classifier\.weight" of BertForSequenceClassification: the checkpoint has \[2, 32\].*ignore_mismatched_sizes: true/,
    );
    const model = await BertForSequenceClassification.from_pretrained(tiny, {
      num_labels: 3,
      ignore_mismatched_sizes: true,
      ...quiet,
    });
    expect(model.loading.mismatched).toEqual(['classifier.weight', 'classifier.bias']);
    expect(run(model, 'logits').shape).toEqual([2, 3]);
  });

  test('strict wants exactly the parameters of the model', async () => {
    const odd = await changed(
      'odd',
      renamed((name) => name.replace('classifier.', 'head.')),
    );
    await expect(BertForSequenceClassification.from_pretrained(odd, { strict: true })).rejects.toThrow(
      /exactly the 41 parameters of BertForSequenceClassification: it lacks classifier\.weight, classifier\.bias, and it also has head\.bias, head\.weight/,
    );
    const model = await BertForSequenceClassification.from_pretrained(odd, quiet);
    expect(model.loading).toMatchObject({
      missing: ['classifier.weight', 'classifier.bias'],
      unexpected: ['head.bias', 'head.weight'],
    });
  });

  test('says what is wrong with folders, files and options', async () => {
    const empty = await mkdtemp(join(root, 'empty-'));
    await expect(BertModel.from_pretrained(empty)).rejects.toMatchObject({ code: 'missing-file' });
    await writeFile(join(empty, 'model.safetensors'), 'x');
    await writeFile(join(empty, 'config.json'), '{');
    await expect(BertModel.from_pretrained(empty)).rejects.toMatchObject({
      code: 'bad-header',
      message: expect.stringContaining('config.json'),
    });
    await writeFile(join(empty, 'config.json'), JSON.stringify({ model_type: 'bert' }));
    await expect(BertModel.from_pretrained(empty)).rejects.toMatchObject({ code: 'truncated' });
    await writeFile(join(empty, 'config.json'), JSON.stringify({ model_type: 'llama' }));
    await expect(BertModel.from_pretrained(empty)).rejects.toThrow(
      /of a "llama", not of a "bert"; use the class of that family/,
    );
    await writeFile(join(empty, 'config.json'), JSON.stringify({ model_type: 'mamba' }));
    await expect(AutoModel.from_pretrained(empty)).rejects.toThrow(ConfigError);
    await expect(AutoModel.from_pretrained(empty)).rejects.toThrow(
      /has the model_type "mamba"; supported are .*\bbert/,
    );
    await expect(BertModel.from_pretrained(tiny, { num_label: 3 } as never)).rejects.toThrow(
      /"num_label" is no option and no key/,
    );
  });

  test('keys of the configuration can be replaced, and only by their own names', async () => {
    const model = await BertForSequenceClassification.from_pretrained(tiny, {
      hidden_dropout_prob: 0.3,
      id2label: { 0: 'ham', 1: 'spam' },
    });
    expect(model.config).toMatchObject({ hidden_dropout_prob: 0.3, hidden_size: 32, label2id: { ham: 0, spam: 1 } });
    // @ts-expect-error a typo
    const typo = BertForSequenceClassification.from_pretrained(tiny, { hidden_dropout: 0.3 });
    await expect(typo).rejects.toThrow(
      /"hidden_dropout" is no option and no key of a "bert" configuration; its keys are .*hidden_dropout_prob/,
    );
  });
});

describe('Auto classes', () => {
  test('load the family that config.json names', async () => {
    const classifier = await AutoModelForSequenceClassification.from_pretrained(tiny);
    expectTypeOf(classifier).toExtend<TrainableModel>();
    expect(classifier.architecture.name).toBe('BertForSequenceClassification');
    const base = await AutoModel.from_pretrained(tiny, quiet);
    expect(base.architecture.name).toBe('BertModel');
    expect(await AutoConfig.from_pretrained(tiny, { num_labels: 4 })).toMatchObject({
      model_type: 'bert',
      num_labels: 4,
      hidden_size: 32,
    });
    expect(AutoModel.from_config(await AutoConfig.from_pretrained(tiny)).num_parameters()).toBe(base.num_parameters());
    expect(() => AutoModel.from_config({ hidden_size: 8 })).toThrow(/has no model_type; supported are .*\bbert/);
    expect(() => AutoModelForCausalLM.from_config({ model_type: 'bert' })).toThrow(
      'a "bert" is no AutoModelForCausalLM; those that are: gpt2',
    );
    const gpt2 = await AutoModelForCausalLM.from_pretrained(
      fileURLToPath(new URL('../goldens/tiny-gpt2', import.meta.url)),
      { strict: true },
    );
    expect(gpt2.architecture.name).toBe('GPT2LMHeadModel');
  });
});

describe('a new model', () => {
  test('begins as Hugging Face lets it begin', () => {
    const { parameters } = BertForSequenceClassification.from_config(
      { ...small, hidden_size: 64, num_attention_heads: 4 },
      { seed: 1 },
    );
    const values = (name: string) => [...parameters.get(name)!.data];
    expect(new Set(values('bert.encoder.layer.0.output.LayerNorm.weight'))).toEqual(new Set([1]));
    expect(new Set(values('bert.encoder.layer.0.output.dense.bias'))).toEqual(new Set([0]));
    expect(new Set(values('bert.embeddings.word_embeddings.weight').slice(0, 64))).toEqual(new Set([0]));
    const weight = values('bert.encoder.layer.0.attention.self.query.weight');
    expect(Math.sqrt(weight.reduce((sum, value) => sum + value ** 2, 0) / weight.length)).toBeCloseTo(0.02, 3);
    const same = BertForSequenceClassification.from_config(
      { ...small, hidden_size: 64, num_attention_heads: 4, num_labels: 9 },
      { seed: 1 },
    );
    expect(same.parameters.get('bert.pooler.dense.weight')).toEqual(parameters.get('bert.pooler.dense.weight'));
  });
});

describe('saving', () => {
  test('is undone by loading', async () => {
    const model = BertForSequenceClassification.from_config(
      { ...small, id2label: { 0: 'a', 1: 'b', 2: 'c' }, problem_type: 'single_label_classification' },
      { seed: 5 },
    );
    const folder = join(root, 'deep', 'saved');
    await model.save_pretrained(folder);
    await model.save_pretrained(folder);
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors']);
    const loaded = await BertForSequenceClassification.from_pretrained(folder, { strict: true });
    expect(loaded.parameters).toEqual(model.parameters);
    expect(loaded.config).toEqual({
      ...model.config,
      architectures: ['BertForSequenceClassification'],
      torch_dtype: 'float32',
    });
    const text = await readFile(join(folder, 'config.json'), 'utf8');
    const keys = Object.keys(JSON.parse(text) as object);
    expect(keys).toEqual([...keys].sort());
    expect(keys).not.toContain('num_labels');
  });

  test('keeps the keys of a config.json that it does not know', async () => {
    const folder = await changed('unknown', (tensors) => tensors);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, my_key: [1, { a: null }] }));
    await (await BertForSequenceClassification.from_pretrained(folder)).save_pretrained(folder);
    const { transformers_version: _, ...kept } = config;
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toEqual({
      ...kept,
      tie_word_embeddings: true,
      my_key: [1, { a: null }],
    });
  });

  const python = findPython(['transformers', 'torch']);
  test.skipIf(!python)('gives a folder that Python loads, with the same logits', async () => {
    const model = BertForSequenceClassification.from_config(
      { ...small, id2label: { 0: 'ham', 1: 'spam', 2: 'eggs' } },
      { seed: 8 },
    );
    const folder = join(root, 'for-python');
    await model.save_pretrained(folder);
    const program = `
import json, sys, torch
from transformers import AutoModelForSequenceClassification
model, info = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], output_loading_info=True)
batch = {k: torch.tensor(v) for k, v in json.loads(sys.argv[2]).items()}
logits = model.eval()(**batch).logits
print(json.dumps({'class': type(model).__name__, 'info': {k: sorted(v) for k, v in info.items()}, 'id2label': model.config.id2label, 'logits': logits.flatten().tolist()}))`;
    const rows = Object.fromEntries(
      Object.entries(batch).map(([name, { data }]) => [name, [[...data.slice(0, 4)], [...data.slice(4)]]]),
    );
    const { stdout, stderr, status } = spawnSync(python!, ['-c', program, folder, JSON.stringify(rows)], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    const said = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      class: string;
      info: Record<string, unknown[]>;
      id2label: object;
      logits: number[];
    };
    expect(said.class).toBe('BertForSequenceClassification');
    expect(Object.values(said.info).flat()).toEqual([]);
    expect(said.id2label).toEqual({ 0: 'ham', 1: 'spam', 2: 'eggs' });
    const { data } = run(model, 'logits');
    said.logits.forEach((value, i) => expect(Math.abs(value - data[i]!)).toBeLessThan(1e-6));
  });
});

test('values out of range are refused with their place', () => {
  const { inputs, dims } = BertForSequenceClassification.from_config(small);
  const check = (data: Record<string, TensorData>) => () => checkInputs(inputs, dims, data);
  expect(check(batch)).not.toThrow();
  const ids = (values: number[], ...shape: number[]) => ({ data: Int32Array.from(values), shape });
  expect(check({ input_ids: ids([1, 2, 30, 4], 2, 2) })).toThrow(
    new InputError('input_ids[1, 0] is 30; it must be a whole number from 0 to 29'),
  );
  expect(check({ labels: ids([0, 1, -100, 2], 4) })).toThrow(
    new InputError('labels[3] is 2; it must be a whole number from 0 to 1, or -100 for "does not count"'),
  );
  expect(check({ input_ids: ids(Array<number>(13).fill(1), 1, 13) })).toThrow(
    /13 is more than the 12 that 'seq' may be/,
  );
});
