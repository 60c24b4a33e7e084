/**
 * How a parameter is kept where it is not kept as 32-bit floats, and the expression that makes it one again: no model knows of it, since
 * `Scope.param` gives the expression. One row of {@link packings} for each way.
 */
import type { DType, Tensor } from '@sinter/ir';
import {
  and,
  broadcastTo,
  cast,
  encoder,
  expandDims,
  iota,
  mul,
  reshape,
  shr,
  state,
  sub,
  transpose,
} from '@sinter/ir';
import { floatReader } from '../checkpoint/stored-tensor.ts';
import type { StoredTensor } from '../checkpoint/stored-tensor.ts';

/** A tensor on the host whose dtype a graph knows. */
export type HostTensor = Extract<StoredTensor, { dtype: DType }>;

/**
 * How a parameter is kept. `float16` and `bfloat16`: as such numbers, under its own name. `int8`: whole numbers from −127 to 127 of its own
 * shape under its own name, and `NAME_scale`, `f32`, one for each place along the axis that is not summed over. `int4`: whole
 * numbers from −8 to 7, and a `bf16` scale for each `group_size` of them along the axis `inner` that is summed over; with that axis first,
 * `NAME_packed` is `u8` `[inner / 2, outer]`, element 2i plus 8 in the lower half of a byte and 2i + 1 in the upper, and `NAME_scale` is
 * `[inner / group_size, outer]`.
 */
export type Packing =
  | { readonly kind: 'float16' | 'bfloat16' }
  | { readonly kind: 'int8'; readonly inner: 0 | 1 }
  | { readonly kind: 'int4'; readonly inner: 0 | 1; readonly group_size: number };

/** What a part of a packed parameter is, by what follows the parameter's name in its own. */
export type Parts = Readonly<Record<string, { readonly dtype: DType; readonly shape: readonly number[] }>>;

/** A way of keeping a parameter. */
interface PackingRow<P extends Packing> {
  readonly parts: (packing: P, shape: readonly number[]) => Parts;
  /** The parameter as an `f32` tensor, of its parts as states. */
  readonly unpack: (packing: P, parts: Readonly<Record<string, Tensor>>, shape: readonly number[]) => Tensor;
  /** The data of the parts. */
  readonly pack: (
    packing: P,
    data: Float32Array,
    shape: readonly number[],
  ) => Readonly<Record<string, HostTensor['data']>>;
}

function sixteenBits(dtype: 'f16' | 'bf16'): PackingRow<Packing> {
  const put = encoder(dtype);
  return {
    parts: (_, shape) => ({ '': { dtype, shape } }),
    unpack: (_, { '': bits }) => cast(bits!, 'f32'),
    pack: (_, data) => ({ '': filled(new Uint16Array(data.length), (i) => put(data[i]!)) }),
  };
}

const int8: PackingRow<Extract<Packing, { kind: 'int8' }>> = {
  parts: ({ inner }, shape) => ({
    '': { dtype: 'i8', shape },
    _scale: { dtype: 'f32', shape: shape.map((size, axis) => (axis === inner ? 1 : size)) },
  }),
  unpack: (_, { '': numbers, _scale: scale }) => mul(cast(numbers!, 'f32'), scale!) as Tensor,
  pack({ inner }, data, [rows = 0, columns = 0]) {
    const scale = new Float32Array(inner === 1 ? rows : columns);
    const place = (i: number) => (inner === 1 ? Math.floor(i / columns) : i % columns);
    for (let i = 0; i < data.length; i++) scale[place(i)] = Math.max(scale[place(i)]!, Math.abs(data[i]!));
    filled(scale, (i) => scale[i]! / 127);
    const numbers = filled(new Int8Array(data.length), (i) => Math.round(data[i]! / (scale[place(i)]! || 1)));
    return { '': numbers, _scale: scale };
  },
};

