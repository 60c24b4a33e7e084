/**
 * 16-bit floats from and to 32 bits in integer arithmetic, for one value and for four lanes: exactly, with subnormals, infinities and NaN.
 * Half precision is done after Maratyszcza's FP16, as the C in `native/vectors.ts` does it.
 */
import { constantVector } from './simd.ts';
import type { Builder, Node } from './nodes.ts';
import { op as o, vop as v } from './opcodes.ts';

/** The dtypes of 16-bit floats. */
export type Half = 'f16' | 'bf16';
/** Whether a dtype is one. */
export const isHalf = (dtype: string): dtype is Half => dtype === 'f16' || dtype === 'bf16';

/** Arithmetic on 32-bit integers and the floats of the same bits. */
interface Arithmetic {
  readonly int: (value: number) => Node;
  readonly real: (value: number) => Node;
  readonly asReal: (n: Node) => Node;
  readonly asInt: (n: Node) => Node;
  readonly shift: (op: 'shl' | 'shrU', n: Node, by: number) => Node;
  readonly binary: (op: 'and' | 'or' | 'add' | 'mulReal' | 'addReal', p: Node, q: Node) => Node;
  /** All bits, or none, in lanes; 1 or 0. */ readonly above: (p: Node, q: number) => Node;
  readonly choose: (when: Node, p: Node, q: Node) => Node;
}

function scalars(b: Builder): Arithmetic {
  const opcodes = { and: o.i32And, or: o.i32Or, add: o.i32Add, mulReal: o.f32Mul, addReal: o.f32Add };
  return {
    int: (value) => b.i32(value),
    real: (value) => b.f32(value),
    asReal: (n) => b.pure(o.f32ReinterpretI32, 'f32', [n]),
    asInt: (n) => b.pure(o.i32ReinterpretF32, 'i32', [n]),
    shift: (op, n, by) => b.pure(op === 'shl' ? o.i32Shl : o.i32ShrU, 'i32', [n, b.i32(by)]),
    binary: (op, p, q) => b.pure(opcodes[op], op === 'mulReal' || op === 'addReal' ? 'f32' : 'i32', [p, q]),
    above: (p, q) => b.pure(o.i32LtU, 'i32', [b.i32(q), p]),
    choose: (when, p, q) => b.pure(o.select, 'i32', [p, q, when]),
  };
}

function vectors(b: Builder): Arithmetic {
  const opcodes = { and: v.and, or: v.or, add: v.i32x4Add, mulReal: v.f32x4Mul, addReal: v.f32x4Add };
  const splat = (value: number, dtype: 'i32' | 'f32'): Node => constantVector(b, [value, value, value, value], dtype);
  return {
    int: (value) => splat(value, 'i32'),
    real: (value) => splat(value, 'f32'),
    asReal: (n) => n,
    asInt: (n) => n,
    shift: (op, n, by) => b.pure(op === 'shl' ? v.i32x4Shl : v.i32x4ShrU, 'v128', [n, b.i32(by)]),
    binary: (op, p, q) => b.pure(opcodes[op], 'v128', [p, q]),
    above: (p, q) => b.pure(v.i32x4LtU, 'v128', [splat(q, 'i32'), p]),
    choose: (when, p, q) => b.pure(v.bitselect, 'v128', [p, q, when]),
  };
}

/** What the high 16 bits of the words `n` are as floats; `n` holds the 16 bits of storage below, with the sign before them. */
function widened(a: Arithmetic, n: Node, dtype: Half): Node {
  if (dtype === 'bf16') return a.asReal(a.shift('shl', n, 16));
  // The exponent is put right by a multiplication, the sign comes along. What then is 65,536 or more was infinite or NaN.
  const placed = a.binary('and', a.shift('shl', n, 13), a.int(0x8fffe000));
  const value = a.asInt(a.binary('mulReal', a.asReal(placed), a.real(2 ** 112)));
  const special = a.above(a.binary('and', n, a.int(0x7fff)), 0x7bff);
  return a.asReal(a.choose(special, a.binary('or', value, a.int(0x7f800000)), value));
}

/** The nearest 16-bit floats, halves to even, in the low 16 bits of words. */
function narrowed(a: Arithmetic, x: Node, dtype: Half): Node {
  const bits = a.asInt(x);
  if (dtype === 'bf16') {
    const odd = a.binary('and', a.shift('shrU', bits, 16), a.int(1));
    const rounded = a.shift('shrU', a.binary('add', a.binary('add', bits, a.int(0x7fff)), odd), 16);
    const quiet = a.binary('or', a.shift('shrU', bits, 16), a.int(0x40));
    return a.choose(a.above(a.shift('shl', bits, 1), 0xff000000), quiet, rounded);
  }
  const size = a.asReal(a.binary('and', bits, a.int(0x7fffffff)));
  const base = a.binary('mulReal', a.binary('mulReal', size, a.real(2 ** 112)), a.real(2 ** -110));
  const twice = a.shift('shl', bits, 1);
  const exponent = a.binary('and', twice, a.int(0xff000000));
  const bias = a.choose(a.above(exponent, 0x71000000), exponent, a.int(0x71000000));
  const lifted = a.asReal(a.binary('add', a.shift('shrU', bias, 1), a.int(0x07800000)));
  const sum = a.asInt(a.binary('addReal', lifted, base));
  const rest = a.binary(
    'add',
    a.binary('and', a.shift('shrU', sum, 13), a.int(0x7c00)),
    a.binary('and', sum, a.int(0x0fff)),
  );
  const sign = a.binary('and', a.shift('shrU', bits, 16), a.int(0x8000));
  return a.binary('or', sign, a.choose(a.above(twice, 0xff000000), a.int(0x7e00), rest));
}

/** One 16-bit float, as its sign-extended bits, as `f32`. */
export const fromHalf = (b: Builder, n: Node, dtype: Half): Node => widened(scalars(b), n, dtype);
/** The same in four lanes. */
export const fromHalves = (b: Builder, n: Node, dtype: Half): Node => widened(vectors(b), n, dtype);
/** The bits of the nearest 16-bit float, in an `i32`. */
export const toHalf = (b: Builder, x: Node, dtype: Half): Node => narrowed(scalars(b), x, dtype);
/** The same in four lanes. */
export const toHalves = (b: Builder, x: Node, dtype: Half): Node => narrowed(vectors(b), x, dtype);

/** What storage of 16 bits makes of a float. */
export function rounded(b: Builder, x: Node, dtype: Half): Node {
  const a = x.type === 'v128' ? vectors(b) : scalars(b);
  const bits = narrowed(a, x, dtype);
  // Sign-extended, as loads give it.
  return widened(a, a.binary('or', bits, a.choose(a.above(bits, 0x7fff), a.int(0xffff0000), a.int(0))), dtype);
}
