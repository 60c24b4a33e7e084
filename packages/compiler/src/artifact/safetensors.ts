/**
 * The head of a safetensors file: u64 little-endian length, JSON of that many bytes; behind it the data of the tensors
 * without gaps. Source: https://huggingface.co/docs/safetensors. Loading needs none of it: the manifest says where tensors lie.
 */
import type { DType } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import { padded } from './manifest.ts';

const codes = {
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  i32: 'I32',
  u32: 'U32',
  i8: 'I8',
  u8: 'U8',
  bool: 'BOOL',
} as const;

/** A tensor less its data. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** The bytes of a tensor. */
export function tensorBytes({ dtype, shape }: TensorType): number {
  return shape.reduce((a, b) => a * b, 1) * dtypeBytes[dtype];
}

/** The order in which tensors are stored: wide elements first, so that each begins at a multiple of its width. */
export function storedOrder<T extends { readonly dtype: DType }>(
  tensors: readonly (readonly [string, T])[],
): (readonly [string, T])[] {
  return [...tensors].sort(([, a], [, b]) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
}

/** The head of a file with these tensors, in this order. Spaces make the data begin at a multiple of 256. */
export function encodeTensorHead(tensors: readonly (readonly [name: string, type: TensorType])[]): Uint8Array {
  let end = 0;
  // As text: an object would put names that look like numbers first.
  const fields = tensors.map(([name, { dtype, shape }]) => {
    const begin = end;
    end += tensorBytes({ dtype, shape });
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: codes[dtype], shape, data_offsets: [begin, end] })}`;
  });
  const json = new TextEncoder().encode(`{${['"__metadata__":{"format":"pt"}', ...fields].join(',')}}`);
  const head = new Uint8Array(padded(8 + json.length)).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(json, 8);
  return head;
}
