/** Native code the whole way: threads, the cache, compilers that refuse or are missing, and processes that end. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, compile } from '@sinter/compiler';
import { BackendError } from '@sinter/compiler/artifact';
import type { TensorData } from '@sinter/ir';
import { add, cast, evaluate, gradients, graph, input, matmul, mean, mul, relu, softmax, state, sub } from '@sinter/ir';
import { afterAll, describe, expect, test } from 'vitest';
import { cpu } from '../src/index.ts';
import { nativeCompiler } from '../src/native/kernel.test.kit.ts';
import { compileLibrary } from '../src/runtime/native/build.ts';

const compiler = nativeCompiler();
const folder = mkdtempSync(join(tmpdir(), 'sinter-native-'));
afterAll(() => rmSync(folder, { recursive: true }));

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
const train = graph('train', { outputs: { loss }, updates: { w: sub(w, mul(gradients(loss, [w])[0]!, 0.1)) } });

function close(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(Math.abs(found[i]! - wanted[i]!)).toBeLessThan(1e-5);
}

/** Runs a module in a process of its own, with this environment. */
function child(
  code: string,
  env: NodeJS.ProcessEnv = {},
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const args = ['--conditions=@sinter/source', '--import', 'tsx', '--input-type=module', '-e', code];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: here, encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env } }); // prettier-ignore
  return { status, stdout, stderr };
}
const here = fileURLToPath(new URL('..', import.meta.url));
const addOne = `
  import { compile } from '@sinter/compiler';
  import { add, graph, input } from '@sinter/ir';
  import { cpu } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
  const g = graph('add_one', { outputs: { y: add(input('x', ['n'], 'f32'), 1) } });
  const run = async (backend) => {
    const program = await compile(g, backend);
    console.log(backend.name, (await program.run({ x: { shape: [2], data: Float32Array.of(1, 2) } })).y.data.join());
  };`;

