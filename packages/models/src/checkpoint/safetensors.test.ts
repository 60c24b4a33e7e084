import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { findPython } from '../../../../tools/python.ts';
import { CheckpointError } from './errors.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import type { TensorToWrite } from './safetensors.ts';
import { storedTypes } from './stored-tensor.ts';
import type { StoredTensor, StoredDtype } from './stored-tensor.ts';
import { openWeights } from './weights.ts';

const folder = mkdtempSync(join(tmpdir(), 'sinter-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(folder, `${count++}.safetensors`);

/** One tensor of every dtype, with names that need care in JSON and in sorting. */
const samples: Record<string, StoredTensor> = {
  b: { dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, -2.5, 3e-9, NaN, Infinity, -0) },
  a: { dtype: 'f16', shape: [3], data: Uint16Array.of(0x3c00, 0xfc00, 0x0001) },
  'a.bf': { dtype: 'bf16', shape: [1, 2], data: Uint16Array.of(0x3f80, 0xc040) },
  scalar: { dtype: 'i64', shape: [], data: BigInt64Array.of(-7n) },
  'é"\\\n\u0001/': { dtype: 'f32', shape: [0], data: new Float32Array(0) },
  '\uffee': { dtype: 'f32', shape: [1], data: Float32Array.of(1) },
  '😀': { dtype: 'f32', shape: [1], data: Float32Array.of(2) },
  '10': { dtype: 'f32', shape: [1], data: Float32Array.of(3) },
  '9': { dtype: 'f32', shape: [1], data: Float32Array.of(4) },
  u64: { dtype: 'u64', shape: [1], data: BigUint64Array.of(1n << 63n) },
  f64: { dtype: 'f64', shape: [2], data: Float64Array.of(0.1, 2) },
  u32: { dtype: 'u32', shape: [2], data: Uint32Array.of(1, 0xffffffff) },
  i32: { dtype: 'i32', shape: [2], data: Int32Array.of(1, -1) },
  u16: { dtype: 'u16', shape: [1], data: Uint16Array.of(65535) },
  i16: { dtype: 'i16', shape: [1], data: Int16Array.of(-2) },
  i8: { dtype: 'i8', shape: [1], data: Int8Array.of(-3) },
  u8: { dtype: 'u8', shape: [3], data: Uint8Array.of(1, 2, 255) },
  mask: { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
};

/** A file with this header, however wrong, and so many bytes of data. */
function fileOf(header: unknown, dataBytes: number, length?: number): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(length ?? json.length));
  const path = fresh();
  writeFileSync(path, Buffer.concat([start, json, Buffer.alloc(dataBytes)]));
  return path;
}

