import { describe, expect, test } from 'vitest';
import {
  bf16ToF32,
  dataFor,
  dataFrom,
  dataView,
  decoder,
  dtypeBytes,
  dtypes,
  encoder,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  holds,
  isFloat,
} from './dtype.ts';

/** Bits of the finite non-negative numbers of a format, in ascending order: rounding is checked between each two. */
const finite = (infinity: number): number[] => Array.from({ length: infinity }, (_, bits) => bits);

describe.each([
  ['f16', f16ToF32, f32ToF16, 0x7c00, 65504, 2 ** -24],
  ['bf16', bf16ToF32, f32ToBf16, 0x7f80, 3.3895313892515355e38, 2 ** -133],
] as const)('%s', (_, toNumber, toBits, infinity, largest, smallest) => {
  test('all 65,536 patterns survive', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = toNumber(bits);
      if ((bits & 0x7fff) > infinity) {
        expect(value).toBeNaN();
        expect(toNumber(toBits(value))).toBeNaN();
      } else if (toBits(value) !== bits) throw new Error(`${bits} is ${value}, which is ${toBits(value)}`);
    }
  });

  test('every number between two neighbours goes to the nearer, halfway to the even one, with either sign', () => {
    for (const bits of finite(infinity - 1)) {
      const [low, high] = [toNumber(bits), toNumber(bits + 1)];
      // In f32 the middle is exact, but for the f32 below the smallest normal numbers of bf16.
      const middle = (low + high) / 2;
      if (Math.fround(middle) !== middle) continue;
      const step = (high - low) / 64;
      const even = bits % 2 === 0 ? bits : bits + 1;
      for (const [value, want] of [
        [middle, even],
        [middle - step, bits],
        [middle + step, bits + 1],
      ] as const) {
        if (Math.fround(value) !== value) continue;
        if (toBits(value) !== want || toBits(-value) !== (want | 0x8000))
          throw new Error(`${value} became ${toBits(value)}, wanted ${want}`);
      }
    }
  });

  test('edges', () => {
    expect(toNumber(infinity - 1)).toBe(largest);
    expect(toNumber(1)).toBe(smallest);
    expect(toNumber(infinity)).toBe(Infinity);
    expect(toBits(Infinity)).toBe(infinity);
    expect(toBits(-Infinity)).toBe(infinity | 0x8000);
    expect(toBits(-0)).toBe(0x8000);
    expect(toNumber(0x8000)).toBe(-0);
    expect(toBits(3.4028234663852886e38)).toBe(infinity);
  });
});

test('f16 overflows from halfway to the next number that it would have', () => {
  expect(f32ToF16(65519.996)).toBe(0x7bff);
  expect(f32ToF16(65520)).toBe(0x7c00);
  expect(f32ToF16(2 ** -25)).toBe(0);
  expect(f32ToF16(2 ** -25 * 1.0001)).toBe(1);
});

test('each dtype has its array, its bytes, and stores what fits it', () => {
  for (const dtype of dtypes) {
    const data = dataFor(dtype, 3);
    expect(data.BYTES_PER_ELEMENT).toBe(dtypeBytes[dtype]);
    expect(holds(data, dtype)).toBe(true);
    expect(data.length).toBe(3);
    expect(decoder(dtype)(encoder(dtype)(1))).toBe(1);
  }
  expect(dtypes.filter(isFloat)).toEqual(['f32', 'f16', 'bf16']);
  expect([...dataFrom('i8', [127, 128, -129])]).toEqual([127, -128, 127]);
  expect([...dataFrom('u8', [255, 256, -1])]).toEqual([255, 0, 255]);
  expect([...dataFrom('u32', [-1])]).toEqual([4294967295]);
  expect([...dataFrom('bool', [0, 2, -1, 0.5])]).toEqual([0, 1, 1, 1]);
  expect([...dataFrom('f16', [1, -2])]).toEqual([0x3c00, 0xc000]);
  expect([...dataView('i32', new Int32Array([1, 2, 3]).buffer, 4, 2)]).toEqual([2, 3]);
  expect(holds(new Int32Array(1), 'f32')).toBe(false);
});
