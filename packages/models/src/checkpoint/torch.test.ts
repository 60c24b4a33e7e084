import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { AutoModelForSequenceClassification } from '../registry.ts';
import { readSafetensors } from './safetensors.ts';
import { readTorch } from './torch.ts';
import { openWeights } from './weights.ts';
import type { WeightsFile } from './weights-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sinter-torch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(folder, `${count++}.bin`);
const golden = fileURLToPath(new URL('../../goldens/torch', import.meta.url));

/** Expects both to have the same tensors, bit for bit. */
async function expectSame(bin: string, safetensors: string): Promise<void> {
  const [file, wanted] = [await readTorch(bin), await readSafetensors(safetensors)];
  expect([...file.names].sort()).toEqual([...wanted.names].sort());
  for (const name of file.names) {
    expect(file.info(name), name).toEqual(wanted.info(name));
    expect(await file.read(name), name).toEqual(await wanted.read(name));
    const isFloat = /^b?f\d/.test(file.info(name).dtype);
    if (isFloat) expect(await file.readF32(name), name).toEqual(await wanted.readF32(name));
  }
  await file.close();
  await wanted.close();
}

/** An archive as torch.save makes one, around any pickle. */
function archive(pickle: Uint8Array, files: Record<string, Uint8Array> = {}, level: 0 | 9 = 0): string {
  const path = fresh();
  const entries = { 'x/data.pkl': pickle, ...files };
  writeFileSync(path, zipSync(entries, { level }));
  return path;
}

const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** The pickle of `{'w': a tensor of the storage '0'}`, with four elements. */
function stateDict(rebuild: string): Uint8Array {
  const storage = '(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ';
  return latin(`\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(${storage}${rebuild}tRs.`);
}
const fourFloats = { 'x/data/0': new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) };

test('reads what torch.save wrote, in every dtype and order', async () => {
  await expectSame(join(golden, 'pytorch_model.bin'), join(golden, 'expected.safetensors'));
  const file = await openWeights(golden);
  expect(file.path).toBe(join(golden, 'pytorch_model.bin'));
  expect((await file.readI32('i64')).data).toEqual(Int32Array.of(3, 4, 5, 6, 7, 8));
  await expect(file.readI32('i64.large')).rejects.toMatchObject({ code: 'bad-tensor' });
  await expect(file.read('none')).rejects.toMatchObject({ code: 'unknown-tensor' });
  await file.close();
});

describe('what it refuses', () => {
  const system = latin('\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R.');

  test.each([
    ['a call of os.system', system, 'os.system'],
    ['eval, by protocol 4', latin('\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.'), 'builtins.eval'],
    ['an instance in a way of old', latin('(ios\nsystem\n.'), 'os.system'],
    [
      'a class that it only names',
      latin('\x80\x02ctorch.nn.modules.linear\nLinear\n.'),
      'torch.nn.modules.linear.Linear',
    ],
    ['an object', latin('\x80\x02csubprocess\nPopen\n)\x81.'), 'subprocess.Popen'],
    ['one inside of a state dict', latin('\x80\x02}X\x01\0\0\0wcos\nsystem\nX\x04\0\0\0echo\x85Rs.'), 'os.system'],
    ['a name of every JavaScript object', latin('\x80\x02c__proto__\nconstructor\n.'), '__proto__.constructor'],
  ])('%s', async (_, pickle, name) => {
    await expect(readTorch(archive(pickle))).rejects.toMatchObject({
      code: 'unsafe-pickle',
      message: expect.stringContaining(`the Python object "${name}"`),
    });
  });

  test.each([
    [
      'a storage that is too short',
      stateDict('K\x01K\x04\x85K\x01\x85\x89ccollections\nOrderedDict\n)R'),
      'bad-tensor',
    ],
    ['a tensor whose shape and strides disagree', stateDict('K\0K\x04\x85)\x89N'), 'bad-header'],
    ['a stride that is no number', stateDict('K\0K\x04\x85N\x85\x89N'), 'bad-header'],
    ['a storage that is none', latin('\x80\x02K\x01Q.'), 'bad-header'],
    [
      'a storage outside of the archive',
      latin('\x80\x02}X\x01\0\0\0w(X\x07\0\0\0storagectorch\nFloatStorage\nX\x04\0\0\0../0NK\x04tQs.'),
      'bad-header',
    ],
    ['a pickle that ends in the middle', latin('\x80\x02}X\xff\xff\0\0w'), 'bad-header'],
    ['a pickle that takes from an empty stack', latin('\x80\x02R.'), 'bad-header'],
    ['a pickle that calls a number', latin('\x80\x02K\x01)R.'), 'bad-header'],
    ['a pickle that calls nothing', latin('\x80\x02N)R.'), 'bad-header'],
    ['an operation that weights do not need', latin('\x80\x02\x82\x01.'), 'bad-header'],
    ['a number of a million digits', latin(`\x80\x02\x8b\0\0\x10\0${'x'.repeat(1 << 20)}.`), 'bad-header'],
    ['no state dict', latin('\x80\x02K\x01.'), 'bad-tensor'],
    ['a dictionary of no tensors', latin('\x80\x02}X\x01\0\0\0wK\x01s.'), 'bad-tensor'],
  ])('%s', async (_, pickle, code) => {
    await expect(readTorch(archive(pickle, fourFloats))).rejects.toMatchObject({ name: 'CheckpointError', code });
  });

  test('archives that are none, cut, compressed or big-endian', async () => {
    const good = stateDict('K\0K\x02K\x02\x86K\x01K\x02\x86\x89N');
    const file = await readTorch(archive(good, fourFloats));
    expect(await file.read('w')).toEqual({ dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, 3, 2, 4) });
    await file.close();
    await expect(readTorch(archive(good, fourFloats, 9))).rejects.toMatchObject({ code: 'unsupported' });
    await expect(readTorch(archive(good, { ...fourFloats, 'x/byteorder': latin('big') }))).rejects.toMatchObject({
      code: 'unsupported',
    });
    await expect(readTorch(archive(good))).rejects.toThrow(/no "x\/data\/0"/);
    const write = (bytes: Uint8Array) => {
      const path = fresh();
      writeFileSync(path, bytes);
      return path;
    };
    await expect(readTorch(write(zipSync({ 'x/constants.pkl': good })))).rejects.toMatchObject({ code: 'bad-header' });
    await expect(readTorch(write(latin('\x80\x02\x8a\x0al\xfc\x9c')))).rejects.toThrow(/before 1\.6/);
    await expect(readTorch(write(latin('hello')))).rejects.toMatchObject({ code: 'bad-header' });
    await expect(readTorch(write(new Uint8Array(0)))).rejects.toMatchObject({ code: 'bad-header' });
    await expect(readTorch(fresh())).rejects.toMatchObject({ code: 'missing-file' });
  });

  test('a file that is cut anywhere: an error of ours, or the tensors', async () => {
    const whole = readFileSync(join(golden, 'pytorch_model.bin'));
    const path = fresh();
    for (const length of [3, 21, 100, 5000, whole.length - 1, whole.length - 23, whole.length - 100]) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(readTorch(path), String(length)).rejects.toMatchObject({ name: 'CheckpointError' });
    }
  });

  test('a file with any byte changed: an error of ours, or tensors', async () => {
    const whole = readFileSync(join(golden, 'pytorch_model.bin'));
    const path = fresh();
    const step = Math.ceil(whole.length / 300);
    for (let at = 0; at < whole.length; at += step) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x55;
      writeFileSync(path, changed);
      const file: WeightsFile | Error = await readTorch(path).catch((error: Error) => error);
      if (file instanceof Error) expect(file.name, `${at}: ${file.stack}`).toBe('CheckpointError');
      else await file.close();
    }
  });
});

