import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFileWriter, LogError, openTail, readEvents, readPoints } from './index.ts';
import type { FileWriter, Point } from './index.ts';
import { encodeEvent } from './proto.ts';
import { encodeRecord } from './record.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'sinter-log-'));
const all = async <T>(items: AsyncIterable<T>) => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};
const steps = (events: readonly { step: number }[]) => events.map((event) => event.step);

/** One record of one scalar event at `step`. */
const record = (step: number) =>
  encodeRecord(encodeEvent({ kind: 'summary', wallTime: 1, step, values: [{ tag: 'a', simpleValue: step }] }));

function fileOf(...parts: Uint8Array[]): string {
  const path = join(folder(), 'events.out.tfevents.1');
  writeFileSync(path, Buffer.concat(parts));
  return path;
}

test('a torn tail ends the reading without an error, at every cut', async () => {
  const whole = record(2);
  for (let cut = 0; cut < whole.length; cut++) {
    const path = fileOf(record(1), whole.subarray(0, cut));
    expect(steps(await all(readEvents(path)))).toEqual([1]);
  }
});

test('damage is thrown with its offset, after what stands before it', async () => {
  const bad = record(2);
  bad[20]! ^= 1;
  const path = fileOf(record(1), bad, record(3));
  const seen: number[] = [];
  const reading = (async () => {
    for await (const event of readEvents(path)) seen.push(event.step);
  })();
  await expect(reading).rejects.toThrow(
    expect.objectContaining({ name: 'LogError', code: 'corrupt', path, offset: record(1).length }),
  );
  expect(seen).toEqual([1]);
});

test('with onCorrupt it goes on behind the damage, whatever is damaged', async () => {
  for (const [at, part] of [
    [3, 'length'],
    [9, 'length'],
    [14, 'data'],
    [-1, 'data'],
  ] as const) {
    const bad = record(2);
    bad[(at + bad.length) % bad.length]! ^= 1;
    const errors: LogError[] = [];
    const events = await all(
      readEvents(fileOf(record(1), bad, record(3)), { onCorrupt: (error) => errors.push(error) }),
    );
    expect(steps(events)).toEqual([1, 3]);
    expect(errors).toMatchObject([
      { code: 'corrupt', offset: record(1).length, message: expect.stringContaining(part) },
    ]);
  }
});

test('a whole record that is no event is damage too', async () => {
  const errors: LogError[] = [];
  const path = fileOf(record(1), encodeRecord(Uint8Array.of(0xff, 0xff)), record(3));
  expect(steps(await all(readEvents(path, { onCorrupt: (error) => errors.push(error) })))).toEqual([1, 3]);
  expect(errors).toMatchObject([{ offset: record(1).length }]);
});

test('random damage: nothing but a LogError, and no whole record is lost', async () => {
  const damages = fc.array(fc.record({ place: fc.nat(), byte: fc.nat(255) }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 30 }), damages, async (n, list) => {
      const records = Array.from({ length: n }, (_, i) => record(i + 1));
      const size = records[0]!.length;
      const bytes = Buffer.concat(records);
      const hit = new Set<number>();
      for (const { place, byte } of list) {
        const at = place % bytes.length;
        if (bytes[at] !== byte) hit.add(Math.floor(at / size) + 1);
        bytes[at] = byte;
      }
      const untouched = steps(records.map((_, i) => ({ step: i + 1 }))).filter((step) => !hit.has(step));
      const path = fileOf(bytes);
      const read = steps(await all(readEvents(path, { onCorrupt: (e) => expect(e).toBeInstanceOf(LogError) })));
      expect(read.filter((step) => !hit.has(step))).toEqual(untouched);
      await all(readEvents(path)).catch((thrown) => expect(thrown).toBeInstanceOf(LogError));
    }),
    { numRuns: 150 },
  );
});

