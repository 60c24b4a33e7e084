import { Worker } from 'node:worker_threads';
import { load, loop, store } from '@sinter/compiler';
import { constantExpr as c, dataFrom, e, variable } from '@sinter/ir';
import { expect, test } from 'vitest';
import { headerLayout } from '../runtime/layout.ts';
import { kernelOver, place } from './kernel.test.kit.ts';

const threadSource = `
  const { workerData: { module, memory, base, scratch, thread, threads, rounds }, parentPort } = require('node:worker_threads');
  const word = (value) => new WebAssembly.Global({ value: 'i32' }, value);
  const { exports } = new WebAssembly.Instance(module, { env: { memory, base: word(base), scratch: word(scratch), now: () => performance.now() } });
  for (let i = 0; i < rounds; i++) exports.run(thread, threads);
  parentPort.postMessage('done');
`;

test.each([2, 3])('%i threads share the iterations of grid loops and wait for each other', async (threads) => {
  const n = 997;
  const steps = 40;
  const x = variable('i');
  const buffers = {
    x: {
      dtype: 'i32' as const,
      data: dataFrom(
        'i32',
        Array.from({ length: n }, (_, i) => i),
      ),
    },
    y: { dtype: 'i32' as const, data: dataFrom('i32', Array(n).fill(0)) },
  };
  const dtypes = { x: 'i32', y: 'i32' } as const;
  // Every step reads what other threads have written in the step before.
  const mirrored = (from: string, to: string) =>
    kernelOver(
      dtypes,
      ['n'],
      [
        loop('grid', 'i', variable('n'), (i) => [
          store(to, i, e.add(load(from, e.sub(e.sub(variable('n'), c(1)), x), 'i32'), c(1))),
        ]),
      ],
    );
  const alone = kernelOver(dtypes, ['n'], [store('x', c(0), e.add(load('x', c(0), 'i32'), c(1000)))]);
  const kernels = Array.from({ length: steps }, (_, i) =>
    i % 5 === 4 ? alone : i % 2 === 0 ? mirrored('x', 'y') : mirrored('y', 'x'),
  );
  const instance = place(kernels, buffers, { n }, false, threads);

  const [a, b] = [[...buffers.x.data], [...buffers.y.data]];
  kernels.forEach((k, i) => {
    if (k === alone) a[0]! += 1000;
    else {
      const [from, to] = i % 2 === 0 ? [a, b] : [b, a];
      for (let j = 0; j < n; j++) to[j] = from[n - 1 - j]! + 1;
    }
  });

  const layout = headerLayout({ steps, dims: 1, buffers: 2 });
  const words = new Int32Array(instance.memory.buffer, instance.base);
  words[layout.profile / 4] = 1;
  const { module, memory, base, scratch } = instance;
  await Promise.all(
    Array.from(
      { length: threads },
      (_, thread) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(threadSource, {
            eval: true,
            workerData: { module, memory, base, scratch: scratch[thread], thread, threads, rounds: 1 },
          });
          worker.on('message', resolve).on('error', reject);
        }),
    ),
  );
  instance.checkGuards();
  expect([...instance.read()['x']!]).toEqual(a);
  expect([...instance.read()['y']!]).toEqual(b);
  expect(words[layout.arrived / 4]).toBe(0);
  expect(words[layout.generation / 4]).toBe(steps);
  const times = [...new Float64Array(instance.memory.buffer, instance.base + layout.times, steps + 1)];
  expect(times.every((t, i) => t > 0 && (i === 0 || t >= times[i - 1]!))).toBe(true);
});
