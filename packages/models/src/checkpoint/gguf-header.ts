/**
 * The header of a GGUF file, as a pure function: keys with values, then tensors with their types and places.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
 */
import { CheckpointError } from './errors.ts';

/** A value of the header; whole numbers of 64 bits are numbers if they fit. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

/** A tensor as the header has it. */
export interface GgufEntry {
  /** Row-major: the file has the sizes the other way round. */
  readonly shape: readonly number[];
  /** The number of its type. */
  readonly type: number;
  /** First byte, counted from the start of the file. */
  readonly offset: number;
}

/** A parsed header. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

const mostAxes = 8;

/**
 * Parses the header at the beginning of a file of which `bytes` are the first. Nothing if it goes on beyond them.
 * @throws CheckpointError `bad-header`, `unsupported`
 */
export function parseGguf(bytes: Uint8Array, where: string): GgufHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder();
  let at = 0;
  const bad = (found: string, code: 'bad-header' | 'unsupported' = 'bad-header') =>
    new CheckpointError(code, {
      asked: 'a GGUF header',
      found,
      where,
      fix:
        code === 'unsupported'
          ? 'Convert it again with a newer version of its tool.'
          : 'The file is damaged or not a GGUF file: fetch it again.',
    });
  /** The position of so many bytes; a RangeError says that they are not there yet. */
  const take = (count: number): number => {
    if (!(count <= bytes.length - at)) throw new RangeError('beyond');
    at += count;
    return at - count;
  };
  const u32 = () => view.getUint32(take(4), true);
  const u64 = () => {
    const value = Number(view.getBigUint64(take(8), true));
    if (!Number.isSafeInteger(value)) throw bad(`a size of ${value} stands at byte ${at - 8}`);
    return value;
  };
  const text = () => {
    const count = u64();
    const from = take(count);
    return utf8.decode(bytes.subarray(from, from + count));
  };
  const wide = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
  /** By the number of their type. */
  const values: readonly (() => GgufValue)[] = [
    () => view.getUint8(take(1)),
    () => view.getInt8(take(1)),
    () => view.getUint16(take(2), true),
    () => view.getInt16(take(2), true),
    u32,
    () => view.getInt32(take(4), true),
    () => view.getFloat32(take(4), true),
    () => view.getUint8(take(1)) !== 0,
    text,
    () => list(),
    () => wide(view.getBigUint64(take(8), true)),
    () => wide(view.getBigInt64(take(8), true)),
    () => view.getFloat64(take(8), true),
  ];
  let depth = 0;
  const list = (): GgufValue[] => {
    const read = reader();
    const count = u64();
    if (count > bytes.length - at) throw new RangeError('beyond');
    if (++depth > 4) throw bad('lists of lists of lists of lists');
    const items: GgufValue[] = [];
    for (let i = 0; i < count; i++) items.push(read());
    depth--;
    return items;
  };
  const reader = () => {
    const type = u32();
    const read = values[type];
    if (!read) throw bad(`a value of type ${type}, which there is not, at byte ${at - 4}`);
    return read;
  };

  try {
    if (utf8.decode(bytes.subarray(take(4), at)) !== 'GGUF') throw bad('it does not begin with "GGUF"');
    const version = u32();
    if (version !== 2 && version !== 3) throw bad(`it is of version ${version}; 2 and 3 are read`, 'unsupported');
    const [tensorCount, valueCount] = [u64(), u64()];
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < valueCount; i++) metadata.set(text(), reader()());
    const infos: [string, GgufEntry][] = [];
    for (let i = 0; i < tensorCount; i++) {
      const name = text();
      const axes = u32();
      if (axes > mostAxes) throw bad(`the tensor "${name}" has ${axes} axes`);
      const shape = Array.from({ length: axes }, u64).reverse();
      infos.push([name, { shape, type: u32(), offset: u64() }]);
    }
    const alignment = metadata.get('general.alignment') ?? 32;
    if (typeof alignment !== 'number' || alignment < 1) throw bad(`an alignment of ${String(alignment)}`);
    const data = Math.ceil(at / alignment) * alignment;
    const tensors = new Map(infos.map(([name, entry]) => [name, { ...entry, offset: data + entry.offset }]));
    if (tensors.size !== infos.length) throw bad('it has a tensor twice');
    return { metadata, tensors };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
