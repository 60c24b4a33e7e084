/**
 * Scalar ops on four lanes, with the exact meaning of the reference. Floats are `f32x4`; integers of any width are
 * `i32x4`; a `bool` is a mask of all ones or zeros.
 */
import type { DType, ScalarOp } from '@sinter/ir';
import { isFloat } from '@sinter/ir';
import { f32Bytes, i32Bytes } from './encode.ts';
import type { Builder, Node } from './nodes.ts';
import { op as o, vop as v } from './opcodes.ts';
import { scalarNode, unspelled } from './scalar.ts';

/** Lanes of a vector. */
export const lanes = 4;
const laneNumbers = [0, 1, 2, 3] as const;

const vec = (b: Builder, opcode: number, args: readonly Node[], immediates: readonly number[] = []): Node =>
  b.pure(opcode, 'v128', args, immediates);

/** A vector of four constants. */
export function constantVector(b: Builder, values: readonly number[], dtype: DType): Node {
  return b.v128(
    values.flatMap((x) => (isFloat(dtype) ? f32Bytes(x) : i32Bytes(dtype === 'bool' ? -Number(x !== 0) : x))),
  );
}

/** A scalar in all lanes. */
export function splat(b: Builder, n: Node, dtype: DType): Node {
  if (n.constant !== undefined)
    return constantVector(
      b,
      laneNumbers.map(() => n.constant!),
      dtype,
    );
  if (dtype === 'bool') return vec(b, v.i32x4Neg, [vec(b, v.i32x4Splat, [n])]);
  return vec(b, isFloat(dtype) ? v.f32x4Splat : v.i32x4Splat, [n]);
}

/** One lane as a scalar. */
export function extractLane(b: Builder, n: Node, lane: number, dtype: DType): Node {
  if (isFloat(dtype)) return b.pure(v.f32x4ExtractLane, 'f32', [n], [lane]);
  const x = b.pure(v.i32x4ExtractLane, 'i32', [n], [lane]);
  return dtype === 'bool' ? b.pure(o.i32And, 'i32', [x, b.i32(1)]) : x;
}

/** A vector with one lane replaced by a scalar. */
export function replaceLane(b: Builder, n: Node, lane: number, x: Node, dtype: DType): Node {
  const value = dtype === 'bool' ? b.pure(o.i32Sub, 'i32', [b.i32(0), x]) : x;
  return vec(b, isFloat(dtype) ? v.f32x4ReplaceLane : v.i32x4ReplaceLane, [n, value], [lane]);
}

/** A vector of four scalars. */
export function fromLanes(b: Builder, scalars: readonly Node[], dtype: DType): Node {
  if (scalars.every((n) => n.constant !== undefined))
    return constantVector(
      b,
      scalars.map((n) => n.constant!),
      dtype,
    );
  if (scalars.every((n) => n === scalars[0])) return splat(b, scalars[0]!, dtype);
  return scalars.slice(1).reduce((sum, n, i) => replaceLane(b, sum, i + 1, n, dtype), splat(b, scalars[0]!, dtype));
}

/** Four bytes in the low lane as four integers of a one-byte dtype (or a mask). */
export function widenBytes(b: Builder, n: Node, dtype: DType): Node {
  const signed = dtype === 'i8';
  const half = vec(b, signed ? v.i16x8ExtendLowI8x16S : v.i16x8ExtendLowI8x16U, [n]);
  const wide = vec(b, signed ? v.i32x4ExtendLowI16x8S : v.i32x4ExtendLowI16x8U, [half]);
  return dtype === 'bool' ? vec(b, v.i32x4Neg, [wide]) : wide;
}

/** Four integers (or a mask) as four bytes in the low lane. */
export function narrowToBytes(b: Builder, n: Node, dtype: DType): Node {
  const value = dtype === 'bool' ? vec(b, v.i32x4Neg, [n]) : n;
  return vec(b, v.shuffle, [value, value], [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]);
}

/** Four integers as 16 bits each in the low half. */
export function narrowToHalves(b: Builder, n: Node): Node {
  const halves = [0, 1, 4, 5, 8, 9, 12, 13];
  return vec(b, v.shuffle, [n, n], [...halves, ...halves]);
}