describe.skipIf(!compiler)('native programs', () => {
  test('results do not depend on the number of threads, bit by bit, and agree with the evaluator', async () => {
    const weights = noise(20, 7);
    const results = [];
    for (const threads of [1, 2, 5]) {
      await using program = await compile(forward, cpu({ target: 'native', threads }));
      await program.state.write('w', weights.data);
      const out = [];
      for (const n of [1, 2, 333, 5]) {
        const inputs = { x: noise(n, 20) };
        const { y } = await program.run(inputs);
        expect(y?.shape).toEqual([n, 7]);
        close(y!.data, evaluate(forward, inputs, { w: weights }).outputs['y']!.data);
        out.push(y!.data);
      }
      results.push(out);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('a program that trains and one that predicts share their weights; state is written in pieces', async () => {
    const backend = cpu({ target: 'native', threads: 2 });
    const trainer = await compile(train, backend);
    const predictor = await compile(forward, backend, { state: trainer.state });
    const inputs = { x: noise(16, 20) };
    let weights = noise(20, 7);
    await trainer.state.write('w', weights.data.slice(0, 50), 0);
    await trainer.state.write('w', weights.data.slice(50), 50);
    for (let step = 0; step < 5; step++) {
      const expected = evaluate(train, inputs, { w: weights });
      close((await trainer.run(inputs))['loss']!.data, expected.outputs['loss']!.data);
      weights = expected.updates['w']!;
    }
    // The first program's library goes on serving the threads of the second.
    await trainer[Symbol.asyncDispose]();
    close((await predictor.run(inputs))['y']!.data, evaluate(forward, inputs, { w: weights }).outputs['y']!.data);
    await predictor[Symbol.asyncDispose]();
    await expect(predictor.state.read('w')).rejects.toThrow('its last program was closed');
  });

  test('a profile has a time for every step, and memory is told', async () => {
    await using program = await compile(forward, cpu({ target: 'native', threads: 2 }));
    const { outputs, steps } = await program.profile({ x: noise(1000, 20) });
    expect(outputs['y']?.shape).toEqual([1000, 7]);
    expect(steps.length).toBeGreaterThan(0);
    for (const { ms } of steps) expect(ms).toBeGreaterThan(0);
    // The weight as it is, and packed.
    expect(program.memory({ n: 1000 }).state).toBeGreaterThanOrEqual(2 * 576);
    await using bare = await compile(forward, cpu({ target: 'native', threads: 2 }), { prepare: false });
    expect(bare.memory({ n: 1000 }).state).toBe(576);
    expect(program.memory({ n: 1000 }).arena).toBeGreaterThan(4 * 1000 * 20);
  });

  test('weights of 16 bits', async () => {
    const half = state('half', [20, 40], 'f16');
    const small = state('small', [40, 3], 'bf16');
    const y = matmul(matmul(x, cast(half, 'f32')), cast(small, 'f32'));
    const g = graph('halves', { outputs: { y, z: cast(y, 'f16') } });
    const weights = {
      half: { shape: [20, 40], data: Uint16Array.from({ length: 800 }, (_, i) => 0x3000 + ((i * 37) % 0x800)) },
      small: { shape: [40, 3], data: Uint16Array.from({ length: 120 }, (_, i) => 0xbd00 + ((i * 37) % 0x200)) },
    };
    await using program = await compile(g, cpu({ target: 'native', threads: 2 }));
    for (const [name, { data }] of Object.entries(weights)) await program.state.write(name, data);
    const inputs = { x: noise(9, 20) };
    const [got, want] = [await program.run(inputs), evaluate(g, inputs, weights).outputs];
    got['y']!.data.forEach((value, i) => expect(value / want['y']!.data[i]!).toBeCloseTo(1, 4));
    expect(got['z']!.data).toBeInstanceOf(Uint16Array);
    // One unit in the last place of a half, where a sum was rounded otherwise.
    got['z']!.data.forEach((bits, i) => expect(Math.abs(bits - want['z']!.data[i]!)).toBeLessThanOrEqual(1));
  });

  test('memory beyond 4 GiB', async () => {
    const huge = graph('huge', { outputs: { y: add(input('x', ['n'], 'u8'), 1) } });
    await using program = await compile(huge, cpu({ target: 'native', threads: 2 }));
    expect(program.memory({ n: 2 ** 31 - 1 }).arena).toBeGreaterThan(4 * 2 ** 30 - 200);
  });

  test('more memory than there are addresses: the error says for which sizes, and the program goes on', async () => {
    const scores = softmax(matmul(input('a', ['n', 2], 'f32'), input('b', [2, 'n'], 'f32')));
    const g = graph('greedy', { outputs: { y: mean(mul(scores, scores)) } });
    await using program = await compile(g, cpu({ target: 'native', threads: 1 }));
    const zeros = (...shape: number[]): TensorData => ({ shape, data: new Float32Array(shape[0]! * shape[1]!) });
    const inputs = (n: number) => ({ a: zeros(n, 2), b: zeros(2, n) });
    const n = 2 ** 23;
    expect(program.memory({ n }).arena).toBeGreaterThan(2 ** 47);
    await expect(program.run(inputs(n))).rejects.toThrow(
      /program 'greedy' with n=8388608 cannot run: the system has no .* GiB of memory left; make n smaller/,
    );
    expect((await program.run(inputs(3)))['y']!.data.length).toBe(1);
  });

  test('an artifact is plain data, readable as C, and loads in a backend of other settings', async () => {
    const artifact = await build(forward, cpu({ target: 'native', threads: 1 }));
    expect(artifact.backend).toBe('cpu-native');
    expect(new TextDecoder().decode(artifact.code['kernels.c'])).toMatch(/void k\d+_row_\w+\(void \*const \*b/);
    await using program = await cpu({ target: 'native', threads: 3 }).load(structuredClone(artifact));
    expect((await program.run({ x: noise(4, 20) }))['y']!.data.length).toBe(28);
    await expect(cpu().load(artifact)).rejects.toThrow("was built for the backend 'cpu-native', not for 'cpu'");
  });

  test('idle threads take no time, and the event loop is free while a program computes', async () => {
    const big = graph('big', { outputs: { y: matmul(input('a', ['n', 'n'], 'f32'), input('b', ['n', 'n'], 'f32')) } });
    await using program = await compile(big, cpu({ target: 'native', threads: 2 }));
    const inputs = { a: noise(1400, 1400), b: noise(1400, 1400) };
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await program.run(inputs);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(150);
  });
});

describe.skipIf(!compiler)('the cache', () => {
  const source = { name: 'p', source: 'int sinter_answer(void) { return 42; }\n' };

  test('holds a library for each source, compiler and machine, made once', async () => {
    const cache = join(folder, 'once');
    const first = await compileLibrary(source, compiler!, cache);
    const again = await Promise.all([1, 2, 3].map(() => compileLibrary(source, compiler!, cache)));
    expect(new Set([first, ...again]).size).toBe(1);
    expect(await compileLibrary({ ...source, source: source.source + '\n' }, compiler!, cache)).not.toBe(first);
    expect(await compileLibrary(source, { ...compiler!, macros: 'another version' }, cache)).not.toBe(first);
    expect(readdirSync(cache).every((name) => /^[0-9a-f]{40}\.so$/.test(name))).toBe(true);
  });

  test('processes that want the same at once do not disturb each other', async () => {
    const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'shared') };
    const args = [
      '--conditions=@sinter/source',
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `${addOne} await run(cpu({ target: 'native', threads: 1 }));`,
    ];
    const outputs = await Promise.all(
      Array.from({ length: 3 }, () => new Promise<string>((resolve) => {
        let out = '';
        const started = spawn(process.execPath, args, { cwd: here, env });
        started.stdout.on('data', (text) => (out += text));
        started.stderr.on('data', (text) => (out += text));
        started.on('close', (status) => resolve(`${status} ${out}`));
      })),
    ); // prettier-ignore
    expect(outputs).toEqual(Array(3).fill('0 cpu-native 2,3\n'));
    expect(readdirSync(join(folder, 'shared', 'sinter', 'native')).length).toBe(1);
  });

  test('a damaged library is made again', () => {
    const env = { XDG_CACHE_HOME: join(folder, 'damaged') };
    const code = `${addOne} await run(cpu({ target: 'native', threads: 1 }));`;
    expect(child(code, env)).toEqual({ status: 0, stdout: 'cpu-native 2,3\n', stderr: '' });
    const cache = join(folder, 'damaged', 'sinter', 'native');
    for (const file of readdirSync(cache)) writeFileSync(join(cache, file), 'no library');
    expect(child(code, env)).toEqual({ status: 0, stdout: 'cpu-native 2,3\n', stderr: '' });
  });

  test('what the compiler refuses is told with its first lines', async () => {
    const wrong = { name: 'broken', source: `${'int wrong = ;\n'.repeat(40)}` };
    const attempt = compileLibrary(wrong, compiler!, join(folder, 'wrong'));
    await expect(attempt).rejects.toThrow(BackendError);
    await expect(attempt).rejects.toThrow(
      /program 'broken' cannot be compiled: .*\n.*error: expected expression[^]*lines more/,
    );
    expect(readdirSync(join(folder, 'wrong'))).toEqual([]);
  });

  test('a folder that cannot be written is named', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(compileLibrary(source, compiler!, join(file, 'cache'))).rejects.toThrow(
      /cache folder .*file.cache cannot be written .*; set XDG_CACHE_HOME/,
    );
  });
});

describe.skipIf(!compiler)('processes', () => {
  test('one that has run programs ends by itself, and one that waits for a run waits', () => {
    const code = `${addOne} await run(cpu({ target: 'native', threads: 2 })); run(cpu({ target: 'native', threads: 2 }));`;
    expect(child(code)).toEqual({ status: 0, stdout: 'cpu-native 2,3\ncpu-native 2,3\n', stderr: '' });
  });

  test('a hundred programs leave no memory and no threads behind', async () => {
    const backend = cpu({ target: 'native', threads: 2 });
    const artifact = await build(graph('one', { outputs: { y: add(input('x', ['n'], 'f32'), 1) } }), backend);
    const ones = new Float32Array(1 << 20).fill(1);
    const rss: number[] = [];
    for (let i = 0; i < 100; i++) {
      await using program = await backend.load(artifact);
      await program.run({ x: { shape: [1 << 20], data: ones } });
      rss.push(process.memoryUsage.rss());
    }
    // Each has 8 MiB of its own: if they stayed, the second half would add 400 MiB.
    expect(rss.at(-1)! - rss[49]!).toBeLessThan(200 * 2 ** 20);
    const { Threads } = Object.fromEntries(statusLines());
    if (Threads !== undefined) expect(Number(Threads)).toBeLessThan(60);
  });
});

/** What Linux says of this process. */
function statusLines(): [string, string][] {
  const { stdout } = spawnSync('cat', [`/proc/${process.pid}/status`], { encoding: 'utf8' });
  return stdout.split('\n').map((line) => line.split(/:\s*/) as [string, string]);
}

describe('without a compiler', () => {
  const nowhere = { PATH: '' };

  test("target 'native' says what to install", () => {
    const { status, stderr } = child(`${addOne} cpu({ target: 'native' });`, nowhere);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /BackendError: cpu: target 'native' needs a C compiler \(cc: not found; gcc: not found; clang: not found\); install gcc or clang/,
    );
  });

  test("target 'auto' says so once, and takes WebAssembly", () => {
    const { status, stdout, stderr } = child(
      `${addOne} for (let i = 0; i < 2; i++) await run(cpu({ target: 'auto', threads: 1 }));`,
      nowhere,
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'cpu 2,3\ncpu 2,3\n' });
    expect(stderr.match(/needs a C compiler/g)).toHaveLength(1);
    expect(stderr).toContain('Taking WebAssembly.');
  });

  test('one that is named and is none', () => {
    expect(() => cpu({ target: 'native', cc: '/nowhere/cc' })).toThrow('needs a C compiler (/nowhere/cc: not found)');
  });

  test.skipIf(!compiler)("target 'auto' takes native code where it can", () => {
    expect(cpu({ target: 'auto' }).name).toBe('cpu-native');
  });
});
