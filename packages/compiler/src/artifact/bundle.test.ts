import { expect, test } from 'vitest';
import { interpreter } from '../loop/backend.ts';
import { encodeBundle } from './encode.ts';
import { loadBundle } from './load.ts';
import { openBundle, verifyBundle } from './reader.ts';
import { bundleBytes, collectFiles, filesSource, sampleBundle } from './samples.test.kit.ts';
import { bytesSource } from './source.ts';

const backend = interpreter();

test('what is read is what was written', async () => {
  const bundle = await sampleBundle(backend);
  const reader = await openBundle(bytesSource(await bundleBytes(bundle)));
  for (const [name, artifact] of Object.entries(bundle.entries)) expect(await reader.artifact(name)).toEqual(artifact);
  expect(await reader.file('config.json')).toEqual(bundle.files!['config.json']);
  expect((await reader.artifact('forward')).prepare).toBe(1);
  expect(reader.manifest.source).toEqual(bundle.source);
  expect(reader.manifest.entries['forward']?.updates).toEqual([]);
  expect(reader.manifest.entries['train_step']?.updates).toEqual(['w', 'b', 'steps']);
});

test('equal bundles are equal bytes, and encoded files have the length that they say', async () => {
  const encoded = await encodeBundle(await sampleBundle(backend));
  const bytes = await bundleBytes(await sampleBundle(backend));
  expect((await collectFiles(encoded)).get('sample.sinter')).toEqual(bytes);
  expect(encoded.files.map((f) => f.bytes)).toEqual([bytes.length]);
});

test('a bundle is loaded, checked, run; state is as it was stored', async () => {
  const bundle = await sampleBundle(backend);
  const progress: string[] = [];
  await using loaded = await loadBundle(bytesSource(await bundleBytes(bundle)), backend, {
    selfCheck: true,
    onProgress: ({ stage, done, total }) => progress.push(`${stage} ${done === total}`),
  });
  expect(await loaded.state.read('w')).toEqual(bundle.weights!['w']!.data);
  expect(await loaded.state.read('steps')).toEqual(Float32Array.of(0));
  const { inputs, outputs } = bundle.check!['train_step']!;
  const { loss } = await loaded.programs['train_step']!.run(inputs);
  expect(loss!.data[0]).toBeCloseTo(outputs['loss']!.data[0]!, 5);
  expect(await loaded.state.read('steps')).toEqual(Float32Array.of(1));
  expect(new TextDecoder().decode(await loaded.file('config.json'))).toBe('{"hidden_size":4}');
  expect([...new Set(progress.map((p) => p.split(' ')[0]))]).toEqual(['read', 'weights', 'check']);
  expect(progress.at(-1)).toBe('check true');
});

test('weights beside, in shards', async () => {
  const encoded = await encodeBundle(await sampleBundle(backend), { weights: 'beside', maxShardBytes: 50 });
  const files = await collectFiles(encoded);
  expect([...files.keys()]).toEqual([
    'sample.sinter',
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ]);
  await verifyBundle(filesSource(files));
  await using loaded = await loadBundle(filesSource(files), backend, { selfCheck: true });
  expect((await loaded.state.read('b')).length).toBe(3);
});

test('the stored case of an entry point that changes state leaves it as it was', async () => {
  const bundle = await sampleBundle(backend);
  await using loaded = await loadBundle(bytesSource(await bundleBytes(bundle)), backend, { selfCheck: true });
  for (const name of ['w', 'b']) expect(await loaded.state.read(name)).toEqual(bundle.weights![name]!.data);
  expect(await loaded.state.read('steps')).toEqual(Float32Array.of(0));
});

test('one entry point alone brings the state that it uses', async () => {
  const bundle = await sampleBundle(backend);
  await using loaded = await loadBundle(bytesSource(await bundleBytes(bundle)), backend, { entries: ['forward'] });
  expect(Object.keys(loaded.programs)).toEqual(['forward']);
  expect(Object.keys(loaded.state.ports)).toEqual(['w', 'b']);
});

test('without weights, state is written by whoever loads', async () => {
  const { weights, ...rest } = await sampleBundle(backend);
  const bytes = await bundleBytes({ ...rest, check: {} });
  await using loaded = await loadBundle(bytesSource(bytes), backend);
  expect(loaded.manifest.state['w']?.from).toBe('later');
  expect(loaded.manifest.state['steps']?.from).toBe('zeros');
  await loaded.state.write('w', weights!['w']!.data as Float32Array);
  expect(await loaded.state.read('w')).toEqual(weights!['w']!.data);
});

test('what two entry points have in common is stored once', async () => {
  const { manifest } = await openBundle(bytesSource(await bundleBytes(await sampleBundle(backend))));
  const { forward, train_step: step } = manifest.entries;
  expect(Object.values(forward!.constants)).toEqual(Object.values(step!.constants).slice(0, 1));
  expect(manifest.check['forward']!.inputs).toEqual(manifest.check['train_step']!.inputs);
  expect(new Set(manifest.parts.map((p) => `${p.bytes} ${p.sha256.join()}`)).size).toBe(manifest.parts.length);
});
