import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { parseDims, parseSizes, showDim } from './dims.ts';
import { parseBytes, parseChoices, parseNumber } from './lists.ts';

test('sizes are numbers and ranges, and may be said in several options', () => {
  const first = parseDims('batch=1..32, seq=128');
  expect(first).toEqual({ batch: { min: 1, max: 32 }, seq: 128 });
  expect(parseDims('width=..9,height=4..', first)).toEqual({ ...first, width: { max: 9 }, height: { min: 4 } });
  expect(parseSizes('batch=8')).toEqual({ batch: 8 });
});

test.each([
  ['batch', /'batch': write name=8/],
  ['batch=', /write name=8/],
  ['batch=a', /write name=8/],
  ['batch=-1', /write name=8/],
  ['=8', /write name=8/],
  ['batch=1.5', /write name=8/],
  ['batch=0', /'batch=0': a size is from 1/],
  ['batch=0..4', /a size is from 1/],
  ['batch=99999999999', /a size is from 1 to 2147483647/],
  ['batch=..', /a range needs at least one end/],
  ['batch=8..4', /ends before it begins/],
  ['batch=1,batch=2', /'batch' is given twice/],
  ['', /write name=8/],
])('--dims %s is refused', (text, why) => {
  expect(() => parseDims(text)).toThrow(UsageError);
  expect(() => parseDims(text)).toThrow(why);
});

test('where a size must be one number, a range is refused', () => {
  expect(() => parseSizes('batch=1..4')).toThrow("--dims: 'batch=1..4': here a size is one number");
});

test('sizes are shown as they are written', () => {
  expect([8, { min: 1, max: 32 }, { min: 4 }, { max: 9 }, { min: 3, max: 3 }].map(showDim)).toEqual([
    '8',
    '1..32',
    '4..',
    '1..9',
    '3',
  ]);
});

test('lists hold what is known, once', () => {
  expect(parseChoices('--entry', 'forward, train_step', ['forward', 'train_step'])).toEqual(['forward', 'train_step']);
  expect(() => parseChoices('--entry', 'forwrad', ['forward'])).toThrow("--entry: 'forwrad' is none of forward");
  expect(() => parseChoices('--entry', 'forward,forward', ['forward'])).toThrow("'forward' is given twice");
});

test('amounts of bytes', () => {
  expect(['4000', '500MB', '1.5GiB', '64 KiB'].map((text) => parseBytes('--max', text))).toEqual([
    4000,
    5e8,
    1.5 * 2 ** 30,
    65536,
  ]);
  for (const bad of ['', 'MB', '0', '5 parsecs', '-1', '0.1'])
    expect(() => parseBytes('--max', bad), bad).toThrow(/--max is '.*'; write bytes/);
});

test('numbers', () => {
  expect(parseNumber('--weight_decay', '0.01', 'a number ≥ 0', (x) => x >= 0)).toBe(0.01);
  for (const bad of ['', 'x', '-1', 'NaN'])
    expect(() => parseNumber('--weight_decay', bad, 'a number ≥ 0', (x) => x >= 0)).toThrow(/it must be a number ≥ 0/);
});
