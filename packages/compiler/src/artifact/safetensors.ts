/**
 * Safetensors as a stream: u64 little-endian length, JSON of that many bytes, the data of the tensors without gaps.
 * Source: https://huggingface.co/docs/safetensors.
 */
import type { Data, DType } from '@sinter/ir';
import { dataFor, dataView, decoder, dtypeBytes, encoder, isFloat } from '@sinter/ir';
import { ArtifactError } from './errors.ts';
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
const ofCode = new Map<unknown, DType>(Object.entries(codes).map(([dtype, code]) => [code, dtype as DType]));

/** A tensor of a safetensors file. `begin` and `end` are bytes, counted from the start of the file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The bytes of a tensor. */
export function tensorBytes({ dtype, shape }: Pick<StoredTensor, 'dtype' | 'shape'>): number {
  return shape.reduce((a, b) => a * b, 1) * dtypeBytes[dtype];
}

/** The order in which tensors are stored: wide elements first, so that each begins at a multiple of its width. */
export function storedOrder<T extends { readonly dtype: DType }>(
  tensors: readonly (readonly [string, T])[],
): (readonly [string, T])[] {
  return [...tensors].sort(([, a], [, b]) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
}

/** The head of a file with these tensors, in this order. Spaces make the data begin at a multiple of 256. */
export function encodeTensorHead(
  tensors: readonly (readonly [name: string, type: Pick<StoredTensor, 'dtype' | 'shape'>])[],
): Uint8Array {
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

/** The bytes of a head, from the first 8 of them. */
export function tensorHeadBytes(start: Uint8Array): number {
  return 8 + Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
}

/** The tensors of a whole head, in the order of their data. */
export function parseTensorHead(head: Uint8Array): StoredTensor[] {
  const bad = (what: string): never => {
    throw new ArtifactError('weights', `the weights are no safetensors file that can be read: ${what}`);
  };
  const json = JSON.parse(new TextDecoder().decode(head.subarray(8))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = Object.entries(json)
    .filter(([name]) => name !== '__metadata__')
    .map(
      ([
        name,
        {
          dtype: code,
          shape,
          data_offsets: [begin, end],
        },
      ]): StoredTensor => {
        const dtype =
          ofCode.get(code) ?? bad(`'${name}' has the dtype ${code}, known are ${[...ofCode.keys()].join(', ')}`);
        if (end - begin !== tensorBytes({ dtype, shape }))
          bad(`'${name}' is ${code}[${shape.join(', ')}], but has ${end - begin} bytes`);
        return { name, dtype, shape, begin: head.length + begin, end: head.length + end };
      },
    );
  return tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
}

/** Little-endian bytes as elements; all machines that run JavaScript are little-endian. Bytes that lie unaligned are copied. */
export function asElements(dtype: DType, bytes: Uint8Array): Data {
  const width = dtypeBytes[dtype];
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return dataView(dtype, aligned.buffer, aligned.byteOffset, Math.floor(aligned.length / width));
}

/** Elements as bytes. */
export function asBytes(data: Data): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A function that converts floats between widths, or `undefined` where that is not done. Wide to narrow rounds to nearest even. */
export function converter(from: DType, to: DType): ((data: Data) => Data) | undefined {
  if (from === to) return (data) => data;
  if (!isFloat(from) || !isFloat(to)) return undefined;
  const get = decoder(from);
  const put = encoder(to);
  // 16 bits have few values: a table is ten times as fast as working each out.
  const table = dtypeBytes[from] === 2 ? dataFor(to, 65536).map((_, bits) => put(get(bits))) : undefined;
  return (data) => {
    const out = dataFor(to, data.length);
    if (table) for (let i = 0; i < out.length; i++) out[i] = table[data[i]!]!;
    else for (let i = 0; i < out.length; i++) out[i] = put(get(data[i]!));
    return out;
  };
}
