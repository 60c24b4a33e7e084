/** The real TensorBoard reads our files: its Python reader, which checks every checksum, and its server in both modes. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFileWriter, readPoints } from './index.ts';
import { findPython } from '../../../tools/python.ts';

const python = findPython(['tensorboard']) ?? '';

const logdir = mkdtempSync(join(tmpdir(), 'sinter-tensorboard-'));
const text = '# Grüße 🌍\n\n| a | b |\n|---|---|\n| 1 | **2** |';
const long = 'lorem ipsum '.repeat(30_000);
const samples = [Array.from({ length: 999 }, (_, i) => Math.sin(i) * i), [3, 3, 3], []];
const n = 5000;
const losses = Array.from({ length: n }, (_, i) => 1 / (i + 1));
let path = '';

/** What the Python reader says about an event file. */
async function readBack(file: string) {
  const script = fileURLToPath(new URL('tensorboard.test.py', import.meta.url));
  const data = samples.map((values) => JSON.stringify(values));
  const { stdout } = await promisify(execFile)(python, [script, file, ...data], { maxBuffer: 1 << 26 });
  return JSON.parse(stdout);
}

beforeAll(async () => {
  await using writer = createFileWriter(join(logdir, 'run'));
  path = writer.path;
  losses.forEach((loss, i) => writer.scalar('train/loss', loss, i, { wallTime: 1_700_000_000 + i / 8 }));
  ['a', 'b'].forEach((word, i) => writer.text('notes', word + text, i));
  writer.text('long', long, 7);
  [0, NaN, Infinity, -Infinity, 1e-45].forEach((value, i) => writer.scalar('odd', value, i - 1));
  writer.scalar('described', 1, 2 ** 40, { description: 'Some **bold** words', displayName: 'Shown name' });
  writer.scalar('described', 2, 2 ** 40 + 1);
  samples.forEach((values, i) => writer.histogram('weights', values, i));
});

describe.skipIf(!python)('the Python reader', () => {
  test('finds every record and every value', async () => {
    const found = await readBack(path);
    expect(found.records).toBe(1 + n + 3 + 5 + 2 + samples.length);
    expect(found.first).toEqual(['brain.Event:2', '@sinter/logger']);
    expect(Object.keys(found.scalars).sort()).toEqual(['described', 'odd', 'train/loss']);
    expect(
      found.scalars['train/loss'].map(([step, value, time]: [number, string, number]) => [step, Number(value), time]),
    ).toEqual(losses.map((loss, i) => [i, Math.fround(loss), 1_700_000_000 + i / 8]));
    expect(found.scalars.odd.map((event: unknown[]) => event.slice(0, 2))).toEqual([
      [-1, '0.0'],
      [0, 'nan'],
      [1, 'inf'],
      [2, '-inf'],
      [3, expect.stringMatching(/^1\.40\d+e-45$/)],
    ]);
    expect(found.scalars.described.map((event: unknown[]) => event.slice(0, 2))).toEqual([
      [2 ** 40, '1.0'],
      [2 ** 40 + 1, '2.0'],
    ]);
    expect(found.texts).toEqual({
      notes: [
        [0, 'a' + text],
        [1, 'b' + text],
      ],
      long: [[7, long]],
    });
    expect(found.histograms.weights.map(([step]: [number]) => step)).toEqual([0, 1, 2]);
  });

  test("histograms are bucketed as TensorBoard's own", async () => {
    const found = await readBack(path);
    found.histograms.weights.forEach(([, rows]: [number, number[][]], i: number) => {
      const reference: number[][] = found.reference[i];
      expect(rows.map(([, , count]) => count)).toEqual(reference.map(([, , count]) => count));
      rows.flat().forEach((value, k) => expect(value).toBeCloseTo(reference.flat()[k]!, 9));
    });
  });

  test('this check has teeth: one wrong bit in the data of a record, and the counts differ', async () => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    const damaged = join(mkdtempSync(join(tmpdir(), 'sinter-tensorboard-')), basename(path));
    writeFileSync(damaged, bytes);
    const script = fileURLToPath(new URL('tensorboard.test.py', import.meta.url));
    const outcome = await promisify(execFile)(python, [script, damaged], { maxBuffer: 1 << 26 }).then(
      ({ stdout }) => JSON.parse(stdout).records as number,
      () => 0,
    );
    expect(outcome).toBeLessThan(1 + n + 3 + 5 + 2 + samples.length);
  });

  test("what TensorBoard's own classes write is read by us", async () => {
    const code = `
import sys, numpy as np
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorboard.plugins.scalar import summary_v2 as scalar
from tensorboard.plugins.text import summary_v2 as text
from tensorboard.plugins.histogram import summary_v2 as histogram
w = EventFileWriter(sys.argv[1])
for i, s in enumerate([scalar.scalar_pb("modern", 0.5), summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag="old", simple_value=2)]),
    text.text_pb("words", "hello *you*"), text.text_pb("table", np.array([["a", "b"], ["c", "d"]], dtype=object)), histogram.histogram_pb("h", [1.0, 3.0], 2)]):
  w.add_event(event_pb2.Event(wall_time=i, step=-i, summary=s))
w.close()`;
    const dir = mkdtempSync(join(tmpdir(), 'sinter-tensorboard-'));
    await promisify(execFile)(python, ['-c', code, dir]);
    const points = [];
    for await (const { tag, kind, step, ...rest } of readPoints(dir))
      points.push({ tag: tag.split('/')[0], kind, step, ...rest });
    expect(points).toMatchObject([
      { tag: 'modern', kind: 'scalar', step: 0, wallTime: 0, value: 0.5 },
      { tag: 'old', kind: 'scalar', step: -1, value: 2 },
      { tag: 'words', kind: 'text', text: 'hello *you*' },
      { tag: 'table', kind: 'text', text: 'a\nb\nc\nd' },
      {
        tag: 'h',
        kind: 'histogram',
        buckets: [
          { left: 1, right: 2, count: 1 },
          { left: 2, right: 3, count: 1 },
        ],
      },
    ]);
  });
});

