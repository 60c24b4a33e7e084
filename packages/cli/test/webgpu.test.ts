/** Artifacts for WebGPU are made without a GPU, and run where there is an adapter: in Node a software one will do. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuRuntime } from '@sinter/backend-cpu/runtime';
import { loadBundle } from '@sinter/compiler/artifact';
import { graph, input, matmul, printGraph, softmax, state } from '@sinter/ir';
import { writeSafetensors } from '@sinter/models';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adapters } from '../src/backends.ts';
import { openSource } from '../src/files.ts';
import { node, sinter } from './command.ts';

const found = (await adapters()) ?? [];
if (found.length === 0)
  console.warn('skipped: there is no WebGPU adapter (npm packages webgpu, koffi, @sparticuz/chromium)');

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sinter-webgpu-'));
  const scores = softmax(matmul(input('x', ['batch', 2]), state('w', [2, 3])));
  await writeFile(join(root, 'scores.graph'), printGraph(graph('scores', { outputs: { y: scores } })));
  const w = { dtype: 'f32', shape: [2, 3], data: Float32Array.of(0, Math.log(2), Math.log(5), 0, 0, 0) } as const;
  await writeSafetensors(join(root, 'w.safetensors'), { w });
  const args = ['--state', join(root, 'w.safetensors'), '--target', 'webgpu', '--standalone', '-o', root];
  const { code, err } = await sinter('compile', join(root, 'scores.graph'), ...args);
  expect({ code, err }).toEqual({ code: 0, err: '' });
}, 120_000);
afterAll(() => rm(root, { recursive: true, force: true }));

test('it says what it is for, and another backend refuses it', async () => {
  const { out } = await sinter('inspect', join(root, 'scores.sinter'));
  expect(out).toMatch(/^scores, for webgpu: /);
  expect(out).toMatch(/in +x +f32\[batch, 2\]/);
  await expect(loadBundle(openSource(join(root, 'scores.sinter')), cpuRuntime())).rejects.toThrow(
    "'scores' was built for the backend 'webgpu', not for 'cpu'",
  );
});

test.skipIf(found.length === 0)('it runs, and gives what the CPU gave when it was compiled', async () => {
  const { name } = found[0]!;
  const args = ['--input', 'x=[[1,0]]', '--self-check', '--device', name.slice(0, 6).toLowerCase()];
  const { code, out, err } = await sinter('run', join(root, 'scores.sinter'), ...args);
  expect({ code, out }).toEqual({ code: 0, out: 'y: f32[1, 3]\n  0.125, 0.25, 0.625\n' });
  expect(err).toContain('self-check passed');
  const other = await sinter('run', join(root, 'scores.sinter'), '--input', 'x=[[1,0]]', '--device', 'no such thing');
  expect(other.code).toBe(1);
  expect(other.err).toContain(`there is no adapter 'no such thing'; there are: '${name}'`);
});

test.skipIf(found.length === 0)('the standalone module runs in Node with the package webgpu', async () => {
  await symlink(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(root, 'node_modules'));
  const program = `import { load } from './scores.mjs';
const model = await load({ selfCheck: true });
console.log(...Array.from((await model.scores({ x: { shape: [1, 2], data: Float32Array.of(1, 0) } })).y.data, (x) => x.toFixed(5)));
model.close();
`;
  await writeFile(join(root, 'program.mjs'), program);
  const { code, out } = await node(root, 'program.mjs');
  expect({ code, out }).toEqual({ code: 0, out: '0.12500 0.25000 0.62500\n' });
});
