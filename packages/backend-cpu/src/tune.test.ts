/** Tuning on the real backend: shapes, winners that are kept, the budget, and programs that compute the same. */
import { build, compile, makePlan, tune } from '@sinter/compiler';
import type { Cache } from '@sinter/compiler/cache';
import { bytesSource, encodeBundle, openBundle } from '@sinter/compiler/artifact';
import * as ir from '@sinter/ir';
import { expect, test } from 'vitest';
import { cpu } from './index.ts';

const backend = cpu({ threads: 1 });

function feedForward(): ir.Graph {
  const x = ir.input('x', ['batch', 24, 64]);
  const hidden = ir.relu(ir.matmul(x, ir.state('up', [64, 96])));
  return ir.graph('feed forward', { outputs: { y: ir.matmul(hidden, ir.state('down', [96, 64])) } });
}

const shapes = ['contract_le_where f32 1×batch*24×96×64 k·n', 'contract_contract f32 1×batch*24×64×96 k·n'];

function memory(): Cache & { readonly kept: Map<string, Uint8Array> } {
  const kept = new Map<string, Uint8Array>();
  return { kept, read: async (key) => kept.get(key), write: async (key, bytes) => void kept.set(key, bytes) };
}

/** Data of a shape: the same every time, not all alike. */
function numbers(shape: readonly number[]): ir.TensorData {
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float32Array.from({ length: count }, (_, i) => Math.sin(i) / 8) };
}

test('a plan tells its kernel shapes, and without measuring nothing is changed', async () => {
  const {
    shapes: told,
    schedules,
    complete,
  } = await tune(makePlan(feedForward(), backend.target), backend, { measure: false });
  expect(told.map(({ shape, from }) => [shape, from])).toEqual(shapes.map((shape) => [shape, 'skipped']));
  expect(schedules).toEqual({});
  expect(complete).toBe(false);
});

test('where there is no time nothing is measured, and nothing is kept', async () => {
  const cache = memory();
  const tuned = await tune(makePlan(feedForward(), backend.target), backend, { budget: 0 }, cache);
  expect(tuned.shapes.every(({ from }) => from === 'skipped')).toBe(true);
  expect(cache.kept.size).toBe(0);
});

test('winners are measured once, for a machine and for sizes', async () => {
  const cache = memory();
  const planned = makePlan(feedForward(), backend.target);
  const first = await tune(planned, backend, { sizes: { batch: 4 } }, cache);
  expect(first.complete).toBe(true);
  for (const { from, before, after } of first.shapes) {
    expect(from).toBe('measured');
    expect(before).toBeGreaterThan(0);
    expect(after).toBeGreaterThan(0);
  }
  expect(cache.kept.size).toBe(2);

  const second = await tune(planned, backend, { sizes: { batch: 4 } }, cache);
  expect(second.shapes).toEqual(first.shapes.map((shape) => ({ ...shape, from: 'cache' })));
  expect(second.schedules).toEqual(first.schedules);

  const elsewhere = { ...backend, machine: async () => 'another machine' };
  for (const [on, batch] of [
    [elsewhere, 4],
    [backend, 5],
  ] as const) {
    const other = await tune(planned, on, { sizes: { batch }, measure: false }, cache);
    expect(other.shapes.every(({ from }) => from === 'skipped')).toBe(true);
  }
}, 60_000);

test('what is tuned computes the same, and its artifact says how it is cut', async () => {
  const cache = memory();
  const g = feedForward();
  await tune(makePlan(g, backend.target), backend, { budget: 20_000 }, cache);
  // Whatever won here: these are to be found again.
  const schedule = { mr: 2, nr: 8, mb: 24, nb: 32 };
  for (const key of cache.kept.keys())
    cache.kept.set(key, new TextEncoder().encode(JSON.stringify({ schedule, before: 2, after: 1 })));
  const artifact = await build(g, backend, { tune: 'cached', cache });
  expect(artifact.schedules).toEqual(Object.fromEntries(shapes.map((shape) => [shape, schedule])));
  expect(artifact.code).not.toEqual((await build(g, backend)).code);

  const { files } = await encodeBundle({ name: 'tuned', entries: { forward: artifact } });
  const chunks: Uint8Array[] = [];
  for await (const chunk of files[0].read()) chunks.push(chunk);
  const reader = await openBundle(bytesSource(new Uint8Array(Buffer.concat(chunks))));
  expect((await reader.artifact('forward')).schedules).toEqual(artifact.schedules);

  const [up, down, x] = [numbers([64, 96]), numbers([96, 64]), numbers([3, 24, 64])];
  const wanted = ir.evaluate(g, { x }, { up, down }).outputs['y']!.data;
  for (const threads of [1, 2]) {
    await using program = await compile(g, cpu({ threads }), { schedules: artifact.schedules! });
    await program.state.write('up', up.data);
    await program.state.write('down', down.data);
    const { y } = await program.run({ x });
    y!.data.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 4));
  }
}, 60_000);

test('compile tunes, and does not measure what it has measured before', async () => {
  const cache = memory();
  let settled = 0;
  const onShape = (): void => void settled++;
  await using program = await compile(feedForward(), backend, { cache, tune: { onShape } });
  expect(settled).toBe(2);
  const began = performance.now();
  await using again = await compile(feedForward(), backend, { cache, tune: true });
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(again.outputs).toEqual(program.outputs);
  // Two winners, the schedules of the graph as a whole, and the artifact.
  expect([...cache.kept.keys()].map((key) => key.split(' ')[0]).sort()).toEqual([
    'artifact',
    'schedules',
    'tuned',
    'tuned',
  ]);
}, 60_000);
