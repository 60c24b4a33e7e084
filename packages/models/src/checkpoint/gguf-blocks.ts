/**
 * The numbers that the blocks of a GGUF file stand for. A block is some bytes for 32 or 256 elements: quantised numbers, and the scales (and
 * smallest values) of the whole or of parts of it. Source: `ggml-quants.c` and `ggml-common.h` of https://github.com/ggml-org/ggml.
 */
import { decoder } from '@sinter/ir';
import type { StoredDtype } from './stored-tensor.ts';

/** How a type of GGUF lies in the file: as a dtype, or in blocks. */
export type GgufType =
  | { readonly name: string; readonly dtype: StoredDtype }
  | {
      readonly name: string;
      /** Elements of a block. */
      readonly elements: number;
      /** Bytes of a block. */
      readonly bytes: number;
      /** Writes the elements of the block that begins at byte `at` of `from` into `out`, from position `to` on. */
      readonly decode: (from: DataView, at: number, out: Float32Array, to: number) => void;
    };

const half = decoder('f16');
const f16 = (from: DataView, at: number): number => half(from.getUint16(at, true));

/** 32 numbers of 4 bits, of which element i shares a byte with element i + 16; `top` gives bits above these. */
function nibbles(bytes: number, begin: number, make: (from: DataView, at: number) => Nibbles): Block {
  return {
    elements: 32,
    bytes,
    decode(from, at, out, to) {
      const { scale, least, top } = make(from, at);
      for (let i = 0; i < 16; i++) {
        const byte = from.getUint8(at + begin + i);
        out[to + i] = scale * ((byte & 15) | (((top >>> i) & 1) << 4)) + least;
        out[to + i + 16] = scale * ((byte >> 4) | (((top >>> (i + 16)) & 1) << 4)) + least;
      }
    },
  };
}
type Block = Omit<Extract<GgufType, { decode: unknown }>, 'name'>;
interface Nibbles {
  readonly scale: number;
  readonly least: number;
  readonly top: number;
}

const q4_0 = nibbles(18, 2, (from, at) => {
  const scale = f16(from, at);
  return { scale, least: -8 * scale, top: 0 };
});
const q4_1 = nibbles(20, 4, (from, at) => ({ scale: f16(from, at), least: f16(from, at + 2), top: 0 }));
const q5_0 = nibbles(22, 6, (from, at) => {
  const scale = f16(from, at);
  return { scale, least: -16 * scale, top: from.getUint32(at + 2, true) };
});
const q5_1 = nibbles(24, 8, (from, at) => ({
  scale: f16(from, at),
  least: f16(from, at + 2),
  top: from.getUint32(at + 4, true),
}));

const q8_0: Block = {
  elements: 32,
  bytes: 34,
  decode(from, at, out, to) {
    const scale = f16(from, at);
    for (let i = 0; i < 32; i++) out[to + i] = scale * from.getInt8(at + 2 + i);
  },
};

/** Eight parts of 32 elements with a scale and a smallest value of 6 bits each; `tops` is where their fifth bits are, if any. */
function parts(bytes: number, begin: number, tops?: number): Block {
  return {
    elements: 256,
    bytes,
    decode(from, at, out, to) {
      const [scale, least] = [f16(from, at), f16(from, at + 2)];
      const six = (i: number) => from.getUint8(at + 4 + i);
      for (let part = 0; part < 8; part++) {
        const [a, b] =
          part < 4
            ? [six(part) & 63, six(part + 4) & 63]
            : [(six(part + 4) & 15) | ((six(part - 4) >> 6) << 4), (six(part + 4) >> 4) | ((six(part) >> 6) << 4)];
        const [slope, offset] = [scale * a, least * b];
        for (let i = 0; i < 32; i++) {
          const low = (from.getUint8(at + begin + 32 * (part >> 1) + i) >> (4 * (part & 1))) & 15;
          const top = tops === undefined ? 0 : (from.getUint8(at + tops + i) >> part) & 1;
          out[to + 32 * part + i] = slope * (low | (top << 4)) - offset;
        }
      }
    },
  };
}

/** Sixteen parts of 16 elements of 6 bits, with a scale of 8 bits each. */
const q6_k: Block = {
  elements: 256,
  bytes: 210,
  decode(from, at, out, to) {
    const scale = f16(from, at + 208);
    for (let i = 0; i < 256; i++) {
      // Of each 128 elements, the low four bits are in 64 bytes and the upper two in 32.
      const [block, quarter, place] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = (from.getUint8(at + 64 * block + 32 * (quarter & 1) + place) >> (4 * (quarter >> 1))) & 15;
      const top = (from.getUint8(at + 128 + 32 * block + place) >> (2 * quarter)) & 3;
      out[to + i] = scale * from.getInt8(at + 192 + (i >> 4)) * ((low | (top << 4)) - 32);
    }
  },
};

/** The types that are read, by their number in the file. */
export const ggufTypes: ReadonlyMap<number, GgufType> = new Map<number, GgufType>([
  [0, { name: 'F32', dtype: 'f32' }],
  [1, { name: 'F16', dtype: 'f16' }],
  [2, { name: 'Q4_0', ...q4_0 }],
  [3, { name: 'Q4_1', ...q4_1 }],
  [6, { name: 'Q5_0', ...q5_0 }],
  [7, { name: 'Q5_1', ...q5_1 }],
  [8, { name: 'Q8_0', ...q8_0 }],
  [12, { name: 'Q4_K', ...parts(144, 16) }],
  [13, { name: 'Q5_K', ...parts(176, 48, 16) }],
  [14, { name: 'Q6_K', ...q6_k }],
  [24, { name: 'I8', dtype: 'i8' }],
  [25, { name: 'I16', dtype: 'i16' }],
  [26, { name: 'I32', dtype: 'i32' }],
  [27, { name: 'I64', dtype: 'i64' }],
  [28, { name: 'F64', dtype: 'f64' }],
  [30, { name: 'BF16', dtype: 'bf16' }],
]);