describe('reading what was written', () => {
  test('every dtype comes back as it was, and the header is aligned', async () => {
    const path = fresh();
    await writeSafetensors(path, samples, { format: 'pt', note: 'x' });
    expect(Number(readFileSync(path).readBigUInt64LE()) % 8).toBe(0);
    const file = await readSafetensors(path);
    expect(file.metadata).toEqual({ format: 'pt', note: 'x' });
    expect([...file.names].sort()).toEqual(Object.keys(samples).sort());
    for (const [name, tensor] of Object.entries(samples)) {
      expect(file.has(name)).toBe(true);
      expect(file.info(name)).toEqual({ dtype: tensor.dtype, shape: tensor.shape });
      expect(await file.read(name)).toEqual(tensor);
    }
    await file.close();
    await file.close();
  });

  test('any set of tensors', async () => {
    const dtype = fc.constantFrom(...(Object.keys(storedTypes) as StoredDtype[]));
    const tensor = fc
      .record({ dtype, shape: fc.array(fc.nat(4), { maxLength: 3 }), seed: fc.nat() })
      .map(({ dtype, shape, seed }) => {
        const { array, bytes } = storedTypes[dtype];
        const raw = Uint8Array.from({ length: shape.reduce((a, b) => a * b, bytes) }, (_, i) => (seed >> (i % 24)) & 1);
        return { dtype, shape, data: new array(raw.buffer) } as StoredTensor;
      });
    const name = fc.string({ unit: 'grapheme' }).filter((s) => s !== '__metadata__');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, tensor), { maxLength: 6 }), async (entries) => {
        const tensors = Object.fromEntries(entries);
        const path = fresh();
        await writeSafetensors(path, tensors);
        const file = await readSafetensors(path);
        expect(file.names.length).toBe(Object.keys(tensors).length);
        for (const name of file.names) expect(await file.read(name)).toEqual(tensors[name]);
        await file.close();
      }),
      { numRuns: 50 },
    );
  });

  test('data can be made when its turn comes, one tensor at a time, also in shared memory', async () => {
    const path = fresh();
    let alive = 0;
    const tensor = (value: number): TensorToWrite => ({
      dtype: 'f32',
      shape: [1000],
      data: async () => {
        alive++;
        const data = new Float32Array(new SharedArrayBuffer(4000)).fill(value);
        return data;
      },
    });
    await writeSafetensors(path, { x: tensor(1), y: tensor(2) });
    expect(alive).toBe(2);
    const file = await readSafetensors(path);
    expect((await file.readF32('y')).data.every((v) => v === 2)).toBe(true);
    await file.close();
  });

  test('a failed write leaves the old file and nothing else', async () => {
    const own = mkdtempSync(join(folder, 'own-'));
    const path = join(own, 'model.safetensors');
    await writeSafetensors(path, { x: samples['b']! });
    const before = readFileSync(path);
    const failing: TensorToWrite = { dtype: 'f32', shape: [1], data: () => Promise.reject(new Error('no more power')) };
    await expect(writeSafetensors(path, { ...samples, x: failing })).rejects.toThrow('no more power');
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(own)).toEqual(['model.safetensors']);
  });
});

describe('conversions', () => {
  test('halves become floats exactly', async () => {
    const path = fresh();
    const all = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
    await writeSafetensors(path, {
      f16: { dtype: 'f16', shape: [0x10000], data: all },
      bf16: { dtype: 'bf16', shape: [0x10000], data: all },
      f64: samples['f64']!,
      f32: samples['b']!,
    });
    const file = await readSafetensors(path);
    const f16 = (await file.readF32('f16')).data;
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00].map((i) => f16[i])).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      -0,
      Infinity,
    ]);
    expect(f16[0x7e00]).toBeNaN();
    const bf16 = (await file.readF32('bf16')).data;
    expect([0x3f80, 0xc040, 0x0001, 0xff80].map((i) => bf16[i])).toEqual([1, -3, 2 ** -133, -Infinity]);
    expect((await file.readF32('f64')).data).toEqual(Float32Array.of(0.1, 2));
    expect(await file.readF32('f32')).toEqual(samples['b']);
    await file.close();
  });

  test('integers become i32 where they fit', async () => {
    const path = fresh();
    await writeSafetensors(path, {
      ...samples,
      big: { dtype: 'i64', shape: [2], data: BigInt64Array.of(1n, 1n << 31n) },
    });
    const file = await readSafetensors(path);
    expect(await file.readI32('scalar')).toEqual({ dtype: 'i32', shape: [], data: Int32Array.of(-7) });
    expect((await file.readI32('mask')).data).toEqual(Int32Array.of(1, 0));
    await expect(file.readI32('big')).rejects.toThrow(/holds 2147483648 at index 1.*tensor "big"/);
    await expect(file.readI32('u32')).rejects.toThrow(/4294967295/);
    await expect(file.readI32('b')).rejects.toThrow(/it is f32\[2, 3\].*readF32/);
    await expect(file.readF32('scalar')).rejects.toThrow(/it is i64\[\].*readI32/);
    await file.close();
  });
});

