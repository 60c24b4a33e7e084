import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, expectTypeOf, test } from 'vitest';
import { createFileWriter, LogError, readEvents, readPoints } from './index.ts';
import type { FileWriter, Point } from './index.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'sinter-log-'));
const all = async <T>(items: AsyncIterable<T>) => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};
const scalars = (points: Point[]) => points.map((p) => (p.kind === 'scalar' ? p.value : p.kind));

test('it is the sink that a trainer expects', () => {
  interface Sink {
    scalar(tag: string, value: number, step: number): void;
    text?(tag: string, markdown: string, step: number): void;
    flush(): Promise<void>;
    close(): Promise<void>;
  }
  expectTypeOf<FileWriter>().toExtend<Sink>();
  expectTypeOf<FileWriter>().toExtend<AsyncDisposable>();
});

test('scalars, text and histograms come back as they were logged', async () => {
  const dir = join(folder(), 'deep', 'run');
  const writer = createFileWriter(dir);
  writer.scalar('loss', 0.5, 0, { wallTime: 1234.5, description: 'cross *entropy*', displayName: 'Loss' });
  writer.scalar('loss', NaN, 1);
  writer.scalar('loss', -Infinity, 2);
  writer.text('note', '# Grüße 🌍\n\n| a | b |\n|---|---|\n| 1 | 2 |', 3);
  writer.histogram('weights', new Float32Array([1, 2, 3, 4]), 4, { buckets: 2 });
  await writer.close();
  const before = Date.now() / 1000;
  const points = await all(readPoints(dir));
  expect(points.map(({ wallTime: _, ...rest }) => rest)).toEqual([
    { tag: 'loss', step: 0, kind: 'scalar', value: 0.5 },
    { tag: 'loss', step: 1, kind: 'scalar', value: NaN },
    { tag: 'loss', step: 2, kind: 'scalar', value: -Infinity },
    { tag: 'note', step: 3, kind: 'text', text: '# Grüße 🌍\n\n| a | b |\n|---|---|\n| 1 | 2 |' },
    {
      tag: 'weights',
      step: 4,
      kind: 'histogram',
      buckets: [
        { left: 1, right: 2.5, count: 2 },
        { left: 2.5, right: 4, count: 2 },
      ],
    },
  ]);
  expect(points[0]!.wallTime).toBe(1234.5);
  expect(Math.abs(points[1]!.wallTime - before)).toBeLessThan(60);
  const [first, second] = await all(readEvents(writer.path));
  expect(first).toMatchObject({ kind: 'version', version: 'brain.Event:2', writer: '@sinter/logger' });
  expect(second).toMatchObject({
    values: [{ metadata: { plugin: 'scalars', displayName: 'Loss', description: 'cross *entropy*' } }],
  });
});

test('the file is there at once, under the canonical name, unique and in name order', async () => {
  const dir = folder();
  const writers = Array.from({ length: 25 }, () => createFileWriter(dir));
  for (const { path } of writers) {
    expect(basename(path)).toMatch(/^events\.out\.tfevents\.\d{10}\.[\w.-]+\.\d+\.\d\.v2$/);
    expect(statSync(path).size).toBeGreaterThan(0);
  }
  const names = writers.map((writer) => basename(writer.path));
  expect(new Set(names).size).toBe(25);
  expect(readdirSync(dir).sort()).toEqual(names);
  writers.forEach((writer, i) => writer.scalar('n', i, i));
  await Promise.all(writers.map((writer) => writer.close()));
  expect(scalars(await all(readPoints(dir)))).toEqual(Array.from({ length: 25 }, (_, i) => i));
});

test('order is kept between background writes, flushes and synchronous writes', async () => {
  const writer = createFileWriter(folder(), { maxPendingBytes: 1 << 17, flushSeconds: 0.001 });
  const n = 60_000;
  for (let i = 0; i < n; i++) {
    writer.scalar('i', i, i);
    if (i % 7000 === 0) void writer.flush();
    if (i % 11000 === 0) writer.writeNow();
    if (i % 3000 === 0) await sleep(1);
    if (i % 13000 === 0) {
      await writer.flush();
      expect((await all(readPoints(writer.path))).length).toBe(i + 1);
    }
  }
  await writer.close();
  const points = await all(readPoints(writer.path));
  expect(points.length).toBe(n);
  expect(points.every((p, i) => p.step === i && p.kind === 'scalar' && p.value === i)).toBe(true);
});

