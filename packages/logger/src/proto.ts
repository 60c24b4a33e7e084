/**
 * Events to protocol buffer bytes and back. Field numbers are those of TensorFlow's `event.proto`, `summary.proto`,
 * `tensor.proto`, `tensor_shape.proto` and `types.proto`; `pbf` does the wire format.
 */
import { PbfReader, PbfWriter } from 'pbf';
import type { DataClass, Event, Metadata, NumericType, Tensor, Value } from './event.ts';

/** The bytes of one event, without record framing. */
export function encodeEvent(event: Event): Uint8Array {
  const writer = new PbfWriter();
  writeEvent(event, writer);
  return writer.finish();
}

/**
 * The event in `bytes` (an `Event` message). Fields that are not known are left out.
 *
 * @throws Error or RangeError when the bytes are not a protocol buffer message
 */
export function decodeEvent(bytes: Uint8Array): Event {
  const reader = new PbfReader(bytes);
  const draft: EventDraft = { wallTime: 0, step: 0 };
  reader.readFields(readEventField, draft);
  if (reader.pos !== bytes.length) throw new Error(`message of ${bytes.length} bytes claims ${reader.pos}`);
  const { wallTime, step, version, writer, values, graphDef } = draft;
  if (version !== undefined)
    return { kind: 'version', wallTime, step, version, ...(writer === undefined ? {} : { writer }) };
  if (values) return { kind: 'summary', wallTime, step, values };
  if (graphDef) return { kind: 'graph', wallTime, step, graphDef };
  return { kind: 'other', wallTime, step };
}

/** Appends an `Event` message to `out`. */
export function writeEvent(event: Event, out: PbfWriter): void {
  out.writeDoubleField(1, event.wallTime);
  if (event.step !== 0) out.writeVarintField(2, event.step);
  switch (event.kind) {
    case 'version':
      writeText(3, event.version, out);
      if (event.writer !== undefined) out.writeMessage(10, writeSource, event.writer);
      break;
    case 'summary':
      out.writeMessage(5, writeSummary, event.values);
      break;
    case 'graph':
      out.writeBytesField(4, event.graphDef);
      break;
    case 'other':
      break;
    default:
      event satisfies never;
  }
}

// What pbf 5.1 does wrong with strings is left to the platform: it writes characters beyond U+1FFFF as others, and takes a leading
// U+FEFF away when it reads.
const surrogate = /[\ud800-\udfff]/;
const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function writeText(field: number, text: string, out: PbfWriter): void {
  if (surrogate.test(text)) out.writeBytesField(field, utf8.encode(text));
  else out.writeStringField(field, text);
}

function readText(reader: PbfReader): string {
  return fromUtf8.decode(reader.readBytes());
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };

interface EventDraft {
  wallTime: number;
  step: number;
  version?: string;
  writer?: string;
  values?: Value[];
  graphDef?: Uint8Array;
}

function readEventField(field: number, event: EventDraft, reader: PbfReader): void {
  if (field === 1) event.wallTime = reader.readDouble();
  else if (field === 2) event.step = reader.readVarint(true);
  else if (field === 3) event.version = readText(reader);
  else if (field === 4) event.graphDef = reader.readBytes().slice();
  else if (field === 5) reader.readMessage(readSummaryField, (event.values ??= []));
  else if (field === 10) reader.readMessage(readSourceField, event);
}

function writeSource(writer: string, out: PbfWriter): void {
  writeText(1, writer, out);
}

function readSourceField(field: number, event: EventDraft, reader: PbfReader): void {
  if (field === 1) event.writer = readText(reader);
}

// Summary

function writeSummary(values: readonly Value[], out: PbfWriter): void {
  for (const value of values) out.writeMessage(1, writeValue, value);
}

function readSummaryField(field: number, values: Value[], reader: PbfReader): void {
  if (field === 1) values.push(reader.readMessage<Draft<Value>>(readValueField, { tag: '' }));
}

function writeValue(value: Value, out: PbfWriter): void {
  writeText(1, value.tag, out);
  if (value.simpleValue !== undefined) out.writeFloatField(2, value.simpleValue);
  if (value.tensor) out.writeMessage(8, writeTensor, value.tensor);
  if (value.metadata) out.writeMessage(9, writeMetadata, value.metadata);
}

function readValueField(field: number, value: Draft<Value>, reader: PbfReader): void {
  if (field === 1) value.tag = readText(reader);
  else if (field === 2) value.simpleValue = reader.readFloat();
  else if (field === 8) value.tensor = readTensor(reader);
  else if (field === 9) value.metadata = reader.readMessage<Draft<Metadata>>(readMetadataField, { plugin: '' });
}

const dataClasses: readonly (DataClass | undefined)[] = [undefined, 'scalar', 'tensor', 'blobs'];

function writeMetadata(metadata: Metadata, out: PbfWriter): void {
  out.writeMessage(1, writePluginData, metadata);
  if (metadata.displayName) writeText(2, metadata.displayName, out);
  if (metadata.description) writeText(3, metadata.description, out);
  if (metadata.dataClass) out.writeVarintField(4, dataClasses.indexOf(metadata.dataClass));
}