test('records removed from or put into the middle of a file cost only themselves', async () => {
  const cut = record(2).subarray(0, 25); // its header is right, its data runs into the next record
  const path = fileOf(record(1), cut, record(3), Buffer.alloc(100), record(4));
  const errors: LogError[] = [];
  expect(steps(await all(readEvents(path, { onCorrupt: (error) => errors.push(error) })))).toEqual([1, 3, 4]);
  expect(errors.map((error) => error.offset)).toEqual([record(1).length, 2 * record(1).length + cut.length]);
});

test('records longer than a read, and many of them', async () => {
  const path = fileOf();
  const long = 'x'.repeat(700_001);
  const writer = createFileWriter(join(path, '..', 'run'));
  for (let i = 0; i < 5; i++) writer.text('long', long + i, i);
  await writer.close();
  const points = await all(readPoints(writer.path));
  expect(points.map((p) => p.kind === 'text' && p.text.length)).toEqual(Array(5).fill(long.length + 1));
});

test('a tail sees what is appended, also when a record arrives in pieces', async () => {
  const path = fileOf(record(1));
  const tail = await openTail(path);
  expect(steps(await tail.read())).toEqual([1]);
  expect(await tail.read()).toEqual([]);
  appendFileSync(path, record(2).subarray(0, 17));
  expect(await tail.read()).toEqual([]);
  expect(tail.offset).toBe(record(1).length);
  appendFileSync(path, record(2).subarray(17));
  expect(steps(await tail.read())).toEqual([2]);
  await tail.close();
});

test('following: a growing file, then the next file of the folder, until the signal', async () => {
  const dir = join(folder(), 'run');
  mkdirSync(dir);
  const stop = new AbortController();
  const seen: Point[] = [];
  const first = createFileWriter(dir);
  let second: FileWriter | undefined;
  first.scalar('a', 1, 1);
  await first.flush();
  for await (const point of readPoints(dir, { follow: stop.signal, pollSeconds: 0.01 })) {
    seen.push(point);
    if (point.step === 1) {
      first.scalar('a', 2, 2);
      void first.flush();
    } else if (point.step === 2) {
      second = createFileWriter(dir);
      second.scalar('a', 3, 3);
      void second.flush();
    } else stop.abort();
  }
  expect(steps(seen)).toEqual([1, 2, 3]);
  await first.close();
  await second?.close();
});

test('nothing to read is a typed error that names the place', async () => {
  const dir = folder();
  for (const path of [dir, join(dir, 'nowhere')]) {
    await expect(all(readEvents(path))).rejects.toThrow(
      expect.objectContaining({ name: 'LogError', code: 'missing', path }),
    );
  }
});

test('a tag that names its dashboard only once is decoded to the end, and unknown dashboards are handed on', async () => {
  const writer = createFileWriter(folder());
  const tensor = { dtype: 'float', shape: [], values: [0.25] } as const;
  const base = { kind: 'summary', wallTime: 0 } as const;
  writer.write({ ...base, step: 1, values: [{ tag: 'loss', tensor, metadata: { plugin: 'scalars' } }] });
  writer.write({ ...base, step: 2, values: [{ tag: 'loss', tensor }] });
  writer.write({ ...base, step: 3, values: [{ tag: 'mesh', tensor, metadata: { plugin: 'mesh' } }] });
  await writer.close();
  expect(await all(readPoints(writer.path))).toMatchObject([
    { kind: 'scalar', value: 0.25 },
    { kind: 'scalar', value: 0.25 },
    { kind: 'other', raw: { tag: 'mesh', metadata: { plugin: 'mesh' } } },
  ]);
});

test('an abandoned reading closes its file', async () => {
  const writer = createFileWriter(folder());
  writer.scalar('a', 1, 1);
  await writer.close();
  for await (const event of readEvents(writer.path)) if (event.kind === 'version') break;
  expect(readFileSync(writer.path).length).toBeGreaterThan(0);
});