test('events reach the file in the background', async () => {
  const writer = createFileWriter(folder(), { flushSeconds: 0.01 });
  const empty = statSync(writer.path).size;
  writer.scalar('a', 1, 1);
  expect(statSync(writer.path).size).toBe(empty);
  while (statSync(writer.path).size === empty) await sleep(5);
  expect(scalars(await all(readPoints(writer.path)))).toEqual([1]);
  await writer.close();
});

test('await using closes; closing twice and flushing after it do nothing; logging after it is an error', async () => {
  let writer: FileWriter;
  {
    await using scoped = createFileWriter(folder());
    writer = scoped;
    writer.scalar('a', 1, 1);
  }
  await writer.close();
  await writer.flush();
  expect(scalars(await all(readPoints(writer.path)))).toEqual([1]);
  expect(() => writer.scalar('a', 2, 2)).toThrow(
    expect.objectContaining({ name: 'LogError', code: 'closed', tag: 'a', step: 2 }),
  );
});

test('what an event file cannot hold is refused, with tag and step', async () => {
  const writer = createFileWriter(folder());
  const refused = (log: () => void, place: object, text: string) => {
    expect(log).toThrow(LogError);
    expect(log).toThrow(expect.objectContaining({ code: 'argument', ...place }));
    expect(log).toThrow(text);
  };
  refused(() => writer.scalar('', 1, 7), { tag: '', step: 7 }, 'step 7');
  for (const step of [NaN, Infinity, 1.5, 2 ** 60])
    refused(() => writer.scalar('loss', 1, step), { tag: 'loss', step }, '"loss"');
  refused(() => writer.text('note', 'x', NaN), { tag: 'note', step: NaN }, '"note"');
  refused(() => writer.scalar('loss', undefined as unknown as number, 3), { tag: 'loss', step: 3 }, 'undefined');
  refused(() => writer.text('note', 5 as unknown as string, 3), { tag: 'note', step: 3 }, 'number');
  refused(() => writer.scalar('loss', 1, 3, { wallTime: NaN }), { tag: 'loss', step: 3 }, 'wall time');
  refused(() => writer.histogram('w', [1], 3, { buckets: 0 }), { tag: 'w', step: 3 }, '0 buckets');
  writer.scalar('loss', 1, -5);
  await writer.close();
  expect(await all(readPoints(writer.path))).toMatchObject([{ tag: 'loss', step: -5, value: 1 }]);
});

test('a folder that cannot be made is a typed error', () => {
  const file = join(folder(), 'file');
  writeFileSync(file, '');
  for (const dir of [file, join(file, 'run')]) {
    expect(() => createFileWriter(dir)).toThrow(
      expect.objectContaining({ name: 'LogError', code: 'open', message: expect.stringContaining(dir) }),
    );
  }
});

test('many writers add one exit listener, and none when all is written', async () => {
  const before = process.listenerCount('exit');
  const dir = folder();
  const writers = Array.from({ length: 20 }, (_, i) => createFileWriter(join(dir, String(i))));
  expect(process.listenerCount('exit')).toBe(before);
  for (const writer of writers) writer.scalar('a', 1, 1);
  expect(process.listenerCount('exit')).toBe(before + 1);
  await Promise.all(writers.map((writer) => writer.flush()));
  expect(process.listenerCount('exit')).toBe(before);
  for (const writer of writers) writer.scalar('a', 2, 2);
  await Promise.all(writers.map((writer) => writer.close()));
  expect(process.listenerCount('exit')).toBe(before);
});

// Ends of processes: real ones.

