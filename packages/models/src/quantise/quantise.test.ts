import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { evaluate, input } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { afterAll, describe, expect, test } from 'vitest';
import { cpus } from '../cpus.test.kit.ts';
import { readSafetensors } from '../checkpoint/safetensors.ts';
import { difference, golden, goldens, pick } from '../goldens.test.kit.ts';
import { generator } from '../generation/generator.ts';
import type { PreTrainedModel } from '../model.ts';
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from '../registry.ts';
import type { QuantizeOptions } from './quantise.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-quantise-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(root, String(count++));

const inputNames = ['input_ids', 'attention_mask'];
const folder = (name: string) => join(goldens, name);
const bert = () => AutoModelForSequenceClassification.from_pretrained(folder('tiny-bert'));
const gpt2 = () => AutoModelForCausalLM.from_pretrained(folder('tiny-gpt2'));
const llama = () => AutoModelForCausalLM.from_pretrained(folder('tiny-llama'));

/** The logits by the reference that defines graphs. */
function logitsOf(model: PreTrainedModel, inputs: Record<string, TensorData>): TensorData {
  const g = model.graph({ outputs: ['logits'], inputs: Object.keys(inputs) });
  return evaluate(g, inputs, Object.fromEntries(model.tensors()) as Record<string, TensorData>).outputs['logits']!;
}

const kinds = (model: PreTrainedModel) =>
  Object.fromEntries([...model.packed].map(([name, { packing }]) => [name, packing.kind]));

describe('which parameters', () => {
  test('matrices of products, along the axis that is summed over; no tables, norms and biases', async () => {
    const model = (await bert()).quantize({ bits: 8 });
    const names = [...model.packed.keys()];
    expect(names).toHaveLength(2 * 6 + 2);
    expect(names).toContain('bert.encoder.layer.1.output.dense.weight');
    expect(names.filter((name) => /embeddings|LayerNorm|bias/.test(name))).toEqual([]);
    expect(model.num_parameters()).toBe((await bert()).num_parameters());
    const { packing, tensors } = (await gpt2()).quantize({ bits: 8 }).packed.get('transformer.h.0.attn.c_attn.weight')!;
    expect(packing).toEqual({ kind: 'int8', inner: 0 });
    expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['transformer.h.0.attn.c_attn.weight', 'i8', [32, 96]],
      ['transformer.h.0.attn.c_attn.weight_scale', 'f32', [1, 96]],
    ]);
  });

  test('names decide, embeddings are asked for, and a head that shares their weights goes with them', async () => {
    const model = await gpt2();
    expect(kinds(model.quantize({ bits: 8, include: /mlp/g, exclude: /h\.1\./ }))).toEqual({
      'transformer.h.0.mlp.c_fc.weight': 'int8',
      'transformer.h.0.mlp.c_proj.weight': 'int8',
    });
    const all = kinds(model.quantize({ bits: 4, embeddings: true }));
    expect(all['transformer.wte.weight']).toBe('int8');
    expect(all['transformer.h.0.mlp.c_proj.weight']).toBe('int4');
    expect(() => model.quantize({ bits: 8, include: /nothing/ })).toThrow(/no matrix is left/);
    expect(() => model.quantize({ bits: 3 as 4 })).toThrow(/must be 8 or 4/);
    expect(() => model.quantize({ bits: 4, group_size: 7 })).toThrow(/even number/);
  });

  test('what is quantised stays so; what was kept in 16 bits can be', async () => {
    const half = await AutoModelForCausalLM.from_pretrained(folder('tiny-gpt2'), { torch_dtype: 'float16' });
    expect(half.parameters.size).toBe(0);
    const some = half.quantize({ bits: 4, group_size: 16, include: /mlp/ }).quantize({ bits: 8 });
    expect(new Set(Object.values(kinds(some)))).toEqual(new Set(['float16', 'int4', 'int8']));
    expect(kinds(some)['transformer.h.0.mlp.c_fc.weight']).toBe('int4');
    expect(() => some.quantize({ bits: 8 })).toThrow(/no matrix is left/);
  });
});

const models = { bert, gpt2, llama };
const options: Record<string, QuantizeOptions> = {
  int8: { bits: 8 },
  'int8 with embeddings': { bits: 8, embeddings: true },
  int4: { bits: 4, group_size: 16 },
};
const most: Record<string, number> = { int8: 0.04, 'int8 with embeddings': 0.06, int4: 0.5 };

