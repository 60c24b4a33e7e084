import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { difference } from '../goldens.test.kit.ts';
import { AutoModelForCausalLM } from '../registry.ts';
import { readGguf, readGgufConfig } from './gguf.ts';
import { readSafetensors } from './safetensors.ts';
import { openWeights } from './weights.ts';

const folder = mkdtempSync(join(tmpdir(), 'sinter-gguf-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** The bytes of a header, piece by piece: numbers are `u32`, big ones `u64`, texts have their length in front. */
function bytesOf(...parts: readonly (number | bigint | string)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.concat([bytesOf(BigInt(Buffer.byteLength(part))), Buffer.from(part)]);
      const bytes = Buffer.alloc(typeof part === 'bigint' ? 8 : 4);
      if (typeof part === 'bigint') bytes.writeBigUInt64LE(part);
      else bytes.writeUInt32LE(part);
      return bytes;
    }),
  );
}
const magic = Buffer.from('GGUF');
const family = (name: string) => ['general.architecture', 8, name] as const;

function fileOf(...parts: readonly (number | bigint | string)[]): string {
  const path = join(folder, `${count++}.gguf`);
  writeFileSync(path, Buffer.concat([magic, bytesOf(...parts)]));
  return path;
}

describe('without Python', () => {
  test('a file by hand: keys, and a tensor with its sizes the other way round', async () => {
    const header = [3, 1n, 2n, ...family('gpt2'), 'gpt2.block_count', 4, 7, 'token_embd.weight', 2, 3n, 2n, 0] as const;
    const path = fileOf(...header, 0n);
    const head = readFileSync(path);
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    const start = Buffer.alloc(Math.ceil(head.length / 32) * 32);
    head.copy(start);
    writeFileSync(path, Buffer.concat([start, Buffer.from(data.buffer)]));
    const file = await openWeights(path);
    expect(file.names).toEqual(['transformer.wte.weight']);
    expect(await file.read('transformer.wte.weight')).toEqual({ dtype: 'f32', shape: [2, 3], data });
    await file.close();
    expect(await readGgufConfig(path)).toEqual({
      model_type: 'gpt2',
      architectures: ['GPT2LMHeadModel'],
      n_layer: 7,
      vocab_size: 2,
      tie_word_embeddings: true,
    });
  });

  test.each([
    [
      'another file',
      () => (writeFileSync(join(folder, 'x.gguf'), 'no such thing'), join(folder, 'x.gguf')),
      'bad-header',
    ],
    ['another version', () => fileOf(1, 0n, 0n), 'unsupported'],
    ['a header that goes on beyond the file', () => fileOf(3, 0n, 1n, 'general.architecture', 8), 'truncated'],
    ['a text that is longer than the file', () => fileOf(3, 0n, 1n, 1n << 40n), 'truncated'],
    ['a list that is longer than the file', () => fileOf(3, 0n, 1n, 'x', 9, 4, 1n << 40n), 'truncated'],
    ['a size beyond all numbers', () => fileOf(3, (1n << 63n) + 1n, 0n), 'bad-header'],
    ['a type of value that there is not', () => fileOf(3, 0n, 1n, 'x', 99), 'bad-header'],
    ['no architecture', () => fileOf(3, 0n, 0n), 'unsupported'],
    ['an architecture that is not known', () => fileOf(3, 0n, 1n, ...family('mamba')), 'unsupported'],
    ['a type that is not known', () => fileOf(3, 1n, 1n, ...family('gpt2'), 'x', 1, 1n, 19, 0n), 'unsupported'],
    ['half a block', () => fileOf(3, 1n, 1n, ...family('gpt2'), 'x', 1, 16n, 2, 0n), 'bad-tensor'],
    ['data beyond the file', () => fileOf(3, 1n, 1n, ...family('gpt2'), 'x', 1, 16n, 0, 0n), 'truncated'],
    ['no file', () => join(folder, 'none.gguf'), 'missing-file'],
  ])('%s', async (_, make, code) => {
    await expect(readGguf(make())).rejects.toMatchObject({ name: 'CheckpointError', code });
  });
});

const python = findPython(['gguf', 'torch', 'transformers', 'safetensors']);
describe.skipIf(!python)('Python', () => {
  const script = fileURLToPath(new URL('../../../../tools/goldens/gguf_files.py', import.meta.url));
  // Its own folder has files that are named like packages of Python.
  const env = { ...process.env, PYTHONSAFEPATH: '1' };
  beforeAll(() => void execFileSync(python!, [script, folder], { env }), 60_000);

  test('every kind of block stands for the numbers that Python finds in it', async () => {
    const [file, wanted] = [
      await readGguf(join(folder, 'types.gguf')),
      await readSafetensors(join(folder, 'types.safetensors')),
    ];
    expect([...file.names].sort()).toEqual([...wanted.names].sort());
    for (const name of wanted.names) {
      expect(file.info(name).shape, name).toEqual(wanted.info(name).shape);
      // Python rounds scales of parts to f32 before it multiplies by them.
      expect(difference(await file.readF32(name), await wanted.readF32(name)), name).toBeLessThan(2e-7);
    }
    expect(file.names.map((name) => file.info(name).dtype)).toContain('bf16');
    await file.close();
    await wanted.close();
  });

  test.each(['llama', 'qwen2', 'gpt2'])('%s: names, layouts and keys are those of Hugging Face', async (name) => {
    const path = join(folder, `${name}.gguf`);
    const [file, wanted] = [await readGguf(path), await readSafetensors(join(folder, name, 'model.safetensors'))];
    expect([...file.names].sort()).toEqual([...wanted.names].sort());
    for (const tensor of wanted.names) expect(await file.readF32(tensor), tensor).toEqual(await wanted.readF32(tensor));
    await file.close();
    await wanted.close();
    const config = JSON.parse(readFileSync(join(folder, name, 'config.json'), 'utf8')) as Record<string, unknown>;
    const keys = await readGgufConfig(path);
    for (const [key, value] of Object.entries(keys))
      if (typeof value === 'number') expect(value, key).toBeCloseTo((config[key] ?? value) as number, 6);
      else expect(value, key).toEqual(config[key] ?? value);
    expect(keys['model_type']).toBe(name);
    expect(keys['tie_word_embeddings']).toBe(config['tie_word_embeddings'] ?? name === 'gpt2');
    // And the model in it is the model in the folder.
    const alone = mkdtempSync(join(folder, 'alone-'));
    copyFileSync(path, join(alone, 'model.gguf'));
    const wholes = [path, alone].map((from) => AutoModelForCausalLM.from_pretrained(from, { strict: true }));
    const named = AutoModelForCausalLM.from_pretrained(folder, { gguf_file: `${name}.gguf` });
    const { parameters } = await AutoModelForCausalLM.from_pretrained(join(folder, name));
    for (const model of await Promise.all([...wholes, named]))
      expect(new Map([...model.parameters].sort())).toEqual(new Map([...parameters].sort()));
  });
});
