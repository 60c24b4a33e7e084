/** The whole way from graphs, against the evaluator. What every backend must do besides is in `@sinter/conformance`. */
import { build, compile } from '@sinter/compiler';
import type { TensorData } from '@sinter/ir';
import { cast, evaluate, gradients, graph, input, matmul, mean, mul, relu, softmax, state, sub } from '@sinter/ir';
import { afterAll, expect, test } from 'vitest';
import { requestDevice, webgpu } from '../src/index.ts';

/** Numbers between −1 and 1 that look random. */
const noise = (...shape: number[]): TensorData => ({
  shape,
  data: Float32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => ((i * 7919 + 13) % 2003) / 1001.5 - 1,
  ),
});

const x = input('x', ['n', 20], 'f32');
const w = state('w', [20, 7], 'f32');
const forward = graph('forward', { outputs: { y: softmax(relu(matmul(x, w))) } });

const loss = mean(mul(matmul(x, w), matmul(x, w)));
const [gradient] = gradients(loss, [w]);
const train = graph('train', { outputs: { loss }, updates: { w: sub(w, mul(gradient!, 0.1)) } });

const device = await requestDevice();
afterAll(() => {
  device.destroy();
});

function close(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(found[i]! - wanted[i]!)).toBeLessThan(1e-5);
}

test('a program that trains and one that predicts share their weights', async () => {
  const backend = webgpu({ device });
  await using trainer = await compile(train, backend);
  await using predictor = await compile(forward, backend, { state: trainer.state });
  const inputs = { x: noise(16, 20) };
  let weights = noise(20, 7);
  await trainer.state.write('w', weights.data);
  for (let step = 0; step < 5; step++) {
    const expected = evaluate(train, inputs, { w: weights });
    const { loss: found } = await trainer.run(inputs);
    close(found!.data, expected.outputs['loss']!.data);
    weights = expected.updates['w']!;
  }
  close(await predictor.state.read('w'), weights.data);
  for (const n of [1, 33, 5]) {
    const given = { x: noise(n, 20) };
    const { y } = await predictor.run(given);
    expect(y?.shape).toEqual([n, 7]);
    close(y!.data, evaluate(forward, given, { w: weights }).outputs['y']!.data);
  }
});

test('training goes on after the device was lost, from the weights that were last read', async () => {
  const own = await requestDevice();
  await using program = await webgpu({ device: own }).load(await build(train, webgpu()));
  const inputs = { x: noise(16, 20) };
  await program.state.write('w', noise(20, 7).data);
  await program.run(inputs);
  const kept = await program.state.read('w');
  const { loss: before } = await program.run(inputs);
  own.destroy();
  await own.lost;
  await expect(program.run(inputs)).rejects.toThrow('restore()');
  const replacement = await requestDevice();
  await program.restore(replacement);
  expect(await program.state.read('w')).toEqual(kept);
  expect((await program.run(inputs))['loss']).toEqual(before);
  replacement.destroy();
});

test('an artifact that was built for every device is plain data that runs here', async () => {
  const artifact = structuredClone(await build(forward, webgpu()));
  expect(artifact.requires).toEqual({ features: [], limits: {} });
  const code = new TextDecoder().decode(artifact.code['kernels.wgsl']);
  for (const kernel of artifact.kernels) expect(code).toContain(`// ${kernel}: `);
  await using program = await webgpu().load(artifact);
  await program.state.write('w', noise(20, 7).data);
  close(
    (await program.run({ x: noise(3, 20) }))['y']!.data,
    evaluate(forward, { x: noise(3, 20) }, { w: noise(20, 7) }).outputs['y']!.data,
  );
});

test('what is built for a device tells what it takes beyond what all have', async () => {
  const roomy = {
    limits: { ...webgpuLimits, maxStorageBufferBindingSize: 2 ** 30, maxBufferSize: 2 ** 30 },
    features: new Set(['shader-f16', 'subgroups']),
  } as unknown as GPUDevice;
  const backend = webgpu({ device: roomy });
  expect([...backend.target.features].sort()).toEqual(['atomics', 'f16', 'fma', 'subgroups']);
  const half = graph('half', { outputs: { y: cast(input('x', [2 ** 26], 'f32'), 'f16') } });
  const artifact = await build(half, backend);
  expect(artifact.requires).toEqual({
    features: ['shader-f16'],
    limits: { maxStorageBufferBindingSize: 2 ** 28 },
  });
  expect(new TextDecoder().decode(artifact.code['kernels.wgsl'])).toContain('enable f16;');
});

const webgpuLimits = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
};

test('the target is that of every device, or of the one at hand', () => {
  expect(webgpu().target).toMatchObject({ kind: 'gpu', maxBindings: 8, maxWorkgroup: 256, sharedBytes: 16384 });
  expect(webgpu().target.features.has('f16')).toBe(false);
  const { target } = webgpu({ device });
  expect(target.maxBindings).toBe(device.limits.maxStorageBuffersPerShaderStage);
  expect(target.features.has('f16')).toBe(device.features.has('shader-f16'));
});