describe.skipIf(!python).each([
  ['default', []],
  ['--load_fast=false', ['--load_fast=false']],
])('the server, %s', (_, flags) => {
  let url = '';
  const get = async (route: string) => {
    const response = await fetch(`${url}data/plugin/${route}`);
    return response.ok ? JSON.parse(await response.text()) : undefined; // not ok before the first load
  };
  let stop = async () => {};

  beforeAll(async () => {
    const args = ['-m', 'tensorboard.main', '--logdir', logdir, '--port', '0', '--host', '127.0.0.1', ...flags];
    const server = spawn(python, [...args, '--samples_per_plugin', 'scalars=10000'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const gone = once(server, 'exit');
    stop = async () => {
      server.kill();
      await gone;
    };
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (part: string) => (said += part));
    while (!(url = /http:\/\/[\w.]+:\d+\//.exec(said)?.[0] ?? '')) {
      if (server.exitCode !== null) throw new Error(`tensorboard ended:\n${said}`);
      await sleep(50);
    }
    const last = 'histograms/histograms?run=run&tag=weights';
    while ((await get(last))?.length !== samples.length) await sleep(100); // the last thing in the file
  });
  afterAll(() => stop());

  test('scalars, with title and description', async () => {
    const tags = await get('scalars/tags');
    expect(Object.keys(tags.run).sort()).toEqual(['described', 'odd', 'train/loss']);
    expect(tags.run.described).toMatchObject({
      displayName: 'Shown name',
      description: expect.stringContaining('<strong>bold</strong>'),
    });
    const points = await get('scalars/scalars?run=run&tag=train%2Floss');
    expect(points).toEqual(losses.map((loss, i) => [1_700_000_000 + i / 8, i, Math.fround(loss)]));
  });

  test('text, as rendered Markdown', async () => {
    expect(await get('text/tags')).toEqual({ run: expect.arrayContaining(['notes', 'long']) });
    const body = await get('text/text?run=run&tag=notes');
    expect(body).toMatchObject([{ step: 0 }, { step: 1, text: expect.stringContaining('<strong>2</strong>') }]);
    expect(body[0].text).toContain('Grüße 🌍');
  });

  test('histograms', async () => {
    const body = await get('histograms/histograms?run=run&tag=weights');
    expect(
      body.map(([, step, rows]: [number, number, number[][]]) => [step, rows.reduce((sum, row) => sum + row[2]!, 0)]),
    ).toEqual([
      [0, 999],
      [1, 3],
      [2, 0],
    ]);
  });
});
