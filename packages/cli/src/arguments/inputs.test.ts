import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseInput, tensorsOf } from './inputs.ts';

const ports = {
  ids: { shape: ['batch', 'seq'], dtype: 'i32', buffer: 0 },
  lr: { shape: [], dtype: 'f32', buffer: 1 },
  mask: { shape: [2], dtype: 'bool', buffer: 2 },
} as const;
const read = (...texts: string[]) =>
  tensorsOf(texts.reduce<object>((all, text) => parseInput(text, all as never), {}) as never, ports);

test('tensors are JSON: numbers, nested lists, or shape and data', () => {
  expect(read('ids=[[1,2,3],[4,5,6]]', 'lr=0.5', 'mask=[true,false]')).toEqual({
    ids: { shape: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 6) },
    lr: { shape: [], data: Float32Array.of(0.5) },
    mask: { shape: [2], data: Uint8Array.of(1, 0) },
  });
  expect(read('ids={"shape":[1,2],"data":[7,8]}')).toEqual({ ids: { shape: [1, 2], data: Int32Array.of(7, 8) } });
  expect(read('ids=[]')).toEqual({ ids: { shape: [0], data: new Int32Array(0) } });
});

test('or in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inputs-'));
  writeFileSync(join(folder, 'ids.json'), '[[1]]');
  expect(read(`ids=@${join(folder, 'ids.json')}`)).toEqual({ ids: { shape: [1, 1], data: Int32Array.of(1) } });
  rmSync(folder, { recursive: true });
  expect(() => read(`ids=@${folder}/none.json`)).toThrow(/none\.json cannot be read \(ENOENT\)/);
});

test.each([
  ['ids', "'ids': write name=[[1, 2]] or name=@file.json"],
  ['ids=[1', /'ids': '\[1' is not JSON/],
  ['idz=[1]', "there is no input 'idz'; the inputs are ids, lr, mask"],
  ['ids=[[1,2],[3]]', "'ids' is i32[batch, seq]: lists of one level must have one length, here 2"],
  ['ids=[[1],2]', /lists of one level must have one length/],
  ['ids=[["a"]]', '"a" is no number'],
  ['ids=[[0.5]]', '0.5 is no whole number'],
  ['ids={"shape":2}', 'an object must be { "shape": […], "data": […] }'],
  ['lr=null', 'null is no number'],
])('--input %s is refused', (text, why) => {
  expect(() => read(text)).toThrow(why);
});
