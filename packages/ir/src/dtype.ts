/** Element types, the typed arrays that hold them, and conversion at their borders. */

/** The type of a tensor's elements. `f16` and `bf16` are stored as their 16 bits, `bool` as one byte 0 or 1. */
export type DType = 'f32' | 'f16' | 'bf16' | 'i32' | 'u32' | 'i8' | 'u8' | 'bool';

/** All element types, in a fixed order. */
export const dtypes = ['f32', 'f16', 'bf16', 'i32', 'u32', 'i8', 'u8', 'bool'] as const satisfies readonly DType[];

/** The elements of a tensor in row-major order, in the typed array of its dtype (see {@link dataFor}). */
export type Data = Float32Array | Uint16Array | Int32Array | Uint32Array | Int8Array | Uint8Array;

/** Bytes that one element of each dtype takes. */
export const dtypeBytes: { readonly [D in DType]: number } = {
  f32: 4,
  f16: 2,
  bf16: 2,
  i32: 4,
  u32: 4,
  i8: 1,
  u8: 1,
  bool: 1,
};

const arrays = {
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const;

/** A typed array of `length` zeros that holds elements of `dtype`. */
export function dataFor(dtype: DType, length: number): Data {
  return new arrays[dtype](length);
}

/** A typed array over existing memory (`byteOffset` in bytes, `length` in elements). */
export function dataView(dtype: DType, buffer: ArrayBufferLike, byteOffset: number, length: number): Data {
  return new arrays[dtype](buffer as ArrayBuffer, byteOffset, length);
}

/** A typed array of `dtype` with the given numbers (rounded or wrapped as a store would). */
export function dataFrom(dtype: DType, values: ArrayLike<number>): Data {
  const data = dataFor(dtype, values.length);
  const put = encoder(dtype);
  for (let i = 0; i < values.length; i++) data[i] = put(values[i]!);
  return data;
}

/** Whether `data` is the kind of typed array that holds `dtype`. */
export function holds(data: Data, dtype: DType): boolean {
  return data instanceof arrays[dtype];
}

/** Whether elements are real numbers (as opposed to integers and booleans). */
export function isFloat(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'f16' || dtype === 'bf16';
}

/** The function from a number to what a typed array of `dtype` stores for it. */
export function encoder(dtype: DType): (value: number) => number {
  switch (dtype) {
    case 'f16':
      return f32ToF16;
    case 'bf16':
      return f32ToBf16;
    case 'bool':
      return (value) => (value === 0 ? 0 : 1);
    default:
      return (value) => value;
  }
}

/** The function from what a typed array of `dtype` stores to the number it stands for. */
export function decoder(dtype: DType): (stored: number) => number {
  switch (dtype) {
    case 'f16':
      return f16ToF32;
    case 'bf16':
      return bf16ToF32;
    default:
      return (stored) => stored;
  }
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** IEEE 754 binary16 bits of a number, rounded to nearest even. */
export function f32ToF16(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200);
  const e = exponent - 112;
  if (e >= 31) return sign | 0x7c00;
  if (e <= 0) {
    if (e < -10) return sign;
    const full = mantissa | 0x800000;
    const shift = 14 - e;
    const half = full >>> shift;
    const rest = full & ((1 << shift) - 1);
    const middle = 1 << (shift - 1);
    return sign | (half + (rest > middle || (rest === middle && (half & 1) === 1) ? 1 : 0));
  }
  const half = (e << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0));
}

/** The number that IEEE 754 binary16 bits stand for. */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 bits of a number, rounded to nearest even. */
export function f32ToBf16(value: number): number {
  f32[0] = value;
  const bits = u32[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that bfloat16 bits stand for. */
export function bf16ToF32(bits: number): number {
  u32[0] = bits << 16;
  return f32[0]!;
}
