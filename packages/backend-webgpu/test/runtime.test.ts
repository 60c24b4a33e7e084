import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { constantExpr, ShapeError } from '@sinter/ir';
import type { Artifact, LoadProgress } from '@sinter/compiler/artifact';
import { BackendError } from '@sinter/compiler/artifact';
import { afterEach, expect, test } from 'vitest';
import type { WebgpuOptions, WebgpuProgram } from '../src/runtime/index.ts';
import { devices, requestDevice, webgpuRuntime } from '../src/runtime/index.ts';
import { affine, broken, byHand, empty, endless, increment, packed, wide } from './by-hand.ts';

const runtime = webgpuRuntime();
const open: WebgpuProgram[] = [];
const owned: GPUDevice[] = [];
const load = async (artifact: Artifact, state?: WebgpuProgram['state'], on = runtime): Promise<WebgpuProgram> => {
  const program = await on.load(artifact, state ? { state } : {});
  open.push(program);
  return program;
};
const onDevice = (device: GPUDevice, options: WebgpuOptions = {}) => webgpuRuntime({ device, ...options });
const newDevice = async (): Promise<GPUDevice> => {
  const device = await requestDevice();
  owned.push(device);
  return device;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((program) => program[Symbol.asyncDispose]()));
  for (const device of owned.splice(0)) device.destroy();
});

const f32 = (...values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });
const ones = (n: number, value: number): Float32Array => new Float32Array(n).fill(value);

