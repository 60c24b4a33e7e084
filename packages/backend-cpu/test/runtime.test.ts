import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ShapeError } from '@sinter/ir';
import type { Artifact, Program } from '@sinter/compiler/artifact';
import { BackendError } from '@sinter/compiler/artifact';
import { afterEach, expect, test } from 'vitest';
import { load as loadWith } from '../src/runtime/load.ts';
import { affine, byHand, empty, failing, increment, scratching } from './by-hand.ts';

const open: Program[] = [];
const load = async (
  artifact: Artifact,
  options: { threads?: number; state?: Program['state'] } = {},
): Promise<Program> => {
  const program = await loadWith(artifact, { threads: options.threads ?? 2, fma: true }, options.state);
  open.push(program);
  return program;
};
afterEach(() => Promise.all(open.splice(0).map((program) => program[Symbol.asyncDispose]())));

const f32 = (...values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });
const ones = (n: number, value: number): Float32Array => new Float32Array(n).fill(value);

test.each([1, 2, 3, 8])('state starts as zeros and is updated in place by %i threads', async (threads) => {
  const { run, state } = await bound(load(increment, { threads }));
  expect(await state.read('x')).toEqual(ones(64, 0));
  for (let i = 0; i < 50; i++) expect(await run()).toEqual({});
  expect(await state.read('x')).toEqual(ones(64, 50));
});

/** The parts of a program, free of `this`. */
async function bound(loading: Promise<Program>) {
  const program = await loading;
  return { state: program.state, run: program.run.bind(program) };
}

test('inputs, constants, scratch and state come together in outputs', async () => {
  const program = await load(affine);
  await program.state.write('x', ones(64, 0.5));
  expect(await program.run({ a: f32(1, 2, 3) })).toEqual({ b: f32(2.5, 4.5, 6.5) });
  expect(await program.run({ a: f32() })).toEqual({ b: f32() });
});

test('outputs are copies', async () => {
  const program = await load(affine);
  const first = await program.run({ a: f32(1) });
  await program.run({ a: f32(9) });
  expect(first).toEqual({ b: f32(2) });
  expect(first['b']?.data.buffer).toBeInstanceOf(ArrayBuffer);
});

test('calls take their turn in the order they were made', async () => {
  const program = await load(increment);
  const reads: Promise<unknown>[] = [];
  for (let i = 1; i <= 20; i++) {
    void program.run();
    if (i === 10) void program.state.write('x', ones(64, 100));
    reads.push(program.state.read('x').then((x) => x[63]));
  }
  expect(await Promise.all(reads)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110,
  ]);
});

test('programs share state by name, and the state lives as long as the last of them', async () => {
  const first = await load(increment);
  await first.run();
  const second = await load(affine, { state: first.state });
  expect(second.state).toBe(first.state);
  expect(await second.run({ a: f32(10) })).toEqual({ b: f32(21) });
  await first[Symbol.asyncDispose]();
  expect((await second.state.read('x'))[0]).toBe(1);
  expect(await second.run({ a: f32(10) })).toEqual({ b: f32(21) });
  await second[Symbol.asyncDispose]();
  await expect(second.state.read('x')).rejects.toThrow('its last program was closed');
  await expect(load(affine, { state: first.state })).rejects.toThrow(BackendError);
});

test('shared state of another shape is refused, and what was there goes on', async () => {
  const program = await load(increment);
  const other = byHand({
    name: 'other',
    buffers: { x: { role: 'state', shape: [65] }, y: { role: 'state', shape: [1] } },
    steps: [],
  });
  await expect(load(other, { state: program.state })).rejects.toThrow(
    "state 'x' is f32[65], but the shared state of that name is f32[64]",
  );
  await program.run();
  expect(Object.keys(program.state.ports)).toEqual(['x']);
  expect((await program.state.read('x'))[0]).toBe(1);
});

test('state cannot depend on a run-time size', async () => {
  const growing = byHand({
    name: 'growing',
    dims: { n: { min: 1, max: 9 } },
    buffers: { x: { role: 'state', shape: ['n'] } },
    steps: [],
  });
  await expect(load(growing)).rejects.toThrow('fix n when compiling');
});

