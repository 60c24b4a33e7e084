/** Scalar ops as instructions, with the exact meaning of the reference (`scalarFunction` of the IR). */
import type { DType, ScalarOp } from '@sinter/ir';
import { isFloat, scalarFunction } from '@sinter/ir';
import type { Builder, Node } from './nodes.ts';
import { op as o } from './opcodes.ts';

/** An op that has no spelling: the compiler should have decomposed it. */
export class UnspelledError extends Error {
  override readonly name: string = 'UnspelledError';
}

/** Refuses an op. */
export function unspelled(op: ScalarOp, dtype: DType): never {
  throw new UnspelledError(`the op '${op}' on ${dtype} has no WebAssembly spelling; decompose it first`);
}

/** The name of the helper that computes a float remainder. */
export const fmodName = 'fmod';

/** What an expression's constant is as a value: booleans are 0 or 1. */
export function constantNode(b: Builder, value: number, dtype: DType): Node {
  return isFloat(dtype) ? b.f32(value) : b.i32(dtype === 'bool' ? Number(value !== 0) : value);
}

/** The number that a constant value stands for in a dtype. */
export function constantValue(n: Node, dtype: DType): number | undefined {
  return n.constant === undefined ? undefined : dtype === 'u32' ? n.constant >>> 0 : n.constant;
}

// prettier-ignore
const float: { readonly [O in ScalarOp]?: number } = {
  add: o.f32Add, sub: o.f32Sub, mul: o.f32Mul, div: o.f32Div, min: o.f32Min, max: o.f32Max,
  neg: o.f32Neg, abs: o.f32Abs, sqrt: o.f32Sqrt, floor: o.f32Floor, round: o.f32Nearest,
};
const floatCompare: { readonly [O in ScalarOp]?: number } = { lt: o.f32Lt, le: o.f32Le, eq: o.f32Eq };
const signedCompare: { readonly [O in ScalarOp]?: number } = { lt: o.i32LtS, le: o.i32LeS, eq: o.i32Eq };
const unsignedCompare: { readonly [O in ScalarOp]?: number } = { lt: o.i32LtU, le: o.i32LeU, eq: o.i32Eq };
// prettier-ignore
const integer: { readonly [O in ScalarOp]?: number } = {
  add: o.i32Add, sub: o.i32Sub, mul: o.i32Mul, and: o.i32And, or: o.i32Or, xor: o.i32Xor, shl: o.i32Shl,
};
/** Arithmetic on 0 and 1 whose result is "not zero". */
// prettier-ignore
const logical: { readonly [O in ScalarOp]?: number } = {
  add: o.i32Or, sub: o.i32Xor, mul: o.i32And, div: o.i32And, min: o.i32And, max: o.i32Or, and: o.i32And, or: o.i32Or, xor: o.i32Xor,
};

/** An integer brought into the range of its dtype. */
export function wrapNode(b: Builder, n: Node, dtype: DType): Node {
  switch (dtype) {
    case 'i8':
      return b.pure(o.i32Extend8S, 'i32', [n]);
    case 'u8':
      return b.pure(o.i32And, 'i32', [n, b.i32(0xff)]);
    case 'bool':
      return b.pure(o.i32Ne, 'i32', [n, b.i32(0)]);
    default:
      return n;
  }
}

/** `a` if `when` is not 0, else `c`. */
export function choose(b: Builder, when: Node, a: Node, c: Node): Node {
  return b.pure(o.select, a.type, [a, c, when]);
}

/** Division never traps: by zero it gives 0, and the least `i32` divided by −1 is itself. */
function divide(b: Builder, op: 'div' | 'mod', unsigned: boolean, x: Node, y: Node): Node {
  const int = (opcode: number, ...args: Node[]): Node => b.pure(opcode, 'i32', args);
  const safe = y.constant !== undefined && y.constant !== 0 && (unsigned || y.constant !== -1);
  if (op === 'mod') {
    const divisor = safe ? y : int(o.i32Or, y, int(o.i32Eqz, y));
    return int(unsigned ? o.i32RemU : o.i32RemS, x, divisor);
  }
  if (safe) return int(unsigned ? o.i32DivU : o.i32DivS, x, y);
  if (unsigned) return choose(b, y, int(o.i32DivU, x, int(o.i32Or, y, int(o.i32Eqz, y))), b.i32(0));
  // For the divisors 0 and −1 the quotient is x · y.
  const special = int(o.i32LeU, int(o.i32Add, y, b.i32(1)), b.i32(1));
  return choose(b, special, int(o.i32Mul, x, y), int(o.i32DivS, x, choose(b, special, b.i32(1), y)));
}

function minMax(b: Builder, op: 'min' | 'max', unsigned: boolean, x: Node, y: Node): Node {
  const less = b.pure(unsigned ? o.i32LtU : o.i32LtS, 'i32', [x, y]);
  return op === 'min' ? choose(b, less, x, y) : choose(b, less, y, x);
}