describe('bad files', () => {
  const entry = (begin: number, end: number, more: object = {}) => ({
    dtype: 'F32',
    shape: [(end - begin) / 4],
    data_offsets: [begin, end],
    ...more,
  });
  const cases: [string, () => string, string, RegExp][] = [
    [
      'empty',
      () => (writeFileSync(join(folder, 'empty'), ''), join(folder, 'empty')),
      'truncated',
      /0 bytes, fewer than the 8/,
    ],
    ['header longer than the file', () => fileOf('{}', 0, 3), 'truncated', /length is given as 3 bytes, but 2 follow/],
    ['absurd length', () => fileOf('{}', 0, 2 ** 50), 'bad-header', /1125899906842624/],
    ['not JSON', () => fileOf('{"a":', 8), 'bad-header', /not JSON/],
    ['not UTF-8', () => fileOf('{"', 8, 3), 'bad-header', /not JSON/],
    ['not an object', () => fileOf('[]', 0), 'bad-header', /not an object/],
    ['metadata not strings', () => fileOf({ __metadata__: { a: 1 } }, 0), 'bad-header', /object of strings/],
    [
      'unknown dtype',
      () => fileOf({ x: entry(0, 4, { dtype: 'F7' }) }, 4),
      'bad-header',
      /unknown dtype "F7".*tensor "x"/,
    ],
    ['shape with a negative size', () => fileOf({ x: entry(0, 4, { shape: [-1] }) }, 4), 'bad-header', /shape \[-1\]/],
    [
      'shape beyond all numbers',
      () => fileOf({ x: entry(0, 4, { shape: [2 ** 50, 2 ** 50] }) }, 4),
      'bad-tensor',
      /bytes/,
    ],
    [
      'offsets are no pair',
      () => fileOf({ x: entry(0, 4, { data_offsets: [0] }) }, 4),
      'bad-header',
      /data_offsets \[0\]/,
    ],
    [
      'offsets backwards',
      () => fileOf({ x: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4),
      'bad-header',
      /ends at 0, before its start 4/,
    ],
    [
      'data beyond the file',
      () => fileOf({ x: entry(0, 8) }, 4),
      'truncated',
      /lies at 0–8, but only 4 bytes.*tensor "x"/,
    ],
    [
      'bytes and shape disagree',
      () => fileOf({ x: entry(0, 8, { shape: [3] }) }, 8),
      'bad-tensor',
      /f32\[3\] takes 12 bytes, but 8/,
    ],
    [
      'overlap',
      () => fileOf({ x: entry(0, 8), y: entry(4, 12) }, 12),
      'bad-header',
      /overlaps tensor "x" by 4 bytes.*tensor "y"/,
    ],
    [
      'hole',
      () => fileOf({ x: entry(0, 4), y: entry(8, 12) }, 12),
      'bad-header',
      /hole of 4 bytes lies after tensor "x"/,
    ],
    ['bytes left over', () => fileOf({ x: entry(0, 4) }, 6), 'bad-header', /2 bytes follow that belong to no tensor/],
    [
      'a name twice',
      () => fileOf(`{"x":${JSON.stringify(entry(0, 4))},"\\u0078":${JSON.stringify(entry(0, 4))}}`, 4),
      'bad-header',
      /"x" stands there twice/,
    ],
    ['missing', () => join(folder, 'none.safetensors'), 'missing-file', /ENOENT/],
  ];
  test.each(cases)('%s', async (_, make, code, message) => {
    const path = make();
    const error = await readSafetensors(path).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error).toMatchObject({ code, where: path });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(path);
  });

  test('a file that is cut after it was opened', async () => {
    const path = fresh();
    await writeSafetensors(path, { x: samples['b']! });
    const file = await readSafetensors(path);
    truncateSync(path, readFileSync(path).length - 4);
    await expect(file.read('x')).rejects.toMatchObject({ code: 'truncated', tensor: 'x' });
    await file.close();
  });

  test('an unknown name is answered with what it may have been meant as', async () => {
    const path = fresh();
    await writeSafetensors(path, { 'embeddings.word_embeddings.weight': samples['b']!, other: samples['a']! });
    const file = await readSafetensors(path);
    await expect(file.read('bert.embeddings.word_embeddings.weight')).rejects.toThrow(
      /Did you mean "embeddings.word_embeddings.weight"\?/,
    );
    expect(() => file.info('zzz')).toThrow(/none of the 2 tensors.*another model/);
    await file.close();
  });

  test('data that is not what dtype and shape say is not written', async () => {
    const path = fresh();
    await expect(
      writeSafetensors(path, { x: { dtype: 'f32', shape: [3], data: new Float32Array(2) } }),
    ).rejects.toThrow(/to write f32\[3\], a Float32Array of 3: the data is a Float32Array of 2.*tensor "x"/);
    const wrong = { dtype: 'f32', shape: [2], data: new Int32Array(2) } as unknown as StoredTensor;
    await expect(writeSafetensors(path, { x: wrong })).rejects.toThrow(/Int32Array of 2/);
    await expect(writeSafetensors(path, { __metadata__: samples['b']! })).rejects.toMatchObject({ code: 'bad-tensor' });
  });
});

