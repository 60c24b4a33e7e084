/** The spelling of every scalar op in WGSL: one table for each class of values. */
import type { DType, ScalarOp } from '@sinter/ir';
import { isFloat } from '@sinter/ir';
import type { HelperName } from './helpers.ts';

/**
 * How tightly the outermost operator of a text binds. WGSL wants parentheses around most mixtures; and a shift's `>>` beside a
 * `<` would read as a template list, so shifts are in parentheses everywhere but at the top.
 */
export const level = { shift: 0, any: 1, bits: 2, compare: 3, sum: 4, product: 5, unary: 6, atom: 7 } as const;

/** An expression as text, and how tightly it binds. */
export interface Text {
  readonly text: string;
  readonly level: number;
  /** The value, where it is a constant. */
  readonly constant?: number;
}

/** A text that binds as tightly as a name. */
export function atom(text: string): Text {
  return { text, level: level.atom };
}

/** Thrown for an op that has no spelling: the compiler should have decomposed it. */
export class UnspelledError extends Error {
  override readonly name: string = 'UnspelledError';
}

/** The text, in parentheses if it binds less tightly than `least`. */
export function within(x: Text, least: number): string {
  return x.level < least ? `(${x.text})` : x.text;
}

const binary = (sign: string, own: number, left: number, right: number) => (a: Text, b: Text) => ({
  text: `${within(a, left)} ${sign} ${within(b, right)}`,
  level: own,
});
/** A call of a function. */
export function call(name: string, ...args: readonly Text[]): Text {
  return atom(`${name}(${args.map((a) => within(a, level.any)).join(', ')})`);
}

const plus = binary('+', level.sum, level.sum, level.product);
const minus = binary('-', level.sum, level.sum, level.product);
const times = binary('*', level.product, level.product, level.unary);
const over = binary('/', level.product, level.product, level.unary);
const rest = binary('%', level.product, level.product, level.unary);
const bitAnd = binary('&', level.bits, level.unary, level.unary);
const bitOr = binary('|', level.bits, level.unary, level.unary);
const bitXor = binary('^', level.bits, level.unary, level.unary);
const left = binary('<<', level.shift, level.unary, level.unary);
const right = binary('>>', level.shift, level.unary, level.unary);
const less = binary('<', level.compare, level.sum, level.sum);
const lessEqual = binary('<=', level.compare, level.sum, level.sum);
const equal = binary('==', level.compare, level.sum, level.sum);
const unequal = binary('!=', level.compare, level.sum, level.sum);
const prefix = (sign: string) => (a: Text) => ({ text: `${sign}${within(a, level.atom)}`, level: level.unary });
const negative = prefix('-');
const not = prefix('!');
const same = (a: Text): Text => a;

/** Declares that a helper function is used. */
export type Need = (helper: HelperName) => void;
type Spelling = (args: readonly [Text, Text, Text], need: Need) => Text;
type Table = { readonly [O in ScalarOp]?: Spelling };

const two =
  (f: (a: Text, b: Text) => Text): Spelling =>
  ([a, b]) =>
    f(a, b);
const one =
  (f: (a: Text) => Text): Spelling =>
  ([a]) =>
    f(a);
const helper =
  (name: HelperName, count: number): Spelling =>
  (args, need) => {
    need(name);
    return call(name, ...args.slice(0, count));
  };

const isNumber = (x: Text): boolean => x.constant !== undefined && !Number.isNaN(x.constant);
/** The smaller or larger, NaN if one is; a constant operand needs no test for NaN. */
const extreme =
  (name: 'min_f32' | 'max_f32', bounded: 'at_most' | 'at_least'): Spelling =>
  ([a, b], need) => {
    const [x, bound] = isNumber(a) ? [b, a] : [a, b];
    const which = isNumber(bound) ? bounded : name;
    need(which);
    return call(which, x, bound);
  };

const real: Table = {
  add: two(plus),
  sub: two(minus),
  mul: two(times),
  div: two(over),
  mod: helper('mod_f32', 2),
  min: extreme('min_f32', 'at_most'),
  max: extreme('max_f32', 'at_least'),
  neg: one(negative),
  abs: one((a) => call('abs', a)),
  sqrt: one((a) => call('sqrt', a)),
  floor: one((a) => call('floor', a)),
  round: one((a) => call('round', a)),
  fma: ([a, b, c]) => call('fma', a, b, c),
  lt: two(less),
  le: two(lessEqual),
  // What is equal to itself is not NaN; compilers may take it that nothing is.
  eq: ([a, b], need) => {
    if (a.text !== b.text) return equal(a, b);
    need('is_nan');
    return not(call('is_nan', a));
  },
};

/** Shift counts are u32, and constant ones must be less than 32. */
const count = (b: Text, unsigned: boolean): Text =>
  b.constant !== undefined ? atom(`${b.constant & 31}u`) : unsigned ? b : call('u32', b);