test('memory grows with the sizes and what is in it stays', async () => {
  const program = await load(affine);
  await program.state.write('x', ones(64, 3));
  for (const n of [1, 100_000, 10, 1_000_000, 3]) {
    const { b } = await program.run({ a: { data: ones(n, 1), shape: [n] } });
    expect(b?.shape).toEqual([n]);
    expect(b?.data.every((value) => value === 5)).toBe(true);
  }
  // A program that comes later lies where the arena was.
  const later = await load(increment, { state: program.state });
  await later.run();
  expect(await program.run({ a: f32(1, 2) })).toEqual({ b: f32(6, 8) });
});

test('more memory than there is: the error says how much, and for which sizes', async () => {
  const wide = byHand({ ...wideParts, name: 'wide' });
  const greedy = await load(wide);
  await expect(greedy.run({ a: f32(1, 2, 3, 4) })).rejects.toThrow(
    /program 'wide' with n=4 needs 16\.00 GiB .*; make n smaller, or close programs/,
  );
});

const wideParts = {
  dims: { n: { min: 1, max: 9 } },
  buffers: { a: { role: 'input', shape: ['n'] }, t: { role: 'scratch', shape: ['n', 2 ** 30] } },
  steps: [],
} as const;

test('memory is told per sizes', async () => {
  const program = await load(affine);
  expect(program.memory({ n: 1000 }).arena).toBe(3 * 4032);
  expect(() => program.memory({ n: -1 })).toThrow(ShapeError);
  expect(() => program.memory({})).toThrow(ShapeError);
});

test('every thread has its own scratch', async () => {
  const program = await load(scratching, { threads: 4 });
  for (let i = 0; i < 20; i++) {
    const { who } = await program.run();
    // A thread that wrote into another's scratch would make a number appear that is not its own, or 0.
    expect(who?.data.every((thread) => thread >= 1 && thread <= 4)).toBe(true);
  }
});

test('a profile has a time for every step', async () => {
  const program = await load(affine);
  const { outputs, steps } = await program.profile({ a: { data: ones(300_000, 1), shape: [300_000] } });
  expect(outputs['b']?.data[299_999]).toBe(2);
  expect(steps.map(({ step, kernel }) => [step, kernel])).toEqual([
    [0, 'scale'],
    [1, 'shift'],
  ]);
  for (const { ms } of steps) expect(ms).toBeGreaterThan(0);
});

test.each([1, 2, 4])('a trap ends the run and says where, with %i threads', async (threads) => {
  const good = await load(increment, { threads });
  const bad = await load(failing, { state: good.state });
  const queued = [bad.run(), good.run()];
  await expect(queued[0]).rejects.toThrow("program 'failing' failed in kernel 'broken' (step 2 of 2): unreachable");
  await expect(queued[1]).rejects.toThrow(/threads of this state were stopped .* kernel 'broken'/);
  await expect(good.run()).rejects.toThrow(BackendError);
  await expect(load(affine, { state: good.state })).rejects.toThrow(/were stopped/);
  // What was computed before can still be saved.
  expect((await good.state.read('x'))[0]).toBe(7);
});

test('state that is not there, or does not fit, is refused', async () => {
  const { state } = await load(affine);
  await expect(state.read('X')).rejects.toThrow("there is no state 'X'; near it: 'x'");
  await expect(state.write('x', new Float32Array(3))).rejects.toThrow(
    "state 'x' is f32[64]: it has 64 elements, the data 3",
  );
  await expect(state.write('x', new Int32Array(64))).rejects.toThrow('must be a Float32Array, not Int32Array');
});

test('state is written in pieces', async () => {
  const { state } = await load(affine);
  await state.write('x', Float32Array.of(1, 2), 0);
  await state.write('x', Float32Array.of(3), 63);
  const x = await state.read('x');
  expect([x[0], x[1], x[2], x[63]]).toEqual([1, 2, 0, 3]);
  await expect(state.write('x', Float32Array.of(1, 2), 63)).rejects.toThrow(
    "state 'x' is f32[64]: it has 64 elements, which 2 from element 63 on do not fit into",
  );
});

