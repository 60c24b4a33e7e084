/** The page on artifacts: its example runs, and a file is read here by the page's rules alone. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '@sinter/compiler';
import { encodeBundle } from '@sinter/compiler/artifact';
import type { EncodedFile } from '@sinter/compiler/artifact';
import { cpu } from '@sinter/backend-cpu';
import { constant, graph, input, linear, mul, state } from '@sinter/ir';
import { readSafetensors } from '@sinter/models';
import { afterAll, expect, test } from 'vitest';

const page = readFileSync(new URL('./artifacts.md', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sinter-artifacts-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function bytesOf(file: EncodedFile): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const w = Float32Array.from({ length: 12 }, (_, i) => i / 8);
const model = graph('tiny', {
  outputs: { y: mul(linear(input('x', ['batch', 4]), state('w', [3, 4])), constant(Float32Array.of(1, 2, 3), [3])) },
});
const bundle = {
  name: 'tiny',
  entries: { forward: await build(model, cpu({ threads: 1 }), { dims: { batch: { max: 8 } } }) },
  weights: { w: { dtype: 'f32' as const, shape: [3, 4], data: w } },
  files: { 'note.txt': Buffer.from('hello') },
  source: { model: 'tiny' },
};

/** JSON, looked into without ceremony. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

/** A reader by the page: head, manifest, parts. */
function parse(file: Buffer): { manifest: Json; part: (n: number) => Buffer } {
  expect(file.subarray(0, 8).toString('hex')).toBe('8953494e5445520a');
  expect(file.readUInt32LE(8)).toBe(1);
  const json = file.subarray(64, 64 + file.readUInt32LE(12));
  expect(createHash('sha256').update(json).digest('hex')).toBe(file.subarray(16, 48).toString('hex'));
  const manifest = JSON.parse(json.toString()) as Json;
  const start = Math.ceil((64 + json.length) / 256) * 256;
  const part = (n: number): Buffer => {
    const { offset, bytes, sha256 } = manifest['parts']![n]!;
    const at = start + offset!;
    const found = file.subarray(at, at + bytes!);
    const pieces = Array.from({ length: Math.ceil(found.length / 4194304) }, (_, i) =>
      createHash('sha256')
        .update(found.subarray(4194304 * i, 4194304 * (i + 1)))
        .digest('hex'),
    );
    expect(pieces).toEqual(sha256);
    return found;
  };
  return { manifest, part };
}

test('a file is what the page says', async () => {
  const { files } = await encodeBundle(bundle);
  const { manifest, part } = parse(await bytesOf(files[0]));
  expect(part(manifest['files']!['note.txt']!).toString()).toBe('hello');
  const { part: number, at } = manifest['state']!['w']!['from']!;
  const stored = part(number!);
  expect(new Float32Array(Uint8Array.from(stored.subarray(at!, at! + 48)).buffer)).toEqual(w);
  expect(at! % 256).toBe(0);
  const forward = manifest['entries']!['forward']!;
  const plan = JSON.parse(part(forward['plan']!).toString()) as Json;
  expect(plan['steps']!.length).toBe(bundle.entries.forward.steps.length);
  const [constantName] = Object.keys(forward['constants']!);
  expect(new Float32Array(Uint8Array.from(part(forward['constants']![constantName!]!)).buffer)).toEqual(
    Float32Array.of(1, 2, 3),
  );
  const last = manifest['parts']!.at(-1)!;
  expect(last['offset']! % 256).toBe(0);
});

test('every member of a manifest and of a plan stands on the page', async () => {
  const { files } = await encodeBundle({
    ...bundle,
    check: { forward: { inputs: { x: { data: new Float32Array(4), shape: [1, 4] } }, outputs: {} } },
  });
  const { manifest, part } = parse(await bytesOf(files[0]));
  const entry = manifest['entries']!['forward']!;
  const plan = JSON.parse(part(entry['plan']!).toString()) as Json;
  const members = [
    manifest,
    entry,
    entry['requires']!,
    plan,
    plan['buffers']![0]!,
    manifest['parts']![0]!,
    manifest['state']!['w']!,
    manifest['check']!['forward']!,
  ];
  const names = members.flatMap((object) => Object.keys(object));
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('weights beside are safetensors files that other readers take', async () => {
  const { files } = await encodeBundle(bundle, { weights: 'beside' });
  for (const file of files) writeFileSync(join(folder, file.name), await bytesOf(file));
  const read = await readSafetensors(join(folder, 'model.safetensors'));
  expect((await read.read('w')).data).toEqual(w);
  await read.close();
});

test('the example runs', async () => {
  const [, example] = /```ts\n(.*?)```/s.exec(page)!;
  const path = fileURLToPath(new URL(`./artifacts-example-${process.pid}.ts`, import.meta.url));
  writeFileSync(
    path,
    example!.replace(/console\.log\((.*)\);/, 'export const result = $1;').replace(', loaded.state.ports', ''),
  );
  try {
    const { result } = (await import(path)) as { result: Float32Array };
    expect(result.length).toBe(3);
    expect(result[0]).toBeLessThan(5);
  } finally {
    rmSync(path);
  }
});
