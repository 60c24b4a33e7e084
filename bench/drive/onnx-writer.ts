/**
 * Writes an ONNX model by hand: the few messages of `onnx.proto` (github.com/onnx/onnx) that a graph of constants and
 * nodes needs, in protobuf's wire format. The numbers below are the proto's field numbers.
 */

/** The name of a value in the graph. */
export type OnnxValue = string & { readonly __onnx?: never };

/** A whole number is an INT attribute; a fraction needs saying so, since 1.0 is a whole number here. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

type Bytes = Uint8Array<ArrayBuffer>;
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;

/** A graph under construction; `bytes()` is the model file. */
export class OnnxGraph {
  readonly #nodes: Bytes[] = [];
  readonly #initializers: Bytes[] = [];
  readonly #inputs: Bytes[] = [];
  #count = 0;

  /** A tensor that is given in every run. */
  input(name: string, shape: readonly number[], dtype: 'f32' | 'i32'): OnnxValue {
    this.#inputs.push(valueInfo(name, dtype === 'f32' ? FLOAT : INT32, shape));
    return name;
  }

  /** A tensor that is stored in the model. */
  constant(data: Float32Array | Int32Array | BigInt64Array, shape: readonly number[]): OnnxValue {
    const dtype = data instanceof Float32Array ? FLOAT : data instanceof Int32Array ? INT32 : INT64;
    const raw = new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer);
    const name = `constant${this.#count++}`;
    this.#initializers.push(
      concat([...shape.map((size) => int(1, size)), int(2, dtype), bytes(8, name), bytes(9, raw)]),
    );
    return name;
  }

  /** One float. */
  scalar(value: number): OnnxValue {
    return this.constant(Float32Array.of(value), []);
  }

  /** A list of sizes or axes, as `Reshape` wants it. */
  integers(...values: readonly number[]): OnnxValue {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** One node; returns its only output. */
  op(type: string, inputs: readonly OnnxValue[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): OnnxValue {
    const output = `value${this.#count++}`;
    const encoded = Object.entries(attributes).map(([name, value]) => bytes(5, attribute(name, value)));
    this.#nodes.push(concat([...inputs.map((input) => bytes(1, input)), bytes(2, output), bytes(4, type), ...encoded]));
    return output;
  }

  /** The model, of which `output` is the only output, under the name `output`. */
  bytes(output: OnnxValue, opset = 20): Bytes {
    this.#nodes.push(concat([bytes(1, output), bytes(2, 'output'), bytes(4, 'Identity')]));
    const graph = concat([
      ...this.#nodes.map((node) => bytes(1, node)),
      bytes(2, 'graph'),
      ...this.#initializers.map((tensor) => bytes(5, tensor)),
      ...this.#inputs.map((info) => bytes(11, info)),
      bytes(12, valueInfo('output', FLOAT)),
    ]);
    return concat([int(1, 9), bytes(7, graph), bytes(8, concat([bytes(1, ''), int(2, opset)]))]);
  }
}

function attribute(name: string, value: OnnxAttribute): Bytes {
  const [type, body] =
    typeof value === 'number'
      ? [2, int(3, value)]
      : typeof value === 'string'
        ? [3, bytes(4, value)]
        : 'float' in value
          ? [1, float(2, value.float)]
          : [7, concat(value.map((item) => int(8, item)))];
  return concat([bytes(1, name), body, int(20, type)]);
}

function valueInfo(name: string, dtype: number, shape?: readonly number[]): Bytes {
  const dims = shape ? [bytes(2, concat(shape.map((size) => bytes(1, int(1, size)))))] : [];
  return concat([bytes(1, name), bytes(2, bytes(1, concat([int(1, dtype), ...dims])))]);
}

function int(field: number, value: number): Bytes {
  return Uint8Array.from([...varint(field << 3), ...varint(value)]);
}

function float(field: number, value: number): Bytes {
  return concat([Uint8Array.from(varint((field << 3) | 5)), new Uint8Array(Float32Array.of(value).buffer)]);
}

function bytes(field: number, value: string | Bytes): Bytes {
  const body = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(body.length)]), body]);
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return [...out, Number(rest)];
    out.push(Number(rest & 127n) | 128);
  }
}

function concat(parts: readonly Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
