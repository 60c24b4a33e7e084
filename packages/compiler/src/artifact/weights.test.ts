import { dataFrom } from '@sinter/ir';
import type { Data, DType } from '@sinter/ir';
import { expect, test } from 'vitest';
import { interpreter } from '../loop/backend.ts';
import * as ir from '@sinter/ir';
import { build } from '../compile.ts';
import type { Bundle, WeightTensor } from './bundle.ts';
import { encodeBundle } from './encode.ts';
import { loadBundle } from './load.ts';
import type { Manifest } from './manifest.ts';
import { encodeHead, pieceBytes, sha256 } from './manifest.ts';
import { openBundle } from './reader.ts';
import { asBytes, asElements } from './elements.ts';
import { encodeTensorHead } from './safetensors.ts';
import { bundleBytes, collect, sampleBundle } from './samples.test.kit.ts';
import type { ByteSource } from './source.ts';
import { bytesSource } from './source.ts';

const backend = interpreter();

/** Vitest's own comparison takes seconds for a million elements. */
const same = (a: Data, b: Data): boolean =>
  a.constructor === b.constructor && Buffer.compare(asBytes(a), asBytes(b)) === 0;

/** A program that only has state: every dtype, some larger than a piece. */
async function stateBundle(
  types: Readonly<Record<string, readonly [DType, number]>>,
  weights: Bundle['weights'],
): Promise<Bundle> {
  const states = Object.entries(types).map(([name, [dtype, length]]) =>
    ir.cast(ir.sum(ir.state(name, [length], dtype)), 'f32'),
  );
  const g = ir.graph('holder', { outputs: { sum: states.reduce((a, b) => ir.add(a, b)) } });
  return { name: 'holder', entries: { main: await build(g, backend) }, weights: weights! };
}

const values = (dtype: DType, length: number): Data =>
  dataFrom(
    dtype,
    Array.from({ length }, (_, i) => (i % 251) - (dtype[0] === 'u' ? 0 : 100)),
  );

test('tensors of every width arrive whole, whatever pieces they lie in', async () => {
  const types = {
    a: ['f32', 1_500_001],
    b: ['i8', 1_000_003],
    c: ['f16', 700_001],
    d: ['i32', 5],
    e: ['u8', 1],
    f: ['f32', 0],
  } as const;
  const weights = Object.fromEntries(
    Object.entries(types).map(([name, [dtype, length]]): [string, WeightTensor] => [
      name,
      { dtype, shape: [length], data: values(dtype, length) },
    ]),
  );
  const bundle = await stateBundle(types, weights);
  const source = bytesSource(await bundleBytes(bundle));
  await using loaded = await loadBundle(source, backend);
  for (const [name, { data }] of Object.entries(weights))
    expect(same(await loaded.state.read(name), data as Data), name).toBe(true);
  for await (const piece of (await openBundle(source)).weights(Object.keys(types))) {
    expect(piece.data.byteLength).toBeLessThanOrEqual(pieceBytes);
    expect(piece.data.length, piece.name).toBeGreaterThan(0);
  }
});

test('weights may come as streams, in chunks of any length', async () => {
  const data = values('f32', 1_200_000);
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    const bytes = asBytes(data);
    for (let at = 0, step = 1; at < bytes.length; at += step, step = step * 3 + 1) yield bytes.subarray(at, at + step);
  };
  const bundle = await stateBundle(
    { a: ['f32', 1_200_000] },
    { a: { dtype: 'f32', shape: [1_200_000], data: stream } },
  );
  const whole = await stateBundle({ a: ['f32', 1_200_000] }, { a: { dtype: 'f32', shape: [1_200_000], data } });
  expect(same(await bundleBytes(bundle), await bundleBytes(whole))).toBe(true);
  const short = { a: { dtype: 'f32' as const, shape: [1_200_001], data: stream } };
  await expect(encodeBundle(await stateBundle({ a: ['f32', 1_200_001] }, short))).rejects.toThrow(
    /f32\[1200001\], 4800004 bytes, but their data gave 4800000/,
  );
});

test.each([
  ['f16', 'f32'],
  ['bf16', 'f32'],
] as const)('weights in %s become state in %s', async (from, to) => {
  const numbers = [0, -0, 1, -1.5, 65504, 1e-7, Infinity, 3.14159];
  const stored = dataFrom(from, numbers);
  const read = ir.decoder(from);
  const bundle = await stateBundle({ a: [to, 8] }, { a: { dtype: from, shape: [8], data: stored } });
  await using loaded = await loadBundle(bytesSource(await bundleBytes(bundle)), backend);
  expect(await loaded.state.read('a')).toEqual(dataFrom(to, Array.from(stored, read)));
});