// prettier-ignore
const float: { readonly [O in ScalarOp]?: number } = {
  add: v.f32x4Add, sub: v.f32x4Sub, mul: v.f32x4Mul, div: v.f32x4Div, min: v.f32x4Min, max: v.f32x4Max,
  neg: v.f32x4Neg, abs: v.f32x4Abs, sqrt: v.f32x4Sqrt, floor: v.f32x4Floor, round: v.f32x4Nearest,
  lt: v.f32x4Lt, le: v.f32x4Le, eq: v.f32x4Eq,
};
// prettier-ignore
const signed: { readonly [O in ScalarOp]?: number } = {
  add: v.i32x4Add, sub: v.i32x4Sub, mul: v.i32x4Mul, min: v.i32x4MinS, max: v.i32x4MaxS, and: v.and, or: v.or, xor: v.xor,
  neg: v.i32x4Neg, abs: v.i32x4Abs, lt: v.i32x4LtS, le: v.i32x4LeS, eq: v.i32x4Eq,
};
// prettier-ignore
const unsigned: { readonly [O in ScalarOp]?: number } = {
  ...signed, min: v.i32x4MinU, max: v.i32x4MaxU, lt: v.i32x4LtU, le: v.i32x4LeU,
};
// prettier-ignore
const mask: { readonly [O in ScalarOp]?: number } = {
  add: v.or, sub: v.xor, mul: v.and, div: v.and, min: v.and, max: v.or, and: v.and, or: v.or, xor: v.xor,
};

/** What vector ops need besides their operands. */
export interface VectorContext {
  readonly b: Builder;
  /** Whether relaxed SIMD may be used. */ readonly relaxed: boolean;
  /** The immediates of a call to a helper function. */ readonly helper: (name: string) => readonly number[];
}

/** An operand: a vector, and the scalar that is in all of its lanes when there is one. */
export interface Operand {
  readonly vector: () => Node;
  readonly scalar: Node | undefined;
}

function wrapVector(b: Builder, n: Node, dtype: DType): Node {
  const shift = (opcode: number, x: Node): Node => vec(b, opcode, [x, b.i32(24)]);
  switch (dtype) {
    case 'i8':
      return shift(v.i32x4ShrS, shift(v.i32x4Shl, n));
    case 'u8':
      return vec(b, v.and, [n, constantVector(b, [255, 255, 255, 255], 'i32')]);
    default:
      return n;
  }
}

const notZero = (b: Builder, n: Node): Node =>
  vec(b, v.not, [vec(b, v.i32x4Eq, [n, constantVector(b, [0, 0, 0, 0], 'i32')])]);

/** The op on each lane by itself. */
function lanewise(c: VectorContext, op: ScalarOp, from: DType, to: DType, args: readonly Operand[]): Node {
  const scalars = laneNumbers.map((l) =>
    scalarNode(
      c.b,
      op,
      from,
      to,
      args.map((a) => a.scalar ?? extractLane(c.b, a.vector(), l, from)),
      c.helper,
    ),
  );
  return fromLanes(c.b, scalars, to);
}

/** `pmin`/`pmax` take one instruction where the exact ones take eight; the same when one side is a constant that is no NaN. */
function floatMinMax(b: Builder, op: 'min' | 'max', args: readonly Operand[]): Node {
  for (const [x, y] of [args, args.toReversed()] as [Operand, Operand][]) {
    const limit = y.scalar?.constant;
    if (limit === undefined || Number.isNaN(limit)) continue;
    const fast = vec(b, op === 'min' ? v.f32x4Pmin : v.f32x4Pmax, [x.vector(), y.vector()]);
    if (limit !== 0 || Object.is(limit, 0) === (op === 'min')) return fast;
    if (op === 'max') return vec(b, v.f32x4Add, [fast, y.vector()]); // −0 + 0 is 0
  }
  return vec(
    b,
    float[op]!,
    args.map((a) => a.vector()),
  );
}

/** `p < q ? q : p` is what `pmax(p, q)` means, and `q < p ? q : p` is `pmin(p, q)`. */
function clampOf(
  when: Node,
  then: Node,
  otherwise: Node,
): { readonly opcode: number; readonly args: readonly Node[] } | undefined {
  if (when.op !== v.f32x4Lt) return undefined;
  const [p, q] = when.args as [Node, Node];
  if (then === q && otherwise === p) return { opcode: v.f32x4Pmax, args: [p, q] };
  return then === p && otherwise === q ? { opcode: v.f32x4Pmin, args: [q, p] } : undefined;
}

