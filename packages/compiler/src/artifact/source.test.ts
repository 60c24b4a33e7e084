import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { interpreter } from '../loop/backend.ts';
import { encodeBundle } from './encode.ts';
import { loadBundle } from './load.ts';
import { openBundle, verifyBundle } from './reader.ts';
import { bundleBytes, collect, collectFiles, sampleBundle } from './samples.test.kit.ts';
import type { ByteSource } from './source.ts';
import { bytesSource, fileSource, urlSource } from './source.ts';

const backend = interpreter();
const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i ^ (i >> 8));
const bundle = await sampleBundle(backend);
const sinter = await bundleBytes(bundle);
const shards = await collectFiles(
  await encodeBundle({ ...bundle, name: 'sharded' }, { weights: 'beside', maxShardBytes: 50 }),
);

/** A server of files: `/ranges/…` knows ranges, `/whole/…` does not, `/unsized/…` does not say how long it is either, `/broken/…` ends too early. */
let server: Server;
let base: string;
const requests: string[] = [];

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [, how, name] = request.url!.split('/') as [string, string, string];
  const file = new Map([['bytes', bytes], ['sample.sinter', sinter], ...shards]).get(name);
  requests.push(`${how} ${request.headers.range ?? ''}`);
  if (!file) return void response.writeHead(404, 'Not Found').end();
  const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '');
  if (how === 'ranges' && range) {
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), file.length - 1)];
    if (from >= file.length) return void response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
    const part = file.subarray(from, to + 1);
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${file.length}`, 'content-length': part.length });
    response.end(part);
  } else if (how === 'broken') {
    response.writeHead(200, { 'content-length': file.length });
    response.write(file.subarray(0, file.length >> 1), () => response.destroy());
  } else {
    response.writeHead(200, how === 'unsized' ? {} : { 'content-length': file.length });
    response.end(file);
  }
}

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const folder = mkdtemp(join(tmpdir(), 'sinter-source-'));
afterAll(async () => rm(await folder, { recursive: true }));

async function sources(): Promise<Record<string, ByteSource>> {
  const path = join(await folder, 'bytes');
  await writeFile(path, bytes);
  return {
    bytes: bytesSource(bytes),
    buffer: bytesSource(bytes.buffer),
    blob: bytesSource(new Blob([bytes])),
    file: fileSource(await open(path)),
    ranges: urlSource(`${base}/ranges/bytes`),
    whole: urlSource(`${base}/whole/bytes`),
  };
}

test('every source gives the same bytes, forward, backward and across its end', async () => {
  const same = async (got: AsyncIterable<Uint8Array>, want: Uint8Array): Promise<boolean> =>
    Buffer.compare(await collect(got), want) === 0;
  for (const [kind, source] of Object.entries(await sources())) {
    for (const [offset, length] of [
      [0, 64],
      [64, 1_500_000],
      [2_000_000, 7],
      [10, 100],
      [2_999_990, 100],
      [0, 0],
    ] as const)
      expect(
        await same(source.read(offset, length), bytes.subarray(offset, offset + length)),
        `${kind} ${offset}`,
      ).toBe(true);
    expect(await collect(source.read(bytes.length + 5, 10)), kind).toEqual(new Uint8Array(0));
    expect(await source.size(), kind).toBe(bytes.length);
  }
});

test('a server that knows ranges is asked for what is needed', async () => {
  requests.length = 0;
  await using loaded = await loadBundle(urlSource(`${base}/ranges/sample.sinter`), backend, { selfCheck: true });
  expect(await loaded.state.read('b')).toEqual(bundle.weights!['b']!.data);
  // The head with the manifest, code, weights, cases.
  expect(requests.length).toBe(4);
});

test('a server that does not sends all of it, once, for as long as reading goes forward', async () => {
  for (const how of ['whole', 'unsized']) {
    requests.length = 0;
    await using loaded = await loadBundle(urlSource(`${base}/${how}/sample.sinter`), backend);
    expect(await loaded.state.read('b')).toEqual(bundle.weights!['b']!.data);
    expect(requests.length).toBe(1);
    expect((await loaded.file('config.json')).length).toBe(17);
    expect(requests.length).toBeLessThanOrEqual(2);
  }
});

test('weights in shards beside, at URLs relative to the file', async () => {
  await verifyBundle(urlSource(new URL(`${base}/ranges/sharded.sinter`)));
  await using loaded = await loadBundle(urlSource(`${base}/whole/sharded.sinter`), backend, { selfCheck: true });
  expect(await loaded.state.read('w')).toEqual(bundle.weights!['w']!.data);
});

test('what cannot be fetched is an error that says why', async () => {
  const fault = (url: string, message: RegExp) =>
    expect(openBundle(urlSource(url))).rejects.toMatchObject({
      fault: 'source',
      message: expect.stringMatching(message) as string,
    });
  await fault(`${base}/ranges/other`, /other cannot be fetched: the server says 404 Not Found/);
  await fault('http://127.0.0.1:1/a.sinter', /cannot be fetched/);
  await expect(verifyBundle(urlSource(`${base}/broken/sample.sinter`))).rejects.toMatchObject({
    fault: 'source',
    message: expect.stringMatching(/the transfer broke off after \d+ bytes/) as string,
  });
});

test('fetching can be called off, and what fetch is can be chosen', async () => {
  const stop = new AbortController();
  const urls: string[] = [];
  const source = urlSource(`${base}/ranges/bytes`, { fetch: (url, init) => (urls.push(url), fetch(url, init)) });
  const read = (async () => {
    for await (const _ of source.read(0, bytes.length, stop.signal)) stop.abort(new Error('enough'));
  })();
  await expect(read).rejects.toThrow('enough');
  expect(urls).toEqual([`${base}/ranges/bytes`]);
});