test('of weights that are not wanted nothing is read', async () => {
  const types = { a: ['f32', 3_000_000], b: ['f32', 3_000_000], c: ['f32', 3] } as const;
  const weights = Object.fromEntries(
    Object.entries(types).map(([name, [dtype, length]]): [string, WeightTensor] => [
      name,
      { dtype, shape: [length], data: values(dtype, length) },
    ]),
  );
  const bytes = await bundleBytes(await stateBundle(types, weights));
  let read = 0;
  const inner = bytesSource(bytes);
  const source: ByteSource = {
    ...inner,
    async *read(offset, length) {
      for await (const chunk of inner.read(offset, length)) {
        read += chunk.length;
        yield chunk;
      }
    },
  };
  const reader = await openBundle(source);
  read = 0;
  const names: string[] = [];
  for await (const { name, at, data } of reader.weights(['c'])) {
    names.push(`${name} ${at} ${data.length}`);
    expect(data).toEqual(weights['c']!.data);
  }
  expect(names).toEqual(['c 0 3']);
  expect(read).toBeLessThan(pieceBytes + 600);
});

test('weights beyond 4 GiB: positions are right, and memory holds one piece at a time', async () => {
  const count = 1_200_000_000;
  const head = encodeTensorHead([
    ['large', { dtype: 'f32', shape: [count] }],
    ['small', { dtype: 'f32', shape: [2] }],
  ]);
  const last = Float32Array.of(0.25, -8);
  const bytes = head.length + 4 * count + 8;
  /** Zeros between the head and the last tensor, made when they are read. */
  const weights: ByteSource = {
    name: 'large.safetensors',
    size: async () => bytes,
    async *read(offset, length) {
      for (let at = offset; at < Math.min(offset + length, bytes); at += 1 << 20) {
        const out = new Uint8Array(Math.min(1 << 20, offset + length - at, bytes - at));
        out.set(head.subarray(at, at + out.length));
        if (at + out.length > bytes - 8) out.set(asBytes(last), bytes - 8 - at);
        yield out;
      }
    },
  };
  const pieces = Math.ceil(bytes / pieceBytes);
  const hash = async (i: number): Promise<string> => sha256(await collect(weights.read(i * pieceBytes, pieceBytes)));
  const zeros = await hash(1);
  const hashes = Array.from({ length: pieces }, () => zeros);
  for (const i of [0, pieces - 1]) hashes[i] = await hash(i);
  const manifest: Manifest = {
    contract: 1,
    name: 'large',
    producer: 'test',
    backend: 'interpreter',
    entries: {},
    state: {
      large: { dtype: 'f32', shape: [count], from: { part: 0, at: head.length, dtype: 'f32' } },
      small: { dtype: 'f32', shape: [2], from: { part: 0, at: bytes - 8, dtype: 'f32' } },
    },
    weights: [0],
    files: {},
    check: {},
    parts: [{ file: 'large.safetensors', offset: 0, bytes, sha256: hashes }],
  };
  const reader = await openBundle(bytesSource(await encodeHead(manifest), { beside: () => weights }));
  const got: unknown[] = [];
  for await (const piece of reader.weights(['small'])) got.push(piece);
  expect(got).toEqual([{ name: 'small', at: 0, data: last }]);
  let at = 0;
  for await (const piece of reader.weights(['large'])) {
    expect(piece.at).toBe(at);
    at += piece.data.length;
    if (at > 3_000_000) break;
  }
});

test('a head is what Python writes and reads, with data at a multiple of 256', () => {
  const head = encodeTensorHead([
    ['b', { dtype: 'f32', shape: [2, 3] }],
    ['7', { dtype: 'bool', shape: [] }],
  ]);
  expect(head.length % 256).toBe(0);
  expect(new TextDecoder().decode(head.subarray(8)).trimEnd()).toBe(
    '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"7":{"dtype":"BOOL","shape":[],"data_offsets":[24,25]}}',
  );
});

test('elements that lie unaligned are copied', () => {
  const bytes = new Uint8Array(9);
  new DataView(bytes.buffer).setFloat32(1, 2.5, true);
  expect(asElements('f32', bytes.subarray(1))).toEqual(Float32Array.of(2.5, 0));
});

test('state can be written in pieces', async () => {
  const bundle = await sampleBundle(backend);
  await using program = await backend.load(bundle.entries['forward']!);
  await program.state.write('w', Float32Array.of(1, 2, 3), 0);
  await program.state.write('w', Float32Array.of(9), 11);
  expect(await program.state.read('w')).toEqual(Float32Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 9));
  const state = program.state;
  await expect(state.write('w', Float32Array.of(1, 2), 11)).rejects.toThrow(
    "state 'w' is f32[3, 4]: it has 12 elements, which 2 from element 11 on do not fit into",
  );
  await expect(state.write('w', Float32Array.of(1, 2))).rejects.toThrow('it has 12 elements, the data 2');
  await expect(state.write('w', Float32Array.of(1), -1)).rejects.toThrow('from element -1 on');
});