function castVector(c: VectorContext, from: DType, to: DType, x: Operand): Node {
  const { b } = c;
  const n = x.vector();
  if (isFloat(from)) {
    switch (to) {
      case 'bool':
        return vec(b, v.f32x4Ne, [n, constantVector(b, [0, 0, 0, 0], 'f32')]);
      case 'u32':
        return vec(b, v.i32x4TruncSatF32x4U, [n]);
      case 'i32':
      case 'i8':
      case 'u8':
        return wrapVector(b, vec(b, v.i32x4TruncSatF32x4S, [n]), to);
      default:
        return n;
    }
  }
  if (from === 'bool') {
    if (isFloat(to)) return vec(b, v.and, [n, constantVector(b, [1, 1, 1, 1], 'f32')]);
    return to === 'bool' ? n : vec(b, v.i32x4Neg, [n]);
  }
  if (isFloat(to)) {
    // An unsigned number that was shifted right fits the much cheaper signed conversion.
    const small =
      from !== 'u32' || (n.op === v.i32x4ShrU && n.args[1]!.constant !== undefined && (n.args[1]!.constant & 31) !== 0);
    return vec(b, small ? v.f32x4ConvertI32x4S : v.f32x4ConvertI32x4U, [n]);
  }
  return to === 'bool' ? notZero(b, n) : wrapVector(b, n, to);
}

/** The result of an op on operands of dtype `from`; at least one of them differs between lanes. */
export function vectorNode(c: VectorContext, op: ScalarOp, from: DType, to: DType, args: readonly Operand[]): Node {
  const { b } = c;
  const [x, y, z] = args as [Operand, Operand, Operand];
  const vectors = (): Node[] => args.map((a) => a.vector());
  switch (op) {
    case 'select': {
      const when = x.scalar;
      if (when?.constant !== undefined) return when.constant !== 0 ? y.vector() : z.vector();
      const clamp = isFloat(to) ? clampOf(x.vector(), y.vector(), z.vector()) : undefined;
      if (clamp) return vec(b, clamp.opcode, clamp.args);
      return vec(b, c.relaxed ? v.i32x4RelaxedLaneselect : v.bitselect, [y.vector(), z.vector(), x.vector()]);
    }
    case 'cast':
      return castVector(c, from, to, x);
    case 'bitcast':
      return x.vector();
    case 'fma':
      if (!isFloat(from)) break;
      if (c.relaxed) return vec(b, v.f32x4RelaxedMadd, vectors());
      return vec(b, v.f32x4Add, [vec(b, v.f32x4Mul, [x.vector(), y.vector()]), z.vector()]);
    case 'floor':
    case 'round':
      if (!isFloat(from)) return x.vector();
      break;
    default:
  }
  if (isFloat(from)) {
    if (op === 'min' || op === 'max') return floatMinMax(b, op, args);
    if (op === 'mod') return lanewise(c, op, from, to, args);
    return vec(b, float[op] ?? unspelled(op, from), vectors());
  }
  if (from === 'bool') {
    const opcode = mask[op];
    if (opcode !== undefined) return vec(b, opcode, vectors());
    switch (op) {
      case 'lt':
        return vec(b, v.andnot, [y.vector(), x.vector()]);
      case 'le':
        return vec(b, v.or, [vec(b, v.not, [x.vector()]), y.vector()]);
      case 'eq':
        return vec(b, v.i32x4Eq, vectors());
      case 'neg':
      case 'abs':
        return x.vector();
      default:
        return lanewise(c, op, from, to, args);
    }
  }
  const shift = op === 'shl' ? v.i32x4Shl : from === 'u32' ? v.i32x4ShrU : v.i32x4ShrS;
  switch (op) {
    case 'shl':
    case 'shr':
      return y.scalar ? wrapVector(b, vec(b, shift, [x.vector(), y.scalar]), from) : lanewise(c, op, from, to, args);
    case 'mulhi': {
      const [p, q] = vectors();
      const product = (opcode: number): Node => vec(b, opcode, [p!, q!]);
      const high = [4, 5, 6, 7, 12, 13, 14, 15];
      return vec(
        b,
        v.shuffle,
        [product(v.i64x2ExtmulLowI32x4U), product(v.i64x2ExtmulHighI32x4U)],
        [...high, ...high.map((i) => i + 16)],
      );
    }
    case 'abs':
      if (from === 'u32') return x.vector();
      break;
    case 'fma':
      return wrapVector(b, vec(b, v.i32x4Add, [vec(b, v.i32x4Mul, [x.vector(), y.vector()]), z.vector()]), from);
    default:
  }
  const opcode = (from === 'u32' ? unsigned : signed)[op];
  if (opcode === undefined) return lanewise(c, op, from, to, args);
  const result = vec(b, opcode, vectors());
  return to === 'bool' ? result : wrapVector(b, result, from);
}
