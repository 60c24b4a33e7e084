/** The expression language: scalar maths and index arithmetic in one type, as plain immutable data. */
import type { DType } from './dtype.ts';
import { isFloat } from './dtype.ts';

/**
 * Every scalar operation that an expression may use; a backend spells each of them, or lets the compiler decompose it.
 * Integer `div` and `mod` truncate toward zero; `mulhi` is the high half of a 32 × 32 bit unsigned product;
 * `round` is to nearest even; comparisons give `bool`.
 */
export type ScalarOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'mod'
  | 'min'
  | 'max'
  | 'pow'
  | 'lt'
  | 'le'
  | 'eq'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'mulhi'
  | 'neg'
  | 'abs'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'floor'
  | 'round'
  | 'select'
  | 'fma'
  | 'cast'
  | 'bitcast';

/** A constant of a dtype. */
export interface ConstExpr {
  readonly k: 'const';
  readonly value: number;
  readonly dtype: DType;
}
/** A named value: a loop counter, a run-time size, or the argument of a scalar rule. */
export interface VarExpr {
  readonly k: 'var';
  readonly name: string;
  readonly dtype: DType;
}
/** A scalar operation on expressions. */
export interface OpExpr<Leaf = never> {
  readonly k: 'op';
  readonly op: ScalarOp;
  readonly args: readonly Expr<Leaf>[];
  readonly dtype: DType;
}
/** An expression; `Leaf` adds further leaves (the loop language adds loads from buffers). */
export type Expr<Leaf = never> = ConstExpr | VarExpr | OpExpr<Leaf> | Leaf;

/** What every leaf has, whatever language it comes from. */
export interface Typed {
  readonly dtype: DType;
}

/** The number of operands of each scalar op. */
export const arity: { readonly [O in ScalarOp]: number } = {
  add: 2,
  sub: 2,
  mul: 2,
  div: 2,
  mod: 2,
  min: 2,
  max: 2,
  pow: 2,
  lt: 2,
  le: 2,
  eq: 2,
  and: 2,
  or: 2,
  xor: 2,
  shl: 2,
  shr: 2,
  mulhi: 2,
  neg: 1,
  abs: 1,
  exp: 1,
  log: 1,
  sqrt: 1,
  sin: 1,
  cos: 1,
  tanh: 1,
  erf: 1,
  floor: 1,
  round: 1,
  select: 3,
  fma: 3,
  cast: 1,
  bitcast: 1,
};

function node<L>(op: ScalarOp, args: readonly Expr<L>[], dtype: DType): Expr<L> {
  return { k: 'op', op, args, dtype };
}

type E<L> = Expr<L> & Typed;

function binary(op: ScalarOp) {
  return <L extends Typed = never>(a: Expr<L>, b: Expr<L>): Expr<L> => {
    if ((a as E<L>).dtype !== (b as E<L>).dtype) {
      throw new TypeError(
        `${op}: operands have dtypes ${(a as E<L>).dtype} and ${(b as E<L>).dtype}; cast one of them`,
      );
    }
    return node(op, [a, b], (a as E<L>).dtype);
  };
}

function compare(op: ScalarOp) {
  const same = binary(op);
  return <L extends Typed = never>(a: Expr<L>, b: Expr<L>): Expr<L> => ({
    ...(same(a, b) as OpExpr<L>),
    dtype: 'bool',
  });
}

function unary(op: ScalarOp) {
  return <L extends Typed = never>(a: Expr<L>): Expr<L> => node(op, [a], (a as E<L>).dtype);
}

/** A constant; integers by default. */
export function constant(value: number, dtype: DType = 'i32'): ConstExpr {
  return { k: 'const', value: isFloat(dtype) ? Math.fround(value) : dtype === 'u32' ? value >>> 0 : value | 0, dtype };
}

/** A named value; an integer by default. */
export function variable(name: string, dtype: DType = 'i32'): VarExpr {
  return { k: 'var', name, dtype };
}

