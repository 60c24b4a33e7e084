/** The whole way from graphs, against the evaluator. What every backend must do besides is in `@sinter/conformance`. */
import { build, compile } from '@sinter/compiler';
import { BackendError } from '@sinter/compiler/artifact';
import type { Graph, TensorData } from '@sinter/ir';
import { add, evaluate, gradients, graph, input, matmul, mean, mul, relu, softmax, state, sub } from '@sinter/ir';
import { expect, test } from 'vitest';
import { cpu } from '../src/index.ts';

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

function close(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(found[i]! - wanted[i]!)).toBeLessThan(1e-5);
}

test.each([
  { threads: 1, fma: 'auto' },
  { threads: 1, fma: false },
  { threads: 2, fma: 'auto' },
  { threads: 5, fma: false },
] as const)('a graph of run-time sizes agrees with the evaluator: $threads threads, fma $fma', async (options) => {
  const program = await compile(forward, cpu(options));
  const weights = noise(20, 7);
  await program.state.write('w', weights.data);
  for (const n of [1, 2, 33, 5]) {
    const inputs = { x: noise(n, 20) };
    const { y } = await program.run(inputs);
    expect(y?.shape).toEqual([n, 7]);
    close(y!.data, evaluate(forward, inputs, { w: weights }).outputs['y']!.data);
  }
  await program[Symbol.asyncDispose]();
});

test('a program that trains and one that predicts share their weights', async () => {
  const backend = cpu({ threads: 2 });
  const trainer = await compile(train, backend);
  const predictor = await compile(forward, backend, { state: trainer.state });
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
  close((await predictor.run(inputs))['y']!.data, evaluate(forward, inputs, { w: weights }).outputs['y']!.data);
  await trainer[Symbol.asyncDispose]();
  await predictor[Symbol.asyncDispose]();
});

test('an artifact is loaded without its plan, by a backend with other settings', async () => {
  const artifact = await build(addOne(), cpu({ threads: 1, fma: false }));
  const program = await cpu({ threads: 3 }).load(structuredClone(artifact));
  expect((await program.run({ x: noise(4) }))['y']?.data).toEqual(noise(4).data.map((value) => value + 1));
  await program[Symbol.asyncDispose]();
});

function addOne(): Graph {
  const one = input('x', ['n'], 'f32');
  return graph('add_one', { outputs: { y: add(one, 1) } });
}

test('options that make no sense are refused', () => {
  expect(() => cpu({ threads: 0 })).toThrow(BackendError);
  expect(() => cpu({ threads: 1.5 })).toThrow('threads is 1.5');
});

test('the target tells the scheduler about threads and fused multiply-add', () => {
  expect(cpu({ threads: 3, fma: false }).target).toMatchObject({ kind: 'cpu', threads: 3 });
  expect(cpu({ fma: false }).target.features.has('fma')).toBe(false);
  expect(cpu({ fma: true }).target.features.has('fma')).toBe(true);
});