const python = findPython(['torch', 'safetensors', 'transformers']);
describe.skipIf(!python)('Python', () => {
  test('what its torch.save writes now is read', () => {
    const script = fileURLToPath(new URL('../../../../tools/goldens/torch_bin.py', import.meta.url));
    execFileSync(python!, [script, join(folder, 'now')]);
    return expectSame(join(folder, 'now', 'pytorch_model.bin'), join(folder, 'now', 'expected.safetensors'));
  });

  test('a model that it saved as .bin, whole and split, is the model', async () => {
    const tiny = fileURLToPath(new URL('../../goldens/tiny-bert', import.meta.url));
    const script = `
import sys
from transformers import BertForSequenceClassification
model = BertForSequenceClassification.from_pretrained(sys.argv[1])
model.save_pretrained(sys.argv[2] + '/whole', safe_serialization=False)
model.save_pretrained(sys.argv[2] + '/split', safe_serialization=False, max_shard_size='40KB')`;
    execFileSync(python!, ['-c', script, tiny, folder]);
    expect(readdirSync(join(folder, 'split')).filter((name) => name.endsWith('.bin')).length).toBeGreaterThan(1);
    const { parameters } = await AutoModelForSequenceClassification.from_pretrained(tiny);
    for (const name of ['whole', 'split']) {
      const model = await AutoModelForSequenceClassification.from_pretrained(join(folder, name), { strict: true });
      expect(model.parameters).toEqual(parameters);
    }
  });

  test('what its pickle makes of hostile objects is refused, by the name of the object', async () => {
    const script = `
import os, sys, torch, builtins, subprocess, functools
class Bad:
    def __init__(self, *call): self.call = call
    def __reduce__(self): return self.call
calls = dict(system=(os.system, ('touch ' + sys.argv[1] + '/pwned',)), eval=(eval, ('1',)), exec=(exec, ('1',)),
             popen=(subprocess.Popen, (['true'],)), load=(torch.load, ('x',)))
for protocol in (2, 3, 4, 5):
    for name, call in calls.items():
        torch.save({'w': torch.ones(2), 'x': Bad(*call)}, f'{sys.argv[1]}/{name}-{protocol}.bin', pickle_protocol=protocol)
    torch.save(torch.nn.Linear(2, 2), f'{sys.argv[1]}/module-{protocol}.bin', pickle_protocol=protocol)
    torch.save({'w': torch.ones(2), 'n': 1, 's': {'deep': [1.5, None, (True,)]}}, f'{sys.argv[1]}/good-{protocol}.bin', pickle_protocol=protocol)
`;
    execFileSync(python!, ['-c', script, folder]);
    const names = {
      system: 'posix.system',
      eval: 'eval',
      exec: 'exec',
      popen: 'Popen',
      load: 'torch.serialization.load',
      module: 'torch.nn.modules.linear.Linear',
    };
    for (const protocol of [2, 3, 4, 5]) {
      for (const [name, object] of Object.entries(names))
        await expect(readTorch(join(folder, `${name}-${protocol}.bin`)), `${name} ${protocol}`).rejects.toMatchObject({
          code: 'unsafe-pickle',
          message: expect.stringMatching(`${object.replaceAll('.', '\\.')}"`),
        });
      const file = await readTorch(join(folder, `good-${protocol}.bin`));
      expect((await file.read('w')).data).toEqual(Float32Array.of(1, 1));
      await file.close();
    }
  });
});
