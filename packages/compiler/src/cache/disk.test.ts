/** Entries survive processes, damage and each other; the oldest go first. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { cacheFolder, diskCache } from './index.ts';

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'sinter-cache-'));
  folders.push(folder);
  return folder;
};
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const bytes = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value);

test('what was written is read, by another cache of the folder too', async () => {
  const folder = join(newFolder(), 'made', 'when needed');
  await diskCache(folder).write('a key', Uint8Array.of(1, 2, 3));
  expect(await diskCache(folder).read('a key')).toEqual(Uint8Array.of(1, 2, 3));
  expect(await diskCache(folder).read('another')).toBeUndefined();
  await diskCache(folder).write('a key', Uint8Array.of(4));
  expect(await diskCache(folder).read('a key')).toEqual(Uint8Array.of(4));
  await diskCache(folder).write('empty', new Uint8Array(0));
  expect(await diskCache(folder).read('empty')).toEqual(new Uint8Array(0));
  expect(statSync(folder).mode & 0o77).toBe(0);
});

test.each([
  ['a flipped bit', (file: Buffer) => (file.writeUInt8(file.at(-1)! ^ 1, file.length - 1), file)],
  ['a missing end', (file: Buffer) => file.subarray(0, file.length - 1)],
  ['nothing at all', (file: Buffer) => file.subarray(0, 0)],
])('an entry with %s is dropped', async (_, damage) => {
  const folder = newFolder();
  const cache = diskCache(folder);
  await cache.write('key', bytes(100));
  const path = join(folder, readdirSync(folder)[0]!);
  writeFileSync(path, damage(readFileSync(path)));
  expect(await cache.read('key')).toBeUndefined();
  expect(readdirSync(folder)).toEqual([]);
});

test('what was used least recently goes first', async () => {
  const folder = newFolder();
  const cache = diskCache(folder, { maxBytes: 3500 });
  for (const [i, key] of ['a', 'b', 'c'].entries()) {
    const before = new Set(readdirSync(folder));
    await cache.write(key, bytes(1000));
    const path = join(
      folder,
      readdirSync(folder).find((name) => !before.has(name))!,
    );
    utimesSync(path, 1000 + i, 1000 + i);
  }
  expect(await cache.read('a')).toBeDefined();
  await cache.write('d', bytes(1000));
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => (await cache.read(key))?.length))).toEqual([
    1000,
    undefined,
    1000,
    1000,
  ]);
});

test('a folder that cannot be written keeps nothing, and fails nobody', async () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  const cache = diskCache(join(file, 'in it'));
  await cache.write('key', bytes(1));
  expect(await cache.read('key')).toBeUndefined();
});

test('SINTER_CACHE names the folder, or turns the default off', async () => {
  const before = process.env['SINTER_CACHE'];
  const folder = newFolder();
  try {
    process.env['SINTER_CACHE'] = folder;
    expect(cacheFolder()).toBe(folder);
    await diskCache().write('key', bytes(1));
    expect(readdirSync(folder)).toEqual(['compiler']);
    process.env['SINTER_CACHE'] = 'off';
    await diskCache().write('key', bytes(1));
    expect(await diskCache().read('key')).toBeUndefined();
    await diskCache(folder).write('key', bytes(1));
    expect(await diskCache(folder).read('key')).toEqual(bytes(1));
  } finally {
    if (before === undefined) delete process.env['SINTER_CACHE'];
    else process.env['SINTER_CACHE'] = before;
  }
});

test('processes write and read the same entries at once', async () => {
  const folder = newFolder();
  const here = JSON.stringify(new URL('./index.ts', import.meta.url).href);
  const script = `
    import { diskCache } from ${here};
    const cache = diskCache(${JSON.stringify(folder)}, { maxBytes: 300_000 });
    for (let round = 0; round < 40; round++) {
      const key = 'key' + (round % 8);
      await cache.write(key, new Uint8Array(20_000).fill(round % 8));
      const found = await cache.read('key' + ((round * 3) % 8));
      if (found && (found.length !== 20_000 || found.some((byte) => byte !== (round * 3) % 8))) throw new Error('torn');
    }`;
  const args = ['--conditions=@sinter/source', '--import', 'tsx', '--input-type=module', '-e', script];
  const runs = await Promise.all([0, 1, 2].map(() => promisify(execFile)(process.execPath, args)));
  expect(runs.map(({ stderr }) => stderr)).toEqual(['', '', '']);
  expect(readdirSync(folder).filter((name) => !name.endsWith('.kept'))).toEqual([]);
  expect(await diskCache(folder).read('key0')).toEqual(bytes(20_000, 0));
});