describe('weights in several files', () => {
  const split = async (index: (files: { x: string; y: string }) => unknown) => {
    const own = mkdtempSync(join(folder, 'split-'));
    const [x, y] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    await writeSafetensors(join(own, x), { x: samples['b']! });
    await writeSafetensors(join(own, y), { y: samples['f64']! });
    writeFileSync(join(own, 'model.safetensors.index.json'), JSON.stringify(index({ x, y })));
    return own;
  };

  test('are read as one', async () => {
    const weights = await openWeights(
      await split(({ x, y }) => ({ metadata: { total_size: 40 }, weight_map: { x, y } })),
    );
    expect(weights.names).toEqual(['x', 'y']);
    expect(weights.metadata).toEqual({ format: 'pt' });
    expect(await weights.read('x')).toEqual(samples['b']);
    expect((await weights.readF32('y')).dtype).toBe('f32');
    await expect(weights.read('z')).rejects.toMatchObject({ code: 'unknown-tensor' });
    await weights.close();
  });

  test.each([
    ['an index that lies', ({ y }: { y: string }) => ({ weight_map: { x: y, y } }), 'unknown-tensor'],
    [
      'a file that is not there',
      ({ x }: { x: string }) => ({ weight_map: { x, y: 'none.safetensors' } }),
      'missing-file',
    ],
    ['a path that leads out', () => ({ weight_map: { x: '../x.safetensors' } }), 'bad-header'],
    ['no map', () => ({}), 'bad-header'],
  ])('%s', async (_, index, code) => {
    await expect(openWeights(await split(index))).rejects.toMatchObject({ code });
  });
});

const python = findPython(['safetensors.numpy', 'numpy']);
describe.skipIf(!python)('Python', () => {
  test('writes the same bytes, and reads ours', async () => {
    const ours = fresh();
    const theirs = fresh();
    const { 'a.bf': _, ...known } = samples; // numpy has no bfloat16
    await writeSafetensors(ours, known);
    const script = `
import sys
from safetensors.numpy import load_file, save_file
tensors = load_file(sys.argv[1])
save_file(dict(sorted(tensors.items(), reverse=True)), sys.argv[2], metadata={'format': 'pt'})
print(len(tensors), tensors['f64'][0], tensors['scalar'])`;
    const said = execFileSync(python!, ['-c', script, ours, theirs], { encoding: 'utf8' });
    expect(said.trim()).toBe(`${Object.keys(known).length} 0.1 -7`);
    expect(readFileSync(ours).equals(readFileSync(theirs))).toBe(true);
  });
});