test('inputs are checked', async () => {
  const program = await load(affine);
  await expect(program.run()).rejects.toThrow("input 'a' is missing");
  await expect(program.run({ a: { data: new Int32Array(2), shape: [2] } })).rejects.toThrow(ShapeError);
  expect(await program.run({ a: f32(1) })).toEqual({ b: f32(2) });
});

test('artifacts of others, damaged and incomplete ones are refused', async () => {
  await expect(load({ ...empty, backend: 'webgpu' })).rejects.toThrow("was built for the backend 'webgpu'");
  await expect(load({ ...empty, code: {} })).rejects.toThrow(
    "is incomplete: its code lacks 'module.fma.wasm'; it carries none",
  );
  const broken = Object.fromEntries(
    Object.entries(empty.code).map(([name, bytes]) => [name, name === 'scratch' ? bytes : bytes.slice(0, 20)]),
  );
  await expect(load({ ...empty, code: broken })).rejects.toThrow("artifact 'empty' is damaged");
  await expect(load({ ...affine, constants: {} })).rejects.toThrow("the constant 'k' has no data");
});

test('a closed program does not run; what was called before it was closed does', async () => {
  const program = await load(increment);
  const other = await load(empty, { state: program.state });
  const last = program.run();
  program.close();
  program.close();
  await expect(program.run()).rejects.toThrow("program 'increment' was closed");
  expect(await last).toEqual({});
  expect((await other.state.read('x'))[0]).toBe(1);
});

test('programs that come and go in one store leave nothing behind', async () => {
  const stay = await load(increment);
  for (let i = 0; i < 100; i++) {
    const guest = await loadWith(affine, { threads: 2, fma: true }, stay.state);
    await guest.run({ a: f32(i) });
    await guest[Symbol.asyncDispose]();
  }
  await stay.run();
  expect((await stay.state.read('x'))[0]).toBe(1);
});

test('a hundred programs start and end', async () => {
  const rss: number[] = [];
  for (let i = 0; i < 100; i++) {
    const program = await loadWith(affine, { threads: 1, fma: true });
    const n = 1 << 20;
    await program.run({ a: { data: ones(n, 1), shape: [n] } });
    await program[Symbol.asyncDispose]();
    rss.push(process.memoryUsage.rss());
  }
  // Each has 12 MiB of its own: if they stayed, the second half would add 600 MiB.
  expect(rss.at(-1)! - rss[49]!).toBeLessThan(200 * 2 ** 20);
});

test('a process that has loaded programs ends by itself, and one that waits for a run waits', () => {
  const here = (path: string): string => new URL(path, import.meta.url).href;
  const code = `
    const { load } = await import(${JSON.stringify(here('../src/runtime/load.ts'))});
    const { increment } = await import(${JSON.stringify(here('./by-hand.ts'))});
    const program = await load(increment, { threads: 2, fma: false });
    await program.run();
    program.run().then(() => program.state.read('x')).then((x) => console.log('x is', x[0]));
  `;
  const args = ['--conditions=@sinter/source', '--import', 'tsx', '--input-type=module', '-e', code];
  const child = spawnSync(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(child.stderr).toBe('');
  expect({ status: child.status, signal: child.signal, stdout: child.stdout }).toEqual({
    status: 0,
    signal: null,
    stdout: 'x is 2\n',
  });
});

test('idle threads take no time', async () => {
  const program = await load(empty, { threads: 2 });
  await program.run();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(150);
});

test('the event loop is free while a program computes', async () => {
  const slow = byHand({
    name: 'slow',
    buffers: { y: { role: 'output', shape: [1], dtype: 'i32' } },
    steps: [{ kernel: 'spin', count: '(i32.const 20000000)', body: '' }],
  });
  const program = await load(slow);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 2);
  await program.run();
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(5);
});