/** Constructors of every scalar op. Operands of one op have one dtype; `cast` changes it. */
export const e = {
  /** `a + b`. */
  add: binary('add'),
  /** `a − b`. */
  sub: binary('sub'),
  /** `a · b`. */
  mul: binary('mul'),
  /** `a / b`; integers truncate toward zero. */
  div: binary('div'),
  /** The remainder of `a / b`, with the sign of `a`. */
  mod: binary('mod'),
  /** The smaller; NaN if one is. */
  min: binary('min'),
  /** The larger; NaN if one is. */
  max: binary('max'),
  /** `a` to the power `b`. */
  pow: binary('pow'),
  /** `a < b`, as `bool`. */
  lt: compare('lt'),
  /** `a ≤ b`, as `bool`. */
  le: compare('le'),
  /** `a = b`, as `bool`. */
  eq: compare('eq'),
  /** Bitwise and. */
  and: binary('and'),
  /** Bitwise or. */
  or: binary('or'),
  /** Bitwise exclusive or. */
  xor: binary('xor'),
  /** The high 32 bits of an unsigned product. */
  mulhi: binary('mulhi'),
  /** Bits shifted left. */
  shl: binary('shl'),
  /** Bits shifted right; `i32` keeps its sign. */
  shr: binary('shr'),
  /** `−a`. */
  neg: unary('neg'),
  /** The absolute value. */
  abs: unary('abs'),
  /** e to the power `a`. */
  exp: unary('exp'),
  /** The natural logarithm. */
  log: unary('log'),
  /** The square root. */
  sqrt: unary('sqrt'),
  /** Sine, of radians. */
  sin: unary('sin'),
  /** Cosine, of radians. */
  cos: unary('cos'),
  /** The hyperbolic tangent. */
  tanh: unary('tanh'),
  /** The error function. */
  erf: unary('erf'),
  /** The largest integer ≤ `a`. */
  floor: unary('floor'),
  /** The nearest integer, halves to even. */
  round: unary('round'),
  /** `when ? then : otherwise`, both computed. */
  select<L extends Typed = never>(when: Expr<L>, then: Expr<L>, otherwise: Expr<L>): Expr<L> {
    return node('select', [when, then, otherwise], (then as E<L>).dtype);
  },
  /** `a · b + c`, with one or two roundings as the target has it. */
  fma<L extends Typed = never>(a: Expr<L>, b: Expr<L>, c: Expr<L>): Expr<L> {
    return node('fma', [a, b, c], (a as E<L>).dtype);
  },
  /** The value in another dtype: floats to 32-bit integers truncate and saturate (NaN is 0), smaller integers keep the low bits, `bool` means ≠ 0. */
  cast<L extends Typed = never>(a: Expr<L>, dtype: DType): Expr<L> {
    return (a as E<L>).dtype === dtype ? a : node('cast', [a], dtype);
  },
  /** The same 32 bits read as another dtype. */
  bitcast<L extends Typed = never>(a: Expr<L>, dtype: DType): Expr<L> {
    return (a as E<L>).dtype === dtype ? a : node('bitcast', [a], dtype);
  },
  /** Logical not of a `bool`. */
  not<L extends Typed = never>(a: Expr<L>): Expr<L> {
    return node('xor', [a, constant(1, 'bool')], 'bool');
  },
} as const;

/** The dtype of an expression. */
export function dtypeOf<L extends Typed>(expr: Expr<L>): DType {
  return (expr as Typed).dtype;
}

/** `expr` with its variables (and other leaves) replaced; shared parts stay shared. */
export function substitute<L extends Typed = never, M extends Typed = L>(
  expr: Expr<L>,
  replace: (leaf: VarExpr | L) => Expr<M>,
): Expr<M> {
  const seen = new Map<Expr<L>, Expr<M>>();
  const walk = (x: Expr<L>): Expr<M> => {
    const known = seen.get(x);
    if (known) return known;
    const any = x as ConstExpr | VarExpr | OpExpr<L>;
    let out: Expr<M>;
    if (any.k === 'const') out = any;
    else if (any.k === 'op') {
      const args = any.args.map(walk);
      out = args.every((a, i) => a === (any.args[i] as unknown)) ? (x as unknown as Expr<M>) : { ...any, args };
    } else out = replace(x as VarExpr | L);
    seen.set(x, out);
    return out;
  };
  return walk(expr);
}
