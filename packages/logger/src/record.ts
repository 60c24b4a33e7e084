/**
 * TFRecord framing (TensorFlow `lib/io/record_writer.h`):
 * `u64 length | u32 masked CRC of those 8 bytes | data | u32 masked CRC of data`, all little-endian.
 */
import { PbfWriter } from 'pbf';
import { maskedCrc32c } from './crc32c.ts';

/** Bytes before the data: length and its checksum. */
export const headerSize = 12;
/** Bytes after the data: its checksum. */
export const footerSize = 4;
/** The longest record taken for real: protocol buffers end at 2 GiB. */
const maxLength = 0x7fffffff;

/** Appends one record to `out`; `encode` writes its data in place. */
export function appendRecord<T>(out: PbfWriter, encode: (value: T, out: PbfWriter) => void, value: T): void {
  const start = out.pos;
  out.realloc(headerSize);
  out.pos += headerSize;
  encode(value, out);
  const end = out.pos;
  out.realloc(footerSize);
  const { buf, dataView } = out;
  dataView.setUint32(start, end - start - headerSize, true);
  dataView.setUint32(start + 4, 0, true);
  dataView.setUint32(start + 8, maskedCrc32c(buf, start, start + 8), true);
  dataView.setUint32(end, maskedCrc32c(buf, start + headerSize, end), true);
  out.pos = end + footerSize;
}

/** `data` as one record. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const out = new PbfWriter(new Uint8Array(data.length + headerSize + footerSize));
  appendRecord(out, writeRaw, data);
  return out.finish();
}

function writeRaw(data: Uint8Array, out: PbfWriter): void {
  out.realloc(data.length);
  out.buf.set(data, out.pos);
  out.pos += data.length;
}

/** What stands at a place in a file. */
export type Scan =
  /** A whole record; `end` is where the next begins. `data` is a view of the scanned bytes. */
  | { readonly kind: 'record'; readonly data: Uint8Array; readonly end: number }
  /** The bytes end inside a record: it is not written yet, or a crash cut it off. */
  | { readonly kind: 'torn' }
  /** A checksum is wrong; `what` says whose. */
  | { readonly kind: 'corrupt'; readonly what: 'length' | 'data' };

/** Reads the record that begins at `at`. A header that is whole is checked even when its data is not there yet. */
export function scanRecord(bytes: Uint8Array, at: number): Scan {
  if (bytes.length - at < headerSize) return { kind: 'torn' };
  const length = lengthAt(bytes, at);
  if (length === undefined) return { kind: 'corrupt', what: 'length' };
  const start = at + headerSize;
  const end = start + length;
  if (bytes.length - end < footerSize) return { kind: 'torn' };
  if (u32(bytes, end) !== maskedCrc32c(bytes, start, end)) return { kind: 'corrupt', what: 'data' };
  return { kind: 'record', data: bytes.subarray(start, end), end: end + footerSize };
}

/** The first place from `at` on where a record header with a right checksum stands, or where one may be cut off by the end. */
export function findHeader(bytes: Uint8Array, at: number): number {
  let from = at;
  while (bytes.length - from >= headerSize && lengthAt(bytes, from) === undefined) from++;
  return from;
}

/** The data length that the header at `at` states; `undefined` if its checksum is wrong. */
function lengthAt(bytes: Uint8Array, at: number): number | undefined {
  if (u32(bytes, at + 4) !== 0) return undefined;
  const length = u32(bytes, at);
  return length <= maxLength && u32(bytes, at + 8) === maskedCrc32c(bytes, at, at + 8) ? length : undefined;
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