function readMetadataField(field: number, metadata: Draft<Metadata>, reader: PbfReader): void {
  if (field === 1) reader.readMessage(readPluginField, metadata);
  else if (field === 2) metadata.displayName = readText(reader);
  else if (field === 3) metadata.description = readText(reader);
  else if (field === 4) {
    const dataClass = dataClasses[reader.readVarint()];
    if (dataClass) metadata.dataClass = dataClass;
  }
}

function writePluginData(metadata: Metadata, out: PbfWriter): void {
  writeText(1, metadata.plugin, out);
  if (metadata.content?.length) out.writeBytesField(2, metadata.content);
}

function readPluginField(field: number, metadata: Draft<Metadata>, reader: PbfReader): void {
  if (field === 1) metadata.plugin = readText(reader);
  else if (field === 2) metadata.content = reader.readBytes().slice();
}

// Tensors

const typeCodes = {
  float: 1,
  double: 2,
  int32: 3,
  uint8: 4,
  string: 7,
  int64: 9,
  bool: 10,
  other: 0,
} as const satisfies {
  [K in Tensor['dtype']]: number;
};

/** Numbers to and from the raw little-endian bytes of `tensor_content` (every host of JavaScript is little-endian). */
const contents: {
  [K in NumericType]: {
    pack(values: ArrayLike<number>): ArrayBufferView;
    unpack(buffer: ArrayBuffer): ArrayLike<number>;
  };
} = {
  float: { pack: (v) => new Float32Array(v), unpack: (b) => new Float32Array(b) },
  double: { pack: (v) => new Float64Array(v), unpack: (b) => new Float64Array(b) },
  int32: { pack: (v) => new Int32Array(v), unpack: (b) => new Int32Array(b) },
  uint8: { pack: (v) => new Uint8Array(v), unpack: (b) => new Uint8Array(b) },
  bool: { pack: (v) => new Uint8Array(v), unpack: (b) => new Uint8Array(b) },
  int64: {
    pack: (v) => BigInt64Array.from(Array.from(v), BigInt),
    unpack: (b) => Float64Array.from(new BigInt64Array(b), Number),
  },
};

function writeTensor(tensor: Tensor, out: PbfWriter): void {
  out.writeVarintField(1, typeCodes[tensor.dtype]);
  out.writeMessage(2, writeShape, tensor.shape);
  if (tensor.dtype === 'string') for (const bytes of tensor.values) out.writeBytesField(8, bytes);
  else if (tensor.dtype !== 'other') {
    const view = contents[tensor.dtype].pack(tensor.values);
    if (view.byteLength) out.writeBytesField(4, new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }
}

interface TensorDraft {
  type: number;
  shape: number[];
  content?: Uint8Array;
  numbers: number[];
  strings: Uint8Array[];
}

function readTensor(reader: PbfReader): Tensor {
  const { type, shape, content, numbers, strings } = reader.readMessage<TensorDraft>(readTensorField, {
    type: 0,
    shape: [],
    numbers: [],
    strings: [],
  });
  const dtype = (Object.keys(typeCodes) as Tensor['dtype'][]).find((name) => typeCodes[name] === type) ?? 'other';
  if (dtype === 'other') return { dtype, shape, values: [] };
  const count = shape.reduce((product, size) => product * size, 1);
  if (dtype === 'string') return { dtype, shape, values: fill(strings, count) };
  if (!content) return { dtype, shape, values: fill(numbers, count) };
  const values = contents[dtype].unpack(content.slice().buffer);
  if (values.length !== count) throw new Error(`tensor [${shape}] holds ${values.length} ${dtype} values`);
  return { dtype, shape, values };
}

/** TensorFlow leaves out repetitions of the last value; the limit keeps a false shape from asking for all memory. */
function fill<T>(values: readonly T[], count: number): readonly T[] {
  const last = values.at(-1);
  if (values.length === count) return values;
  if (last === undefined || values.length > count || !(count <= 1 << 24))
    throw new Error(`tensor of ${count} values holds ${values.length}`);
  return [...values, ...new Array<T>(count - values.length).fill(last)];
}

function readTensorField(field: number, tensor: TensorDraft, reader: PbfReader): void {
  if (field === 1) tensor.type = reader.readVarint();
  else if (field === 2) reader.readMessage(readShapeField, tensor.shape);
  else if (field === 4) tensor.content = reader.readBytes();
  else if (field === 5) reader.readPackedFloat(tensor.numbers);
  else if (field === 6) reader.readPackedDouble(tensor.numbers);
  else if (field === 7 || field === 10 || field === 11) reader.readPackedVarint(tensor.numbers, true);
  else if (field === 8) tensor.strings.push(reader.readBytes().slice());
}

function writeShape(shape: readonly number[], out: PbfWriter): void {
  for (const size of shape) out.writeMessage(2, writeDim, size);
}

function readShapeField(field: number, shape: number[], reader: PbfReader): void {
  if (field === 2) shape.push(reader.readMessage<{ size: number }>(readDimField, { size: 0 }).size);
}

function writeDim(size: number, out: PbfWriter): void {
  out.writeVarintField(1, size);
}

function readDimField(field: number, dim: { size: number }, reader: PbfReader): void {
  if (field === 1) dim.size = reader.readVarint(true);
}