/** A device whose limits read lower than they are. */
function limited(device: GPUDevice, limits: Partial<Record<keyof GPUSupportedLimits, number>>): GPUDevice {
  return new Proxy(device, {
    get(target, key) {
      if (key === 'limits') {
        return new Proxy(target.limits, {
          get: (all, limit) => (limits as Record<PropertyKey, unknown>)[limit] ?? Reflect.get(all, limit, all),
        });
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** A device that counts what is made with it. */
function counted(device: GPUDevice): { device: GPUDevice; made: Record<string, number> } {
  const made: Record<string, number> = {};
  const proxy = new Proxy(device, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (typeof key === 'string' && key.startsWith('create')) made[key] = (made[key] ?? 0) + 1;
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { device: proxy, made };
}

test('state starts as zeros and is updated in place', async () => {
  const program = await load(increment);
  expect(await program.state.read('x')).toEqual(ones(64, 0));
  for (let i = 0; i < 50; i++) expect(await program.run()).toEqual({});
  expect(await program.state.read('x')).toEqual(ones(64, 50));
});

test('inputs, constants, scratch and state come together in outputs', async () => {
  const program = await load(affine);
  await program.state.write('x', ones(64, 0.5));
  expect(await program.run({ a: f32(1, 2, 3) })).toEqual({ b: f32(2.5, 4.5, 6.5) });
  expect(await program.run({ a: f32() })).toEqual({ b: f32() });
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

test('runs that are under way at once keep their order and their own outputs', async () => {
  const program = await load(affine);
  const runs = Array.from({ length: 40 }, (_, i) => program.run({ a: { data: ones(1 + i, i), shape: [1 + i] } }));
  const order: number[] = [];
  runs.forEach((run, i) => void run.then(() => order.push(i)));
  const found = await Promise.all(runs);
  expect(found.map(({ b }) => b!.data)).toEqual(found.map((_, i) => ones(1 + i, 2 * i)));
  expect(order).toEqual(found.map((_, i) => i));
});

test('reading an output back does not hold up the next submission', async () => {
  const gpu = await newDevice();
  const events: string[] = [];
  const queue = new Proxy(gpu.queue, {
    get: (target, key) =>
      key === 'submit'
        ? (commands: GPUCommandBuffer[]) => {
            events.push('submit');
            target.submit(commands);
          }
        : (Reflect.get(target, key, target) as (...a: unknown[]) => unknown).bind(target),
  });
  const device = new Proxy(gpu, {
    get(target, key) {
      if (key === 'queue') return queue;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
  const program = await load(affine, undefined, onDevice(device));
  const input = { a: { data: ones(100_000, 1), shape: [100_000] } };
  await program.run(input);
  await Promise.all([program.run(input), program.run(input)]);
  events.length = 0;
  const done = (): void => void events.push('done');
  await Promise.all([program.run(input).then(done), program.run(input).then(done)]);
  expect(events).toEqual(['submit', 'submit', 'done', 'done']);
});

test('after the first run with some sizes, a run makes nothing on the device but its commands', async () => {
  const { device, made } = counted(await newDevice());
  const program = await load(affine, undefined, onDevice(device));
  const input = (n: number) => ({ a: { data: ones(n, 1), shape: [n] } });
  for (const n of [5, 70_000, 5]) await program.run(input(n));
  for (const key of Object.keys(made)) made[key] = 0;
  for (let i = 0; i < 10; i++) for (const n of [5, 70_000]) await program.run(input(n));
  expect(made).toEqual({ ...made, createBuffer: 0, createBindGroup: 0, createCommandEncoder: 20 });
  expect(Object.values(made).reduce((a, b) => a + b)).toBe(20);
});

test('programs share state by name, and the state lives as long as the last of them', async () => {
  const first = await load(increment);
  await first.run();
  const second = await load(affine, first.state);
  expect(second.state).toBe(first.state);
  expect(await second.run({ a: f32(10) })).toEqual({ b: f32(21) });
  await first[Symbol.asyncDispose]();
  expect((await second.state.read('x'))[0]).toBe(1);
  await second[Symbol.asyncDispose]();
  await expect(second.state.read('x')).rejects.toThrow('its last program was closed');
  await expect(load(affine, first.state)).rejects.toThrow(BackendError);
});

test('shared state of another shape is refused, and what was there goes on', async () => {
  const program = await load(increment);
  const other = byHand({
    name: 'other',
    buffers: { x: { role: 'state', shape: [65] }, y: { role: 'state', shape: [1] } },
    steps: [],
  });
  await expect(load(other, program.state)).rejects.toThrow(
    "state 'x' is f32[65], but the shared state of that name is f32[64]",
  );
  await program.run();
  expect(Object.keys(program.state.ports)).toEqual(['x']);
});

test('state is written in pieces, also where elements share words with others', async () => {
  const { state } = await load(packed);
  await state.write('bytes', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  await state.write('bytes', Uint8Array.of(30, 40, 50, 60), 2);
  await state.write('bytes', Uint8Array.of(110), 10);
  await state.write('bytes', Uint8Array.of(90), 8);
  expect(await state.read('bytes')).toEqual(Uint8Array.of(1, 2, 30, 40, 50, 60, 7, 8, 90, 10, 110));
  await state.write('halves', Uint16Array.of(5, 6), 5);
  expect(await state.read('halves')).toEqual(Uint16Array.of(0, 0, 0, 0, 0, 5, 6));
  await expect(state.write('halves', Uint16Array.of(5, 6), 6)).rejects.toThrow('do not fit into');
});

test('an arena that is larger than a buffer can be lies in several', async () => {
  const { device, made } = counted(limited(await newDevice(), { maxBufferSize: 8192 }));
  const program = await load(wide, undefined, onDevice(device));
  const before = made['createBuffer'] ?? 0;
  const n = 1500;
  const { b } = await program.run({ a: { data: Float32Array.from({ length: n }, (_, i) => i), shape: [n] } });
  expect(b!.data).toEqual(Float32Array.from({ length: n }, (_, i) => 3 * i + 3));
  expect(program.memory({ n }).arena).toBeGreaterThan(4 * 8192);
  expect((made['createBuffer'] ?? 0) - before).toBeGreaterThan(5);
});

test('a tensor that no kernel can reach as a whole: the error says which, how large, the limit and what to do', async () => {
  const device = limited(await newDevice(), { maxStorageBufferBindingSize: 1 << 20 });
  const program = await load(wide, undefined, onDevice(device));
  await expect(program.run({ a: { data: ones(300_000, 1), shape: [300_000] } })).rejects.toThrow(
    /program 'wide' with n=300000: the tensor 'a' is f32: 1\.14 MiB, .* reach 1\.00 MiB .*maxStorageBufferBindingSize.*; make n smaller/,
  );
  expect((await program.run({ a: f32(1) }))['b']).toEqual(f32(6));
  const large = byHand({ name: 'large', buffers: { w: { role: 'state', shape: [500_000] } }, steps: [] });
  await expect(load(large, undefined, onDevice(device))).rejects.toThrow(/state 'w' is f32\[500000\]: 1\.91 MiB/);
});

test('more memory than there is, and more workgroups', async () => {
  const program = await load(
    byHand({
      name: 'huge',
      dims: { n: { min: 1, max: 1 << 20 } },
      buffers: { a: { role: 'input', shape: ['n'] }, t: { role: 'scratch', shape: ['n', 2 ** 20] } },
      steps: [],
    }),
  );
  await expect(program.run({ a: { data: ones(1024, 1), shape: [1024] } })).rejects.toThrow(
    /the tensor 't' .* make n smaller/,
  );
  const never = await load(endless);
  await expect(never.run({ a: f32(1, 2, 3, 4) })).rejects.toThrow(/program 'endless' with n=4: .*workgroup/s);
});

test('a kernel that does not compile is named, and where it is wrong', async () => {
  await expect(load(broken)).rejects.toThrow(/kernel 'wrong' does not compile: .*\d+:\d+ error: unresolved value 'y'/s);
  await expect(load(broken)).rejects.toThrow(BackendError);
});

test('compiling reports how far it is', async () => {
  const seen: LoadProgress[] = [];
  open.push(await runtime.load(affine, { onProgress: (progress) => seen.push(progress) }));
  expect(seen.map(({ stage, done, total }) => [stage, done, total])).toEqual([
    ['compile', 0, 2],
    ['compile', 1, 2],
    ['compile', 2, 2],
  ]);
});

test('equal kernels are compiled once for a device', async () => {
  const { device, made } = counted(await newDevice());
  const on = onDevice(device);
  await load(increment, undefined, on);
  await load(increment, undefined, on);
  expect(made['createComputePipelineAsync']).toBe(1);
});

test('a device that is lost: runs fail with what to do, restore brings the last copies back', async () => {
  const gpu = await newDevice();
  const program = await load(increment, undefined, onDevice(gpu));
  const reader = await load(affine, program.state, onDevice(gpu));
  await program.state.write('x', ones(64, 5));
  await program.run();
  expect((await program.state.read('x'))[0]).toBe(6);
  await program.run();
  const under = program.run();
  gpu.destroy();
  const end = await under.then(
    () => 'done',
    (error: unknown) => error,
  );
  if (end !== 'done') expect(end).toBeInstanceOf(BackendError);
  await gpu.lost;
  await expect(program.run()).rejects.toThrow(/the device was lost .*restore\(\)/);
  await expect(program.state.read('x')).rejects.toThrow(BackendError);
  await expect(program.restore()).rejects.toThrow('give restore() a new device');
  await program.restore(await newDevice());
  // The last copy is what was read; the runs after that are gone.
  expect((await program.state.read('x'))[0]).toBe(6);
  await program.run();
  expect((await reader.run({ a: f32(10) }))['b']).toEqual(f32(27));
});

test('a device of ours that is lost is requested again', async () => {
  const devices: GPUDevice[] = [];
  const on = webgpuRuntime({ keepCopies: false });
  const program = await load(increment, undefined, on);
  // The device is the one behind the buffers of the state; its loss is what destroy() looks like from inside.
  const { device } = (program.state as unknown as { on: { device: { gpu: GPUDevice } } }).on;
  devices.push(device.gpu);
  await program.state.write('x', ones(64, 5));
  device.gpu.destroy();
  await device.gpu.lost;
  await expect(program.run()).rejects.toThrow('the device was lost');
  await program.restore();
  await program.run();
  // Without copies there is nothing to bring back but zeros.
  expect((await program.state.read('x'))[0]).toBe(1);
});

test('a profile has a time for every step', async () => {
  const program = await load(affine);
  const given = { a: { data: ones(100_000, 1), shape: [100_000] } };
  const { outputs, steps } = await program.profile(given);
  expect(outputs['b']?.data[99_999]).toBe(2);
  expect(steps.map(({ step, kernel }) => [step, kernel])).toEqual([
    [0, 'scale'],
    [1, 'shift'],
  ]);
  expect(steps.reduce((sum, { ms }) => sum + ms, 0)).toBeGreaterThan(0);
});

test('a device without timestamps is timed from outside', async () => {
  const gpu = await newDevice();
  const device = new Proxy(gpu, {
    get(target, key) {
      if (key === 'features') return new Set();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
  const program = await load(affine, undefined, onDevice(device));
  const { outputs, steps } = await program.profile({ a: f32(1, 2) });
  expect(outputs).toEqual({ b: f32(2, 4) });
  for (const { ms } of steps) expect(ms).toBeGreaterThan(0);
});

test('what a machine lacks is said', async () => {
  expect(await runtime.supports?.({ features: [], limits: { maxStorageBuffersPerShaderStage: 8 } })).toBeUndefined();
  expect(await runtime.supports?.({ features: ['no-such-feature'], limits: {} })).toBe('the feature no-such-feature');
  expect(await runtime.supports?.({ features: [], limits: { maxBufferSize: 2 ** 60 } })).toMatch(
    /^maxBufferSize of 1152921504606847000 \(it has \d+\)$/,
  );
});

test('adapters are listed and chosen by name', async () => {
  const found = await devices();
  expect(found.length).toBeGreaterThan(0);
  const [first] = found;
  expect(first!.maxTensorBytes).toBeGreaterThanOrEqual(128 << 20);
  const program = await load(increment, undefined, webgpuRuntime({ name: first!.name.toUpperCase() }));
  await program.run();
  await expect(load(increment, undefined, webgpuRuntime({ name: 'no such adapter' }))).rejects.toThrow(
    /no adapter 'no such adapter'; there are: '/,
  );
});

test('state and inputs that do not fit are refused', async () => {
  const program = await load(affine);
  await expect(program.state.read('X')).rejects.toThrow("there is no state 'X'; near it: 'x'");
  await expect(program.state.write('x', new Float32Array(3))).rejects.toThrow('it has 64 elements, the data 3');
  await expect(program.run()).rejects.toThrow("input 'a' is missing");
  await expect(program.run({ a: { data: new Int32Array(2), shape: [2] } })).rejects.toThrow(ShapeError);
  expect(await program.run({ a: f32(1) })).toEqual({ b: f32(2) });
});

test('artifacts of others, damaged and incomplete ones are refused', async () => {
  await expect(load({ ...empty, backend: 'cpu' })).rejects.toThrow("was built for the backend 'cpu'");
  await expect(load({ ...empty, code: {} })).rejects.toThrow("'empty' is incomplete: its code lacks 'kernels.wgsl'");
  const code = { ...affine.code, 'kernels.wgsl': affine.code['kernels.wgsl']!.slice(0, 20) };
  await expect(load({ ...affine, code })).rejects.toThrow("the kernels of 'affine': 'scale' is missing");
  await expect(load({ ...affine, constants: {} })).rejects.toThrow("the constant 'k' has no data");
});

test('a closed program does not run; what was called before it was closed does', async () => {
  const program = await load(increment);
  const other = await load(empty, program.state);
  const last = program.run();
  program.close();
  program.close();
  await expect(program.run()).rejects.toThrow("program 'increment' was closed");
  expect(await last).toEqual({});
  expect((await other.state.read('x'))[0]).toBe(1);
});

test('a hundred programs start and end', async () => {
  const held = byHand({
    name: 'held',
    buffers: { x: { role: 'state', shape: [1 << 20] }, y: { role: 'output', shape: [1 << 20] } },
    steps: [{ kernel: 'one', grid: constantExpr(1), body: 'x[5] += 1.0; y[7] = x[5];' }],
  });
  const rss: number[] = [];
  for (let i = 0; i < 100; i++) {
    await using program = await runtime.load(held);
    await program.state.write('x', ones(1 << 20, i));
    expect((await program.run())['y']!.data[7]).toBe(i + 1);
    rss.push(process.memoryUsage.rss());
  }
  // Each has 16 MiB on the device: if they stayed, the second half would add 800 MiB.
  expect(rss.at(-1)! - rss[49]!).toBeLessThan(200 * 2 ** 20);
});

/** Runs code in a process of its own, which must end by itself. */
function inProcess(code: string): { status: number | null; signal: string | null; stdout: string } {
  const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const text = `
    const { webgpuRuntime } = await import(${here('../src/runtime/index.ts')});
    const { increment } = await import(${here('./by-hand.ts')});
    ${code}`;
  const args = ['--conditions=@sinter/source', '--import', 'tsx', '--input-type=module', '-e', text];
  const { status, signal, stdout } = spawnSync(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, signal, stdout };
}

test('a process whose programs are closed ends by itself', () => {
  const ended = inProcess(`
    const program = await webgpuRuntime().load(increment);
    await program.run();
    console.log('x is', (await program.state.read('x'))[0]);
    await program[Symbol.asyncDispose]();
  `);
  expect(ended).toEqual({ status: 0, signal: null, stdout: 'x is 1\n' });
});

test('so does one that forgets to close, and one that waits for a run waits', () => {
  const ended = inProcess(`
    const program = await webgpuRuntime().load(increment);
    await program.run();
    program.run().then(() => program.state.read('x')).then((x) => console.log('x is', x[0]));
  `);
  expect(ended).toEqual({ status: 0, signal: null, stdout: 'x is 2\n' });
});
