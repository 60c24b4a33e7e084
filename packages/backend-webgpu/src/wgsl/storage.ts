/**
 * How elements of each dtype lie in memory: as themselves, or packed into words so that the bytes are those of the host.
 * Kernels that store packed elements do it atomically, since neighbours in a word belong to other threads.
 */
import type { DType } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import type { Need, Text } from './spell.ts';
import { atom, call, level, valueType, within } from './spell.ts';

/** What the device can do that changes the code. */
export interface Abilities {
  /** Whether `f16` is a type of its own (the feature shader-f16). */
  readonly f16: boolean;
}

/** Whether elements of a buffer are packed into words. */
export function isPacked(dtype: DType, { f16 }: Abilities): boolean {
  return dtypeBytes[dtype] < 4 && !(dtype === 'f16' && f16);
}

/** The type of an element that lies in memory as itself. */
export function elementType(dtype: DType, { f16 }: Abilities): string {
  return dtype === 'f16' && f16 ? 'f16' : valueType(dtype);
}

/** An element as a value. */
export function fromElement(element: Text, dtype: DType, { f16 }: Abilities): Text {
  return dtype === 'f16' && f16 ? call('f32', element) : element;
}

/** A value as an element of private or shared storage: rounded to its dtype. */
export function toElement(value: Text, dtype: DType, { f16 }: Abilities, need: Need): Text {
  if (dtype === 'f16') {
    if (f16) return call('f16', value);
    need('f16_bits');
    return atom(`unpack2x16float(f16_bits(${value.text})).x`);
  }
  if (dtype !== 'bf16') return value;
  need('bf16_bits');
  return atom(`bitcast<f32>(bf16_bits(${value.text}) << 16u)`);
}

/** The bits of a value that go into a word. */
function bitsOf(dtype: DType, need: Need): string {
  switch (dtype) {
    case 'f16':
      need('f16_bits');
      return 'f16_bits(value)';
    case 'bf16':
      need('bf16_bits');
      return 'bf16_bits(value)';
    case 'bool':
      return 'u32(value)';
    default:
      return 'bitcast<u32>(value)';
  }
}

function valueOf(dtype: DType, word: string, shift: string): string {
  const bits = `extractBits(${word}, ${shift}, ${8 * dtypeBytes[dtype]}u)`;
  switch (dtype) {
    case 'f16':
      return `unpack2x16float(${bits}).x`;
    case 'bf16':
      return `bitcast<f32>(${bits} << 16u)`;
    case 'bool':
      return `${bits} != 0u`;
    case 'i8':
      return `extractBits(bitcast<i32>(${word}), ${shift}, 8u)`;
    default:
      return `i32(${bits})`;
  }
}

/** A buffer of packed elements: its type, and the functions that load and store one. */
export interface Packing {
  readonly buffer: string;
  readonly dtype: DType;
  /** The names of the functions, where the kernel loads and stores. */
  readonly load: string;
  readonly store: string;
  readonly stores: boolean;
}

/** The functions of a packed buffer. */
export function packingCode({ buffer, dtype, load, store, stores }: Packing, need: Need): string[] {
  const bits = 8 * dtypeBytes[dtype];
  const perWord = 32 / bits;
  const type = valueType(dtype);
  const word = `${buffer}[at >> ${Math.log2(perWord)}u]`;
  const shift = `${bits}u * (u32(at) & ${perWord - 1}u)`;
  const loads = `fn ${load}(at: i32) -> ${type} {
  let word = ${stores ? `atomicLoad(&${word})` : word};
  return ${valueOf(dtype, 'word', shift)};
}`;
  if (!stores) return [loads];
  const mask = `0x${(2 ** bits - 1).toString(16)}u`;
  return [
    loads,
    `fn ${store}(at: i32, value: ${type}) {
  let shift = ${shift};
  atomicAnd(&${word}, ~(${mask} << shift));
  atomicOr(&${word}, (${bitsOf(dtype, need)} & ${mask}) << shift);
}`,
  ];
}

/** The text of an index. */
export function indexed(buffer: string, at: Text): Text {
  return atom(`${buffer}[${within(at, level.any)}]`);
}
