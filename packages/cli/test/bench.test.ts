/** `sinter bench` as users run it: the binary as a process, on a graph file and on what was made of it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { build } from '@sinter/compiler';
import { encodeBundle } from '@sinter/compiler/artifact';
import { graph, input, matmul, printGraph, softmax, state } from '@sinter/ir';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Benched } from '../src/bench/bench-model.ts';
import { sinter } from './command.ts';

let root: string;
let file: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sinter-bench-'));
  file = join(root, 'scores.graph');
  const scores = softmax(matmul(input('x', ['batch', 96]), state('w', [96, 64])));
  await writeFile(file, printGraph(graph('scores', { outputs: { y: scores } })));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const quick = ['--sizes', 'batch=48', '--rounds', '3', '--threads', '1'];

test('times the entry points of a graph, and its kernels', async () => {
  const { code, out, err } = await sinter('bench', file, ...quick, '--profile');
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toMatch(/^Entry points\n/);
  expect(out).toMatch(/scores +batch=48 +\d+\.\d+ +\d+\.\d+/);
  expect(out).toMatch(/Kernels of scores\n.*kernel +calls +ms +share/);
  expect(out).toMatch(/contract\w* +1 +\d+\.\d+ +\d+\.\d %/);
}, 120_000);

test('tunes, and tells what came of each kernel shape', async () => {
  const { code, out, err } = await sinter('bench', file, ...quick, '--tune', '--budget', '20', '--json');
  expect(err).toBe('');
  expect(code).toBe(0);
  const { entries, tuned } = JSON.parse(out) as Benched;
  expect(entries['scores']!.ms).toBeGreaterThan(0);
  const [shape] = tuned!['scores']!;
  expect(shape!.shape).toBe('contract_contract f32 1×batch×64×96 k·n');
  expect(['measured', 'cache']).toContain(shape!.from);
  expect(shape!.after).toBeLessThanOrEqual(shape!.before!);
}, 120_000);

test('times a .sinter file, and refuses to tune it', async () => {
  expect((await sinter('compile', file, '-o', root)).code).toBe(0);
  const artifact = join(root, 'scores.sinter');
  const { code, out } = await sinter('bench', artifact, ...quick);
  expect(code).toBe(0);
  expect(out).toMatch(/scores +batch=48/);
  const refused = await sinter('bench', artifact, '--tune');
  expect(refused.code).toBe(2);
  expect(refused.err).toContain('is built already; tune the model that it was made from');
}, 120_000);

test('inspect tells how kernels of a file were tuned', async () => {
  const scores = softmax(matmul(input('x', ['batch', 96]), state('w', [96, 64])));
  const shape = 'contract_contract f32 1×batch×64×96 k·n';
  const forward = await build(graph('scores', { outputs: { y: scores } }), cpu({ threads: 1 }), {
    schedules: { [shape]: { mr: 2, nr: 8 }, 'a shape of another graph': { mr: 4 } },
  });
  const { files } = await encodeBundle({ name: 'tuned', entries: { forward } });
  const path = join(root, files[0].name);
  await writeFile(path, files[0].read());
  const { code, out } = await sinter('inspect', path);
  expect(code).toBe(0);
  expect(out).toMatch(
    /Tuned kernels of forward\n.*kernel shape +schedule\n.*\n +contract_contract f32 1×batch×64×96 k·n +mr=2 nr=8\n/,
  );
  expect(out).not.toContain('another graph');
}, 60_000);

test('compile --tune measures what is not known, and makes a file that runs', async () => {
  const { code, err } = await sinter('compile', file, '--tune', '--name', 'tuned-here', '-o', root);
  expect(err).toBe('');
  expect(code).toBe(0);
  expect((await sinter('bench', join(root, 'tuned-here.sinter'), ...quick)).code).toBe(0);
}, 120_000);