describe.each(Object.keys(models) as (keyof typeof models)[])('%s', (name) => {
  test.each(Object.keys(options))(
    '%s: near the model, saved and loaded as it is, compiled as evaluated',
    async (kind) => {
      const model = await models[name]();
      const data = await golden(`tiny-${name}.expected.safetensors`);
      const inputs = pick(
        data,
        inputNames.filter((input) => input in data),
      );
      const small = model.quantize(options[kind]!);
      const [wanted, got] = [logitsOf(model, inputs), logitsOf(small, inputs)];
      expect(difference(got, wanted)).toBeLessThan(most[kind]!);
      expect(difference(got, wanted)).toBeGreaterThan(1e-5);

      const saved = fresh();
      await small.save_pretrained(saved);
      const config = JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8')) as Record<string, unknown>;
      expect(config['quantization_config']).toMatchObject({ quant_method: 'sinter', bits: options[kind]!.bits });
      const loaded: PreTrainedModel = await (
        name === 'bert' ? AutoModelForSequenceClassification : AutoModelForCausalLM
      ).from_pretrained(saved, { strict: true });
      expect(new Map([...loaded.packed].sort())).toEqual(new Map([...small.packed].sort()));
      expect(logitsOf(loaded, inputs)).toEqual(got);

      for (const backend of cpus) {
        const compiled = await loaded.compile(backend, {
          outputs: ['logits'],
          inputs: Object.keys(inputs),
          cache: false,
        });
        expect(difference((await compiled(inputs))['logits']!, got)).toBeLessThan(2e-5);
        compiled.close();
      }
    },
  );
});

test('a quantised model writes what its logits say, token by token', async () => {
  const model = (await gpt2()).quantize({ bits: 8, embeddings: true });
  const prompt = Int32Array.of(5, 9, 2, 7);
  await using writer = await generator(model, cpu({ threads: 1 }), { length: 12 });
  const { data } = await writer.generate(
    { input_ids: { data: prompt, shape: [1, 4] } },
    { max_new_tokens: 5, min_new_tokens: 5 },
  );
  const ids = [...prompt];
  for (let i = 0; i < 5; i++) {
    const { data: logits, shape } = logitsOf(model, {
      input_ids: { data: Int32Array.from(ids), shape: [1, ids.length] },
    });
    const last = [...logits.slice(-shape.at(-1)!)];
    ids.push(last.indexOf(Math.max(...last)));
  }
  // What ends a text is not written before there are five tokens.
  expect([...data].slice(0, 5)).toEqual(ids.slice(0, 5));
  expect(data).toHaveLength(9);
});

test('a quantised model is not trained', async () => {
  const model = (await bert()).quantize({ bits: 8 });
  const key = input('key', [2], 'u32');
  expect(() => model.graph({ key })).toThrow(/14 of its weights in fewer than 32 bits, which cannot be trained/);
});

describe('16 bits', () => {
  test.each(['float16', 'bfloat16'] as const)('%s: kept, saved and loaded as such', async (torch_dtype) => {
    const model = await AutoModelForSequenceClassification.from_pretrained(folder('tiny-bert'), { torch_dtype });
    expect(new Set(Object.values(kinds(model)))).toEqual(new Set([torch_dtype]));
    const saved = fresh();
    await model.save_pretrained(saved);
    expect(JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8'))).toMatchObject({ torch_dtype });
    const bytes = (folder: string) => statSync(join(folder, 'model.safetensors')).size;
    expect(bytes(saved)).toBeLessThan(0.6 * bytes(folder('tiny-bert')));
    const auto = await AutoModelForSequenceClassification.from_pretrained(saved, { torch_dtype: 'auto' });
    expect(auto.packed).toEqual(model.packed);
    // By default the same numbers become 32-bit floats.
    const whole = await AutoModelForSequenceClassification.from_pretrained(saved);
    expect(whole.packed.size).toBe(0);
    const data = await golden('tiny-bert.expected.safetensors');
    const inputs = pick(data, inputNames);
    const wanted = logitsOf(whole, inputs);
    expect(logitsOf(auto, inputs)).toEqual(wanted);
    for (const backend of cpus) {
      const compiled = await auto.compile(backend, { outputs: ['logits'], inputs: inputNames, cache: false });
      expect(difference((await compiled(inputs))['logits']!, wanted)).toBeLessThan(1e-5);
      compiled.close();
    }
  });
});

describe('checkpoints that do not fit', () => {
  test('one that another library quantised', async () => {
    const saved = fresh();
    await (await bert()).save_pretrained(saved);
    const path = join(saved, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...config, quantization_config: { quant_method: 'gptq' } }));
    await expect(AutoModelForSequenceClassification.from_pretrained(saved)).rejects.toThrow(/quantised by "gptq"/);
  });

  test('one whose parts contradict each other', async () => {
    const saved = fresh();
    const model = (await bert()).quantize({ bits: 8 });
    await model.save_pretrained(saved);
    const path = join(saved, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...config, intermediate_size: 5 }));
    await expect(AutoModelForSequenceClassification.from_pretrained(saved)).rejects.toMatchObject({
      code: 'shape-mismatch',
    });
    const file = await readSafetensors(join(saved, 'model.safetensors'));
    expect(file.info('bert.encoder.layer.0.output.dense.weight').dtype).toBe('i8');
    await file.close();
  });
});