function integerOp(b: Builder, op: ScalarOp, dtype: DType, args: readonly Node[]): Node {
  const [x, y] = args as [Node, Node];
  const unsigned = dtype === 'u32';
  const int = (opcode: number, ...rest: Node[]): Node => b.pure(opcode, 'i32', rest);
  const plain = integer[op];
  if (plain !== undefined) {
    if (y.constant === 0 && (op === 'add' || op === 'sub' || op === 'or' || op === 'xor' || op === 'shl')) return x;
    if (x.constant === 0 && op === 'add') return y;
    if (op === 'mul' && y.constant === 1) return x;
    if (op === 'mul' && x.constant === 1) return y;
    return int(plain, x, y);
  }
  switch (op) {
    case 'div':
    case 'mod':
      return divide(b, op, unsigned, x, y);
    case 'min':
    case 'max':
      return minMax(b, op, unsigned, x, y);
    case 'shr':
      return int(unsigned ? o.i32ShrU : o.i32ShrS, x, y);
    case 'mulhi': {
      const wide = (n: Node): Node => b.pure(o.i64ExtendI32U, 'i64', [n]);
      const product = b.pure(o.i64Mul, 'i64', [wide(x), wide(y)]);
      return int(o.i32WrapI64, b.pure(o.i64ShrU, 'i64', [product, b.pure(o.i64Const, 'i64', [], [32])]));
    }
    case 'neg':
      return int(o.i32Sub, b.i32(0), x);
    case 'abs':
      return unsigned ? x : choose(b, int(o.i32LtS, x, b.i32(0)), int(o.i32Sub, b.i32(0), x), x);
    case 'floor':
    case 'round':
      return x;
    case 'fma':
      return int(o.i32Add, int(o.i32Mul, x, y), args[2]!);
    default:
      return unspelled(op, dtype);
  }
}

function booleanOp(b: Builder, op: ScalarOp, args: readonly Node[]): Node {
  const [x, y] = args as [Node, Node];
  const opcode = logical[op];
  if (opcode !== undefined) return b.pure(opcode, 'i32', [x, y]);
  switch (op) {
    case 'mod':
      return b.i32(0);
    case 'neg':
    case 'abs':
    case 'floor':
    case 'round':
      return x;
    case 'fma':
      return b.pure(o.i32Or, 'i32', [b.pure(o.i32And, 'i32', [x, y]), args[2]!]);
    default:
      return unspelled(op, 'bool');
  }
}

function castNode(b: Builder, from: DType, to: DType, x: Node): Node {
  if (isFloat(from)) {
    switch (to) {
      case 'bool':
        return b.pure(o.f32Ne, 'i32', [x, b.f32(0)]);
      case 'u32':
        return b.pure(o.i32TruncSatF32U, 'i32', [x]);
      case 'i32':
      case 'i8':
      case 'u8':
        return wrapNode(b, b.pure(o.i32TruncSatF32S, 'i32', [x]), to);
      default:
        return x;
    }
  }
  if (isFloat(to)) return b.pure(from === 'u32' ? o.f32ConvertI32U : o.f32ConvertI32S, 'f32', [x]);
  return from === 'bool' ? x : wrapNode(b, x, to);
}

/** The result of an op on scalars of dtype `from`. `helper` gives the number of a helper function of the module. */
export function scalarNode(
  b: Builder,
  op: ScalarOp,
  from: DType,
  to: DType,
  args: readonly Node[],
  helper: (name: string) => readonly number[],
): Node {
  const [x, y, z] = args as [Node, Node, Node];
  const values = args.map((a, i) => constantValue(a, op === 'select' && i > 0 ? to : from));
  if (values.every((v) => v !== undefined)) {
    const [p = 0, q = 0, r = 0] = values;
    return constantNode(b, scalarFunction(op, from, to)(p, q, r), to);
  }
  switch (op) {
    case 'select':
      return x.constant === undefined ? choose(b, x, y, z) : x.constant !== 0 ? y : z;
    case 'cast':
      return castNode(b, from, to, x);
    case 'bitcast':
      if (isFloat(from) === isFloat(to)) return x;
      return isFloat(to) ? b.pure(o.f32ReinterpretI32, 'f32', [x]) : b.pure(o.i32ReinterpretF32, 'i32', [x]);
    case 'lt':
    case 'le':
    case 'eq': {
      const table = isFloat(from) ? floatCompare : from === 'u32' ? unsignedCompare : signedCompare;
      return b.pure(table[op]!, 'i32', [x, y]);
    }
    default:
  }
  if (!isFloat(from)) return from === 'bool' ? booleanOp(b, op, args) : wrapNode(b, integerOp(b, op, from, args), from);
  if (op === 'mod') return b.pure(o.call, 'f32', [x, y], helper(fmodName));
  if (op === 'fma') return b.pure(o.f32Add, 'f32', [b.pure(o.f32Mul, 'f32', [x, y]), z]);
  return b.pure(float[op] ?? unspelled(op, from), 'f32', args);
}
