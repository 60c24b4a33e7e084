import { build } from '@sinter/compiler';
import { bytesSource, encodeBundle, loadBundle } from '@sinter/compiler/artifact';
import type { Tensor } from '@sinter/ir';
import { evaluate, gradients, graph, input, linear, mean, mul, square, state, sub } from '@sinter/ir';
import { expect, test } from 'vitest';
import { cpu, cpuRuntime } from '../src/index.ts';
import { nativeCompiler } from '../src/native/kernel.test.kit.ts';
import { missingFeature, requiredFeatures } from '../src/runtime/host.ts';

const [x, w] = [input('x', ['batch', 6]), state('w', [4, 6])];
const y = linear(x as Tensor, w);
const loss = mean(square(y));
const forward = graph('forward', { outputs: { y } });
const step = graph('step', { outputs: { loss }, updates: { w: sub(w, mul(gradients(loss, [w])[0]!, 0.5)) } });
const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.cos(i));

test('a bundle that was built here runs on the runtime alone: forward, training, and its stored cases', async () => {
  const backend = cpu({ threads: 2 });
  const inputs = { x: { data: numbers(18), shape: [3, 6] } };
  const initial = { w: { data: numbers(24), shape: [4, 6] } };
  const entries = { forward: await build(forward, backend), train_step: await build(step, backend) };
  const { files } = await encodeBundle({
    name: 'small',
    entries,
    weights: { w: { dtype: 'f32', ...initial.w } },
    check: {
      forward: { inputs, outputs: evaluate(forward, inputs, initial).outputs },
      train_step: { inputs, outputs: evaluate(step, inputs, initial).outputs },
    },
  });
  const bytes: Uint8Array[] = [];
  for await (const chunk of files[0].read()) bytes.push(chunk);

  await using loaded = await loadBundle(bytesSource(new Blob(bytes as BlobPart[])), cpuRuntime({ threads: 2 }), {
    selfCheck: true,
  });
  expect(loaded.manifest.entries['forward']?.requires).toEqual({ features: ['simd128', 'threads'], limits: {} });
  expect(await loaded.state.read('w')).toEqual(initial.w.data);
  const { train_step: train, forward: predict } = loaded.programs;
  const before = (await train!.run(inputs))['loss']!.data[0]!;
  for (let i = 0; i < 5; i++) await train!.run(inputs);
  expect((await train!.run(inputs))['loss']!.data[0]!).toBeLessThan(0.8 * before);
  const after = evaluate(forward, inputs, { w: { data: await loaded.state.read('w'), shape: [4, 6] } });
  const got = await predict!.run(inputs);
  got['y']!.data.forEach((value, i) => expect(value).toBeCloseTo(after.outputs['y']!.data[i]!, 5));
});

test('what artifacts require is there, and what is not is named', () => {
  expect(missingFeature(requiredFeatures)).toBeUndefined();
  expect(missingFeature(['simd128', 'gc'])).toBe("the WebAssembly feature 'gc'");
});

test('a kernel tells what it computes', async () => {
  const artifact = await build(forward, cpu({ threads: 1 }));
  expect(artifact.origins!.flat().join('\n')).toMatch(/contract → f32\[batch, 4\] from .*x/);
  expect(artifact.updates).toEqual([]);
});

test.each(['wasm', 'native'] as const)('what is prepared: kept, counted, not in profiles; %s', async (target) => {
  if (target === 'native' && !nativeCompiler()) return console.log('skipped: there is no C compiler');
  const backend = cpu({ target, threads: 2 });
  const artifact = await build(forward, backend);
  expect(artifact.prepare).toBe(1);
  const inputs = { x: { data: numbers(600), shape: [100, 6] } };
  await using program = await backend.load(artifact);
  // A runtime that knows nothing of it runs all steps, with what would be kept in the arena.
  const { prepare: _, ...unaware } = artifact;
  await using other = await backend.load(unaware);
  for (const weights of [numbers(24), numbers(24).reverse()]) {
    for (const p of [program, other]) await p.state.write('w', weights);
    for (let run = 0; run < 2; run++)
      expect((await program.run(inputs))['y']!.data).toEqual((await other.run(inputs))['y']!.data);
  }
  const [kept, every] = [await program.profile(inputs), await other.profile(inputs)];
  expect(kept.outputs).toEqual(every.outputs);
  expect(kept.steps.map(({ step, kernel }) => ({ step, kernel }))).toEqual(
    every.steps.slice(1).map(({ step, kernel }) => ({ step, kernel })),
  );
  expect(kept.steps.every(({ ms }) => ms > 0)).toBe(true);
  const [own, bare] = [program.memory({ batch: 100 }), other.memory({ batch: 100 })];
  expect(own.state - bare.state).toBe(bare.arena - own.arena);
  expect(own.state).toBeGreaterThan(bare.state);
});