const index = new URL('./index.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../../..', import.meta.url));
const nodeArguments = (code: string) => [
  '--conditions=@sinter/source',
  '--import',
  'tsx',
  '--input-type=module',
  '--eval',
  `import { createFileWriter } from ${JSON.stringify(index)}; const dir = process.env.RUN; ${code}`,
];
const child = (code: string) => {
  const dir = folder();
  return {
    dir,
    process: spawn(process.execPath, nodeArguments(code), { cwd: root, env: { ...process.env, RUN: dir } }),
  };
};

test.each([
  ['the end of the program', '', 0],
  ['process.exit()', 'process.exit(3)', 3],
  ['an uncaught error', 'throw new Error("x")', 1],
  [
    'process.exit() during a background write',
    'writer.flush(); for (let i = 5000; i < 5003; i++) writer.scalar("a", i, i); setImmediate(() => process.exit(4))',
    4,
  ],
])('nothing is lost at %s', async (_, end, code) => {
  const { dir, process } = child(
    `const writer = createFileWriter(dir, { flushSeconds: 3600 }); for (let i = 0; i < 5000; i++) writer.scalar('a', i, i); ${end}`,
  );
  expect(await once(process, 'exit')).toEqual([code, null]);
  const n = code === 4 ? 5003 : 5000;
  expect(scalars(await all(readPoints(dir)))).toEqual(Array.from({ length: n }, (_, i) => i));
});

test('the timer does not keep a program alive', async () => {
  const { process } = child(`createFileWriter(dir, { flushSeconds: 3600 }).scalar('a', 1, 1)`);
  expect(await Promise.race([once(process, 'exit'), sleep(30_000, 'alive', { ref: false })])).toEqual([0, null]);
});

test('a killed process leaves what was flushed, and a file that can be read', async () => {
  const { dir, process } = child(`
    const writer = createFileWriter(dir, { flushSeconds: 0.001 });
    for (let i = 0; i < 1000; i++) writer.scalar('a', i, i);
    await writer.flush();
    console.log('flushed');
    for (let i = 1000; ; i++) { writer.scalar('a', i, i); if (i % 1000 === 0) await new Promise(setImmediate); }
  `);
  await once(process.stdout, 'data');
  await sleep(50);
  process.kill('SIGKILL');
  await once(process, 'exit');
  const points = await all(readPoints(dir)); // strict: damage would throw
  expect(points.length).toBeGreaterThanOrEqual(1000);
  expect(points.every((p, i) => p.step === i)).toBe(true);
});

test.skipIf(process.platform === 'win32')(
  'a disk that refuses: typed errors, what waits is bounded, the program goes on, the file stays readable',
  async () => {
    // A file size limit of 64 blocks of 1 KiB stands for the full disk.
    const code = `
    const errors = [];
    const writer = createFileWriter(dir, { flushSeconds: 0.001, maxPendingBytes: 1 << 17, onError: (e) => errors.push({ ...e, message: e.message, name: e.name }) });
    for (let i = 0; i < 100_000; i++) { writer.scalar('a', i, i); if (i % 1000 === 0) await new Promise((r) => setTimeout(r, 1)); }
    const flush = await writer.flush().then(() => 'ok', (e) => e.name + ' ' + e.code);
    const close = await writer.close().then(() => 'ok', (e) => e.name + ' ' + e.code);
    console.log(JSON.stringify({ errors, flush, close }));
  `;
    const dir = folder();
    const limited = ['-c', 'ulimit -f 64 && exec "$0" "$@"', process.execPath, ...nodeArguments(code)];
    const { stdout } = await promisify(execFile)('bash', limited, {
      cwd: root,
      env: { ...process.env, RUN: dir, TSX_DISABLE_CACHE: '1' },
    });
    const { errors, flush, close } = JSON.parse(stdout);
    expect(flush).toBe('LogError write');
    expect(close).toBe('LogError write');
    expect(errors[0]).toMatchObject({ name: 'LogError', code: 'write', path: expect.stringContaining(dir) });
    expect(errors[0].message).toMatch(/EFBIG|ENOSPC/);
    expect(errors[1].message).toMatch(/\d+ events are dropped/);
    const points = await all(readPoints(dir));
    expect(points.length).toBeGreaterThan(500);
    expect(points.every((p, i) => p.step === i)).toBe(true);
  },
);
