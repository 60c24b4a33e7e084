/**
 * The header of a safetensors file, as pure functions: u64 little-endian length, JSON of that many bytes, tensor data.
 * Source: https://huggingface.co/docs/safetensors. Checks what Python's reader checks (no hole, no overlap, no unknown dtype).
 */
import { CheckpointError } from './errors.ts';
import { describeStored, elementCount, storedTypes } from './stored-tensor.ts';
import type { StoredDtype, StoredType } from './stored-tensor.ts';

/** A tensor's type and where its bytes lie in the file. */
export interface TensorEntry extends StoredType {
  /** First byte, counted from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** A parsed header. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

/** No reader takes a longer header: a length beyond it means that the file is something else. */
const longestHeader = 100_000_000;

const dtypeOfCode = new Map<unknown, StoredDtype>(
  Object.entries(storedTypes).map(([dtype, { code }]) => [code, dtype as StoredDtype]),
);
const dtypeOrder = Object.keys(storedTypes);

const downloadAgain = 'The file is damaged or not a safetensors file: fetch or save it again.';

/**
 * The length of the header from the first 8 bytes of a file of `fileBytes` bytes.
 * @throws CheckpointError `truncated`, `bad-header`
 */
export function headerLength(start: Uint8Array, fileBytes: number, where: string): number {
  const asked = 'a safetensors header';
  if (start.length < 8)
    throw new CheckpointError('truncated', {
      asked,
      found: `the file has ${fileBytes} bytes, fewer than the 8 of the header's length`,
      where,
      fix: downloadAgain,
    });
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
  if (length > fileBytes - 8 || length > longestHeader)
    throw new CheckpointError(length > longestHeader ? 'bad-header' : 'truncated', {
      asked,
      found: `its length is given as ${length} bytes, but ${fileBytes - 8} follow in the file (at most ${longestHeader} are allowed)`,
      where,
      fix: downloadAgain,
    });
  return length;
}

/**
 * Parses and checks the JSON of a header (without its 8 bytes of length) against the size of the whole file.
 * @throws CheckpointError `truncated`, `bad-header`, `bad-tensor`
 */
export function parseHeader(json: Uint8Array, fileBytes: number, where: string): SafetensorsHeader {
  const bad = (found: string, tensor?: string, code: 'bad-header' | 'bad-tensor' | 'truncated' = 'bad-header') =>
    new CheckpointError(code, {
      asked: 'a safetensors header',
      found,
      where,
      fix: downloadAgain,
      ...(tensor !== undefined && { tensor }),
    });

  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
    header = JSON.parse(text);
  } catch (cause) {
    throw bad(`its ${json.length} bytes are not JSON (${(cause as Error).message})`);
  }
  if (!isRecord(header)) throw bad('the JSON is not an object');
  const twice = repeatedKey(text);
  if (twice !== undefined) throw bad(`the key "${twice}" stands there twice in one object`);

  const { __metadata__: metadata = {}, ...rest } = header;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === 'string'))
    throw bad('"__metadata__" is not an object of strings');

  const dataStart = 8 + json.length;
  const dataBytes = fileBytes - dataStart;
  const entries = Object.entries(rest).map(([name, value]): [string, TensorEntry] => {
    if (!isRecord(value)) throw bad('its entry is not an object', name);
    const dtype = dtypeOfCode.get(value['dtype']);
    if (dtype === undefined)
      throw bad(
        `unknown dtype ${JSON.stringify(value['dtype'])}; known are ${[...dtypeOfCode.keys()].join(', ')}`,
        name,
      );
    const { shape, data_offsets: offsets } = value;
    if (!isSizes(shape)) throw bad(`the shape ${JSON.stringify(shape)} is not a list of sizes`, name);
    if (!isSizes(offsets) || offsets.length !== 2)
      throw bad(`data_offsets ${JSON.stringify(offsets)} are not two positions`, name);
    const [begin, end] = offsets as [number, number];
    if (begin > end) throw bad(`its data ends at ${end}, before its start ${begin}`, name);
    if (end > dataBytes)
      throw bad(
        `its data lies at ${begin}–${end}, but only ${dataBytes} bytes of data are in the file`,
        name,
        'truncated',
      );
    const bytes = elementCount(shape) * storedTypes[dtype].bytes;
    if (bytes !== end - begin)
      throw bad(
        `${describeStored({ dtype, shape })} takes ${bytes} bytes, but ${end - begin} are given to it`,
        name,
        'bad-tensor',
      );
    return [name, { dtype, shape, offset: dataStart + begin, bytes }];
  });

  entries.sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  let position = dataStart;
  let previous = 'the start of the data';
  for (const [name, { offset, bytes }] of entries) {
    if (offset !== position) {
      const gap = Math.abs(offset - position);
      throw bad(
        offset < position ? `it overlaps ${previous} by ${gap} bytes` : `a hole of ${gap} bytes lies after ${previous}`,
        name,
      );
    }
    position = offset + bytes;
    previous = `tensor "${name}"`;
  }
  if (position !== fileBytes) throw bad(`${fileBytes - position} bytes follow that belong to no tensor`);
  return { metadata: metadata as Record<string, string>, tensors: new Map(entries) };
}

/**
 * The first bytes of a file with these tensors (length, JSON, spaces up to a multiple of 8) and the order of their data.
 * The same bytes as Python's writer: dtypes in the order of {@link storedTypes}, then names by their UTF-8 bytes.
 */
export function encodeHeader(
  tensors: Readonly<Record<string, StoredType>>,
  metadata: Readonly<Record<string, string>>,
): { readonly bytes: Uint8Array; readonly order: readonly string[] } {
  const order = Object.keys(tensors).sort(
    (a, b) =>
      dtypeOrder.indexOf(tensors[a]!.dtype) - dtypeOrder.indexOf(tensors[b]!.dtype) ||
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  let position = 0;
  // Built as text: an object would put names that look like numbers first.
  const fields = order.map((name) => {
    const { dtype, shape } = tensors[name]!;
    const begin = position;
    position += elementCount(shape) * storedTypes[dtype].bytes;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: storedTypes[dtype].code, shape, data_offsets: [begin, position] })}`;
  });
  if (Object.keys(metadata).length > 0) fields.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return { bytes, order };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** The first key that an object of a JSON text has twice: `JSON.parse` keeps the last one and says nothing. */
function repeatedKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [, opening, closing, string, colon] of json.matchAll(/([{[])|([}\]])|("(?:[^"\\]|\\.)*")\s*(:?)/g)) {
    if (opening) open.push(new Set());
    else if (closing) open.pop();
    else if (colon) {
      const key = JSON.parse(string!) as string;
      if (open.at(-1)!.has(key)) return key;
      open.at(-1)!.add(key);
    }
  }
  return undefined;
}
