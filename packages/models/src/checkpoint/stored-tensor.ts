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

/**
 * The same numbers as 32-bit floats; an `f32` tensor is returned as it is, `f64` is rounded.
 * @throws CheckpointError `bad-tensor` for integers and booleans
 */
export function toF32(tensor: StoredTensor, name: string, where: string): StoredTensorOf<'f32'> {
  const { shape } = tensor;
  switch (tensor.dtype) {
    case 'f32':
      return tensor;
    case 'f64':
      return { dtype: 'f32', shape, data: new Float32Array(tensor.data) };
    case 'f16':
      return { dtype: 'f32', shape, data: f16ToF32(tensor.data) };
    case 'bf16':
      return { dtype: 'f32', shape, data: bf16ToF32(tensor.data) };
    default:
      throw wrongDtype(tensor, name, where, 'f32', 'Read it with read() or readI32().');
  }
}

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

function wrongDtype(
  info: StoredType,
  tensor: string,
  where: string,
  wanted: StoredDtype,
  fix: string,
): CheckpointError {
  const found = `it is ${describeStored(info)}, which does not convert`;
  return new CheckpointError('bad-tensor', { asked: `an ${wanted} tensor`, found, where, tensor, fix });
}

let halves: Float32Array | undefined;

/** 32-bit floats of IEEE 754 binary16 bits: a table of all 65,536, because weights come by the million. */
function f16ToF32(bits: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 0x10000 }, (_, half) => decoder('f16')(half));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = halves[bits[i]!]!;
  return out;
}

/** 32-bit floats of bfloat16 bits, which are their upper halves. */
function bf16ToF32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < out.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}
