import { ShapeError } from '@sinter/ir';
import { expect, test } from 'vitest';
import { BackendError } from '../artifact/errors.ts';
import { interpreter } from './backend.ts';
import { samplePlan } from './samples.test.kit.ts';
import { runPlan } from './run.ts';

const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, at) => Math.cos(at));
const x = { data: numbers(16), shape: [2, 8] };

test('a program gives what the plan gives, and keeps state between runs', async () => {
  const backend = interpreter();
  const artifact = await backend.build(samplePlan());
  await using program = await backend.load(structuredClone(artifact));
  await program.state.write('w', numbers(64));
  const out = await program.run({ x });
  const expected = runPlan(samplePlan(), { inputs: { x: x.data }, state: { w: numbers(64) }, sizes: { m: 2, k: 8 } });
  expect(out).toEqual({ y: { data: expected.outputs.y, shape: [2, 8] } });
  const { steps } = await program.profile({ x });
  expect(steps.map((s) => s.kernel)).toEqual(['softmax', 'matmul', 'count']);
  expect(await program.state.read('count')).toEqual(Float32Array.of(2));
  expect(program.memory({ m: 2, k: 8 })).toEqual({ state: 260, arena: 128 });
});

test('programs share state while one of them is open', async () => {
  const backend = interpreter();
  const artifact = await backend.build(samplePlan());
  const a = await backend.load(artifact);
  const b = await backend.load(artifact, { state: a.state });
  await Promise.all([a.run({ x }), b.run({ x }), a.run({ x })]);
  a.close();
  await expect(a.run({ x })).rejects.toThrow(/'sample' is closed/);
  expect(await b.state.read('count')).toEqual(Float32Array.of(3));
  b.close();
  await expect(b.state.read('count')).rejects.toThrow(BackendError);
});

test('inputs that do not fit are errors', async () => {
  const backend = interpreter();
  const program = await backend.load(await backend.build(samplePlan()));
  await expect(program.run({})).rejects.toThrow(ShapeError);
  await expect(program.run({ x: { data: numbers(14), shape: [2, 7] } })).rejects.toThrow(ShapeError);
  await expect(program.run({ x: { data: numbers(136), shape: [17, 8] } })).rejects.toThrow(
    /'m' is 17, but it was built for 1 to 16/,
  );
  await expect(program.run({ x: { data: new Int32Array(16), shape: [2, 8] } })).rejects.toThrow(
    /must be a Float32Array, not Int32Array/,
  );
  await expect(program.state.write('w', numbers(3))).rejects.toThrow(
    /'w' is f32\[8, 8\]: it has 64 elements, the data 3/,
  );
  await expect(backend.load({ ...(await backend.build(samplePlan())), backend: 'other' })).rejects.toThrow(
    BackendError,
  );
});
