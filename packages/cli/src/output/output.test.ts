import { expect, test } from 'vitest';
import { decisive, showSize } from './sizes.ts';
import { showBytes, showTime, table } from './text.ts';

test('sizes are sums of products, numbers first', () => {
  expect(showSize(['add', ['mul', ['mul', 'batch', 'seq'], ['mul', 'seq', 512]], 9216])).toBe('512·batch·seq² + 9,216');
  expect(showSize(['mul', 'batch', ['mul', ['div', ['add', 'seq', 11], 12], 1536]])).toBe(
    '1,536·batch·⌊(seq + 11)/12⌋',
  );
  expect(showSize(['mul', ['add', 'a', 1], ['sub', 'b', ['mul', 2, 'c']]])).toBe('(a + 1)·(b − 2·c)');
  expect([showSize(0), showSize('batch'), showSize(['mod', 'a', 4])]).toEqual(['0', 'batch', 'mod(a, 4)']);
});

test('of a maximum, the formula that decides', () => {
  const size = ['max', ['mul', 'n', 10], ['max', 50, ['mul', 'n', 'n']]] as const;
  expect([1, 7, 20].map((n) => decisive(size, { n }))).toEqual([50, ['mul', 'n', 10], ['mul', 'n', 'n']]);
});

test('amounts', () => {
  expect([0, 1023, 1024, 1.5 * 2 ** 20, 2 ** 30 * 300].map(showBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.00 KiB',
    '1.50 MiB',
    '300.0 GiB',
  ]);
  expect([3.4, 1500].map(showTime)).toEqual(['3 ms', '1.50 s']);
});

test('columns are as wide as they must be', () => {
  expect(
    table(
      ['name', 'n'],
      [
        ['a', '10'],
        ['longer', '2'],
      ],
      ['n'],
    ),
  ).toBe('  name     n\n  ──────  ──\n  a       10\n  longer   2');
});
