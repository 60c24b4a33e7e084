import { ShapeError } from '@sinter/ir';
import { expect, test } from 'vitest';
import type { Signature } from './bind.ts';
import { bindInputs } from './bind.ts';

const program: Signature = {
  name: 'p',
  dims: { batch: { min: 1, max: 4 }, seq: { min: 1, max: 8 }, width: { min: 3, max: 3 } },
  inputs: {
    ids: { shape: ['batch', 'seq'], dtype: 'i32', buffer: 0 },
    both: { shape: ['batch*seq', 'width'], dtype: 'f32', buffer: 1 },
  },
};

const given = (batch: number, seq: number, rows = batch * seq, width = 3) => ({
  ids: { data: new Int32Array(batch * seq), shape: [batch, seq] },
  both: { data: new Float32Array(rows * width), shape: [rows, width] },
});

test('sizes follow from shapes, and those that are fixed are there', () => {
  expect(bindInputs(program, given(2, 5))).toEqual({ batch: 2, seq: 5, width: 3 });
});

test.each([
  ['a size out of range', given(5, 2), /'batch' is 5, .* 1 to 4/],
  ['a size that is fixed', given(2, 2, 4, 4), /input 'both' .* got \[4, 4\]: 'width' is 3/],
  [
    'a product of sizes',
    given(2, 2, 5),
    /input 'both' is f32\[batch\*seq, width\], got \[5, 3\]: 'batch\*seq' must be 4/,
  ],
  [
    'another typed array',
    { ...given(2, 2), ids: { data: new Float32Array(4), shape: [2, 2] } },
    /'ids' is i32\[batch, seq\]: its data must be an Int32Array, not Float32Array/,
  ],
  ['a missing input', { ids: given(1, 1).ids }, /input 'both' is missing/],
  ['an input too many', { ...given(1, 1), mask: given(1, 1).ids }, /there is no input 'mask'/],
])('%s is a ShapeError', (_what, inputs, message) => {
  const attempt = (): unknown => bindInputs(program, inputs);
  expect(attempt).toThrow(ShapeError);
  expect(attempt).toThrow(message);
});

test('a size that no input tells is named', () => {
  expect(() => bindInputs({ ...program, inputs: {} }, {})).toThrow("the size 'batch' has no value");
});
