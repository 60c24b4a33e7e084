/** Tensors as they lie in checkpoint files: a dtype, a shape and a typed array. */
import { decoder } from '@sinter/ir';
import { CheckpointError } from './errors.ts';

/** The typed array that holds each dtype: `f16` and `bf16` as their 16 bits, `bool` as one byte 0 or 1. */
export interface StoredArrays {
  u64: BigUint64Array;
  i64: BigInt64Array;
  f64: Float64Array;
  f32: Float32Array;
  u32: Uint32Array;
  i32: Int32Array;
  bf16: Uint16Array;
  f16: Uint16Array;
  u16: Uint16Array;
  i16: Int16Array;
  i8: Int8Array;
  u8: Uint8Array;
  bool: Uint8Array;
}

/** The element types of checkpoint files; a graph knows a subset of them. */
export type StoredDtype = keyof StoredArrays;

/** A tensor of one dtype, row-major. */
export interface StoredTensorOf<D extends StoredDtype> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: StoredArrays[D];
}

/** A tensor of any dtype: narrow by `dtype` to get at the typed array. */
export type StoredTensor = { [D in StoredDtype]: StoredTensorOf<D> }[StoredDtype];

/** A tensor without its data. */
export interface StoredType {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
}

interface Layout<D extends StoredDtype> {
  /** How a safetensors header spells the dtype. */
  readonly code: string;
  readonly bytes: number;
  readonly array: new (buffer: ArrayBuffer) => StoredArrays[D];
}

/** Every dtype in the order in which safetensors files store their tensors. */
export const storedTypes: { readonly [D in StoredDtype]: Layout<D> } = {
  u64: { code: 'U64', bytes: 8, array: BigUint64Array },
  i64: { code: 'I64', bytes: 8, array: BigInt64Array },
  f64: { code: 'F64', bytes: 8, array: Float64Array },
  f32: { code: 'F32', bytes: 4, array: Float32Array },
  u32: { code: 'U32', bytes: 4, array: Uint32Array },
  i32: { code: 'I32', bytes: 4, array: Int32Array },
  bf16: { code: 'BF16', bytes: 2, array: Uint16Array },
  f16: { code: 'F16', bytes: 2, array: Uint16Array },
  u16: { code: 'U16', bytes: 2, array: Uint16Array },
  i16: { code: 'I16', bytes: 2, array: Int16Array },
  i8: { code: 'I8', bytes: 1, array: Int8Array },
  u8: { code: 'U8', bytes: 1, array: Uint8Array },
  bool: { code: 'BOOL', bytes: 1, array: Uint8Array },
};

/** The elements that a shape holds; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/** `f32[30522, 384]`: how messages name a tensor's type. */
export function describeStored(info: StoredType): string {
  return `${info.dtype}[${info.shape.join(', ')}]`;
}

/** How the numbers of a float dtype become 32-bit floats: `into` from position `at` on. `f64` is rounded. Nothing for other dtypes. */
export function floatReader(
  dtype: StoredDtype,
): ((from: StoredArrays[StoredDtype], into: Float32Array, at: number) => void) | undefined {
  switch (dtype) {
    case 'f32':
    case 'f64':
      return (from, into, at) => into.set(from as Float64Array, at);
    case 'f16': {
      halves ??= Float32Array.from({ length: 0x10000 }, (_, half) => decoder('f16')(half));
      const table = halves;
      return (from, into, at) => {
        const bits = from as Uint16Array;
        for (let i = 0; i < bits.length; i++) into[at + i] = table[bits[i]!]!;
      };
    }
    case 'bf16':
      return (from, into, at) => {
        const upper = from as Uint16Array;
        const whole = new Uint32Array(into.buffer, into.byteOffset + 4 * at, upper.length);
        for (let i = 0; i < upper.length; i++) whole[i] = upper[i]! << 16;
      };
    default:
      return undefined;
  }
}

/** All 65,536 numbers of IEEE 754 binary16, because weights come by the million. */
let halves: Float32Array | undefined;

/**
 * The same numbers as 32-bit signed integers; an `i32` tensor is returned as it is.
 * @throws CheckpointError `bad-tensor` for floats, and for numbers that need more than 32 bits
 */
export function toI32(tensor: StoredTensor, name: string, where: string): StoredTensorOf<'i32'> {
  const { dtype, shape, data } = tensor;
  if (dtype === 'i32') return tensor;
  if (dtype === 'f64' || dtype === 'f32' || dtype === 'f16' || dtype === 'bf16')
    throw wrongDtype(tensor, name, where, 'i32', 'Read it with read() or readF32().');
  const out = new Int32Array(data.length);
  for (let i = 0; i < out.length; i++) {
    const value = Number(data[i]);
    out[i] = value;
    if (out[i] !== value)
      throw new CheckpointError('bad-tensor', {
        asked: 'an i32 tensor',
        found: `${describeStored(tensor)} holds ${data[i]} at index ${i}, which 32 bits cannot hold`,
        where,
        tensor: name,
        fix: 'Read it with read() and decide what such values mean.',
      });
  }
  return { dtype: 'i32', shape, data: out };
}

/** The error of a tensor that does not convert. */
export function wrongDtype(
  info: StoredType,
  tensor: string,
  where: string,
  wanted: StoredDtype,
  fix: string,
): CheckpointError {
  const found = `it is ${describeStored(info)}, which does not convert`;
  return new CheckpointError('bad-tensor', { asked: `an ${wanted} tensor`, found, where, tensor, fix });
}
