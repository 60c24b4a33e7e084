/** 16-bit floats: every pattern is read and written as the interpreter does, alone and in vectors. */
import { expect, test } from 'vitest';
import { conversions, mistake, wanted } from '../half.test.kit.ts';
import { runOnWasm } from './kernel.test.kit.ts';

test.each(conversions)('$kernel.name', (conversion) => {
  const { kernel, x, y } = conversion;
  const [from, to] = kernel.buffers.map((b) => b.dtype);
  const got = runOnWasm(kernel, { x: { dtype: from!, data: x }, y: { dtype: to!, data: y() } }, { n: x.length });
  expect(mistake(conversion, got['y']!, wanted(conversion))).toBeUndefined();
});