const integer = (unsigned: boolean): Table => ({
  add: two(plus),
  sub: two(minus),
  mul: two(times),
  div: (args, need) =>
    args[1].constant ? over(args[0], args[1]) : helper(unsigned ? 'div_u32' : 'div_i32', 2)(args, need),
  // The remainder by 0 is 0 in WGSL too, but may not be written with a constant 0.
  mod: two((a, b) => (b.constant === 0 ? atom(unsigned ? '0u' : '0') : rest(a, b))),
  min: two((a, b) => call('min', a, b)),
  max: two((a, b) => call('max', a, b)),
  and: two(bitAnd),
  or: two(bitOr),
  xor: two(bitXor),
  shl: two((a, b) => left(a, count(b, unsigned))),
  shr: two((a, b) => right(a, count(b, unsigned))),
  mulhi: (args, need) => {
    if (unsigned) return helper('mulhi', 2)(args, need);
    need('mulhi');
    return call('bitcast<i32>', call('mulhi', call('bitcast<u32>', args[0]), call('bitcast<u32>', args[1])));
  },
  neg: one(unsigned ? (a) => minus(atom('0u'), a) : negative),
  abs: one(unsigned ? same : (a) => call('abs', a)),
  floor: one(same),
  round: one(same),
  fma: ([a, b, c]) => plus(times(a, b), c),
  lt: two(less),
  le: two(lessEqual),
  eq: two(equal),
});
const signed = integer(false);
const unsigned = integer(true);

/** Arithmetic on 0 and 1 whose result is "not zero". */
const logical: Table = {
  add: two(bitOr),
  sub: two(unequal),
  mul: two(bitAnd),
  div: two(bitAnd),
  mod: () => atom('false'),
  min: two(bitAnd),
  max: two(bitOr),
  and: two(bitAnd),
  or: two(bitOr),
  xor: two((a, b) => (b.constant === 1 ? not(a) : a.constant === 1 ? not(b) : unequal(a, b))),
  neg: one(same),
  abs: one(same),
  floor: one(same),
  round: one(same),
  fma: ([a, b, c]) => bitOr(bitAnd(a, b), c),
  lt: two((a, b) => bitAnd(not(a), b)),
  le: two((a, b) => bitOr(not(a), b)),
  eq: two(equal),
};

/** Ops after which a number may be out of the range of 8 bits. */
const widening = new Set<ScalarOp>(['add', 'sub', 'mul', 'div', 'neg', 'abs', 'shl', 'fma']);

/** An i32 brought into the range of a smaller dtype. */
function narrowed(x: Text, dtype: DType): Text {
  if (dtype === 'i8') return right(left(x, atom('24u')), atom('24u'));
  return dtype === 'u8' ? bitAnd(x, atom('0xff')) : x;
}

/** The WGSL type of values of a dtype: 8-bit integers are computed in `i32`, and all reals in `f32`. */
export function valueType(dtype: DType): 'f32' | 'i32' | 'u32' | 'bool' {
  return isFloat(dtype) ? 'f32' : dtype === 'bool' || dtype === 'u32' ? dtype : 'i32';
}

function cast(x: Text, from: DType, to: DType, need: Need): Text {
  if (to === 'bool') {
    if (from === 'bool') return x;
    // NaN is not zero; WGSL's `!=` may say otherwise.
    if (isFloat(from)) return not(equal(x, atom('0.0')));
    return unequal(x, atom(from === 'u32' ? '0u' : '0'));
  }
  if (isFloat(to)) return isFloat(from) ? x : call('f32', x);
  if (isFloat(from)) {
    const name = to === 'u32' ? 'u32_of' : 'i32_of';
    need(name);
    return narrowed(call(name, x), to);
  }
  const [own, type] = [valueType(from), valueType(to)];
  const same = own === type ? x : own === 'bool' ? call(type, x) : call(`bitcast<${type}>`, x);
  const fits = from === to || from === 'bool' || (from === 'u8' && to === 'u8');
  return fits ? same : narrowed(same, to);
}

/** An op on operands of dtype `from`, with a result of dtype `to`. */
export function spell(op: ScalarOp, from: DType, to: DType, args: readonly Text[], need: Need): Text {
  const operands = args as unknown as [Text, Text, Text];
  const [a, b, c] = operands;
  switch (op) {
    case 'select':
      return call('select', c, b, a);
    case 'cast':
      return cast(a, from, to, need);
    case 'bitcast': {
      const [own, type] = [valueType(from), valueType(to)];
      return own === type ? narrowed(a, to) : call(`bitcast<${type}>`, a);
    }
    default:
  }
  const table = isFloat(from) ? real : from === 'bool' ? logical : from === 'u32' ? unsigned : signed;
  const spelling = table[op];
  if (!spelling) throw new UnspelledError(`the op '${op}' on ${from} has no WGSL spelling; decompose it first`);
  const result = spelling(operands, need);
  return widening.has(op) ? narrowed(result, to) : result;
}

/** A constant. Infinity and NaN cannot be written in WGSL: `inf` and `nan` are names of values that come from outside. */
export function literal(value: number, dtype: DType): Text {
  const constant = dtype === 'bool' ? Number(value !== 0) : value;
  const own = value < 0 || Object.is(value, -0) ? level.unary : level.atom;
  return { text: digits(value, dtype), level: own, constant };
}

function digits(value: number, dtype: DType): string {
  switch (valueType(dtype)) {
    case 'bool':
      return value === 0 ? 'false' : 'true';
    case 'u32':
      return `${value >>> 0}u`;
    case 'i32':
      return String(value | 0);
    case 'f32': {
      if (Number.isNaN(value)) return 'nan';
      if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
      if (Object.is(value, -0)) return '-0.0';
      const text = shortest(value);
      return /[.e]/.test(text) ? text : `${text}.0`;
    }
  }
}

/** The largest f32: WGSL refuses a decimal beyond it, even one that would round to it. */
const largest = 3.4028234663852886e38;

/** The shortest decimal that reads back as the same f32. */
function shortest(value: number): string {
  const exact = Math.fround(value);
  for (let count = 1; count < 9; count++) {
    const short = Number(value.toPrecision(count));
    if (Math.fround(short) === exact && Math.abs(short) <= largest) return String(short);
  }
  return String(exact);
}