const int4: PackingRow<Extract<Packing, { kind: 'int4' }>> = {
  parts({ inner, group_size }, shape) {
    const [length, width] = [shape[inner]!, shape[1 - inner]!];
    return {
      _packed: { dtype: 'u8', shape: [length / 2, width] },
      _scale: { dtype: 'bf16', shape: [length / group_size, width] },
    };
  },
  unpack({ inner, group_size }, { _packed: bytes, _scale: scale }, shape) {
    const [length, width] = [shape[inner]!, shape[1 - inner]!];
    const whole = [length, width];
    const each = broadcastTo(expandDims(cast(bytes!, 'i32'), 1), [length / 2, 2, width]);
    const halves = and(shr(each, mul(iota([2, 1], 0), 4)), 15);
    const scales = broadcastTo(expandDims(cast(scale!, 'f32'), 1), [length / group_size, group_size, width]);
    // Last comes the product, which kernels take apart; axes are exchanged before.
    const turned = (x: Tensor): Tensor => {
      const flat = reshape(x, whole) as Tensor;
      return inner === 0 ? flat : (transpose(flat, [1, 0]) as Tensor);
    };
    return mul(turned(cast(sub(halves, 8), 'f32') as Tensor), turned(scales as Tensor)) as Tensor;
  },
  pack({ inner, group_size }, data, shape) {
    const [length, width] = [shape[inner]!, shape[1 - inner]!];
    const at = (k: number, n: number) => (inner === 0 ? k * width + n : n * length + k);
    const bytes = new Uint8Array((length / 2) * width);
    const scales = new Uint16Array((length / group_size) * width);
    const group = new Float32Array(group_size);
    for (let g = 0; g * group_size < length; g++)
      for (let n = 0; n < width; n++) {
        for (let i = 0; i < group_size; i++) group[i] = data[at(g * group_size + i, n)]!;
        const bits = toBf16(bestScale(group));
        scales[g * width + n] = bits;
        const scale = fromBf16(bits);
        for (let i = 0; i < group_size; i++) {
          const k = g * group_size + i;
          bytes[(k >> 1) * width + n]! |= (nearest(group[i]!, scale) + 8) << (4 * (k & 1));
        }
      }
    return { _packed: bytes, _scale: scales };
  },
};

const packings = {
  float16: sixteenBits('f16'),
  bfloat16: sixteenBits('bf16'),
  int8,
  int4,
} as unknown as { readonly [K in Packing['kind']]: PackingRow<Packing> };

function filled<A extends Uint16Array | Int8Array | Float32Array>(array: A, value: (i: number) => number): A {
  for (let i = 0; i < array.length; i++) array[i] = value(i);
  return array;
}

/** The states that a packed parameter is made of, by their full names. */
export function partsOf(packing: Packing, name: string, shape: readonly number[]): Parts {
  const parts = packings[packing.kind].parts(packing, shape);
  return Object.fromEntries(Object.entries(parts).map(([ending, type]) => [name + ending, type]));
}

/** The parameter `name` as an `f32` tensor that is computed from the states it is kept in. */
export function unpacked(packing: Packing, name: string, shape: readonly number[]): Tensor {
  const row = packings[packing.kind];
  const parts = Object.entries(row.parts(packing, shape));
  const states = parts.map(([ending, { dtype, shape }]) => [ending, state(name + ending, shape, dtype)] as const);
  return row.unpack(packing, Object.fromEntries(states), shape);
}

/** The data of a parameter's states, by their full names. */
export function packed(
  packing: Packing,
  name: string,
  data: Float32Array,
  shape: readonly number[],
): Map<string, HostTensor> {
  const row = packings[packing.kind];
  const all = row.pack(packing, data, shape);
  return new Map(
    Object.entries(row.parts(packing, shape)).map(([ending, type]) => [
      name + ending,
      { ...type, data: all[ending]! } as HostTensor,
    ]),
  );
}

/** The whole number from −8 to 7 that comes nearest. */
function nearest(value: number, scale: number): number {
  return scale === 0 ? 0 : Math.max(-8, Math.min(7, Math.round(value / scale)));
}

/**
 * The scale with the least square error of those that put the largest number near −8, the end that reaches further; for each, the
 * best for its whole numbers follows by least squares.
 */
function bestScale(group: Float32Array): number {
  let largest = 0;
  for (const value of group) if (Math.abs(value) > Math.abs(largest)) largest = value;
  let [best, most] = [0, 0];
  for (let end = -9; end <= -6.5; end += 0.25) {
    const scale = largest / end;
    let [cross, square] = [0, 0];
    for (const value of group) {
      const q = nearest(value, scale);
      cross += q * value;
      square += q * q;
    }
    // The square error that is left is Σ value² − cross² / square.
    if (square > 0 && cross * cross > most * square) [best, most] = [cross / square, (cross * cross) / square];
  }
  return best;
}

const toBf16 = encoder('bf16');
function fromBf16(bits: number): number {
  const out = new Float32Array(1);
  floatReader('bf16')!(Uint16Array.of(bits), out, 0);
  return out[0]!;
}
