/** Scalar ops in C, on one value and on the lanes of a vector, with the exact meaning of the reference (`scalarFunction` of the IR). */
import { BackendError } from '@sinter/compiler';
import type { DType, ScalarOp } from '@sinter/ir';
import { isFloat } from '@sinter/ir';

/** A constant of a dtype. */
export function constant(value: number, dtype: DType): string {
  if (isFloat(dtype)) {
    const x = Math.fround(value);
    if (Number.isNaN(x)) return '__builtin_nanf("")';
    if (!Number.isFinite(x)) return x > 0 ? '__builtin_inff()' : '(-__builtin_inff())';
    const text = Object.is(x, -0) ? '-0.0' : /[.e]/.test(String(x)) ? String(x) : `${x}.0`;
    return text.startsWith('-') ? `(${text}f)` : `${text}f`;
  }
  if (dtype === 'u32') return `${value >>> 0}u`;
  const x = dtype === 'bool' ? Number(value !== 0) : value | 0;
  return x === -2147483648 ? 'INT32_MIN' : x < 0 ? `(${x})` : String(x);
}

// prettier-ignore
const infix: { readonly [O in ScalarOp]?: string } = {
  add: '+', sub: '-', mul: '*', and: '&', or: '|', xor: '^', lt: '<', le: '<=', eq: '==',
};
// prettier-ignore
/** Arithmetic on flags whose result is "not zero". */
const logical: { readonly [O in ScalarOp]?: string } = {
  add: '|', sub: '^', mul: '&', div: '&', min: '&', max: '|', and: '&', or: '|', xor: '^',
};

function unspelled(op: ScalarOp, dtype: DType): never {
  throw new BackendError(`the op '${op}' on ${dtype} has no spelling in C; decompose it first`);
}

function wrap(x: string, dtype: DType): string {
  return dtype === 'i8'
    ? `(i32)(i8)${x}`
    : dtype === 'u8'
      ? `(i32)(u8)${x}`
      : dtype === 'bool'
        ? `(i32)(${x} != 0)`
        : x;
}

function castScalar(from: DType, to: DType, x: string): string {
  if (isFloat(from)) {
    if (to === 'bool') return `(i32)(${x} != 0.0f)`;
    if (to === 'u32') return `u32_f32(${x})`;
    return isFloat(to) ? x : wrap(`i32_f32(${x})`, to);
  }
  if (isFloat(to)) return `(f32)${x}`;
  if (from === 'bool') return to === 'u32' ? `(u32)${x}` : x;
  return to === 'u32' ? `(u32)${x}` : wrap(from === 'u32' ? `(i32)${x}` : x, to);
}

function bitcastScalar(from: DType, to: DType, x: string): string {
  if (isFloat(from) === isFloat(to)) return castScalar(from, to, x);
  if (from !== 'f32' && to !== 'f32') throw new BackendError(`a bitcast of ${from} to ${to} has no spelling in C`);
  return isFloat(to) ? `f32_bits((u32)${x})` : to === 'u32' ? `u32_bits(${x})` : `i32_bits(${x})`;
}

/** The C expression of an op on values of dtype `from`; operands are names, calls, or in parentheses. `divisor` is the second one's number, if it has one. */
export function spellScalar(op: ScalarOp, from: DType, to: DType, args: readonly string[], divisor?: number): string {
  const [x, y, z] = args as [string, string, string];
  switch (op) {
    case 'select':
      return `(${x} ? ${y} : ${z})`;
    case 'cast':
      return castScalar(from, to, x);
    case 'bitcast':
      return bitcastScalar(from, to, x);
    default:
  }
  if (from === 'bool' && logical[op]) return `(${x} ${logical[op]} ${y})`;
  if (op === 'lt' || op === 'le' || op === 'eq') return `(${x} ${infix[op]} ${y})`;
  if (isFloat(from)) {
    switch (op) {
      case 'add':
      case 'sub':
      case 'mul':
        return `(${x} ${infix[op]} ${y})`;
      case 'div':
        return `(${x} / ${y})`;
      case 'mod':
        return `__builtin_fmodf(${x}, ${y})`;
      case 'min':
      case 'max':
        return `${op}_f32(${x}, ${y})`;
      case 'neg':
        return `(-${x})`;
      case 'abs':
        return `__builtin_fabsf(${x})`;
      case 'sqrt':
        return `__builtin_sqrtf(${x})`;
      case 'floor':
        return `__builtin_floorf(${x})`;
      case 'round':
        return `__builtin_rintf(${x})`;
      case 'fma':
        return `__builtin_fmaf(${x}, ${y}, ${z})`;
      default:
        return unspelled(op, from);
    }
  }
  if (from === 'bool') {
    if (op === 'mod') return '0';
    if (op === 'fma') return `((${x} & ${y}) | ${z})`;
    return op === 'neg' || op === 'abs' || op === 'floor' || op === 'round' ? x : unspelled(op, from);
  }
  const type = from === 'u32' ? 'u32' : 'i32';
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
      return wrap(`(${x} ${infix[op]} ${y})`, from);
    case 'and':
    case 'or':
    case 'xor':
      return `(${x} ${infix[op]} ${y})`;
    case 'div':
    case 'mod':
      if (divisor !== undefined && divisor !== 0 && divisor !== -1)
        return wrap(`(${x} ${op === 'div' ? '/' : '%'} ${y})`, from);
      return wrap(`${op}_${type}(${x}, ${y})`, from);
    case 'min':
    case 'max':
      return `${op}_${type}(${x}, ${y})`;
    case 'shl':
      return wrap(`(${type})((u32)${x} << (${y} & 31))`, from);
    case 'shr':
      return wrap(`(${x} >> (${y} & 31))`, from);
    case 'mulhi':
      return wrap(type === 'u32' ? `mulhi_u32(${x}, ${y})` : `(i32)mulhi_u32((u32)${x}, (u32)${y})`, from);
    case 'neg':
      return wrap(`(-${x})`, from);
    case 'abs':
      return type === 'u32' ? x : wrap(`abs_i32(${x})`, from);
    case 'floor':
    case 'round':
      return x;
    case 'fma':
      return wrap(`(${x} * ${y} + ${z})`, from);
    default:
      return unspelled(op, from);
  }
}

/** An operand of a vector op: the vector, and the number that is in all of its lanes if there is one. */
export interface Operand {
  readonly vector: () => string;
  readonly constant: number | undefined;
  /** For the amount of a shift, the scalar that is in all lanes. */ readonly scalar: (() => string) | undefined;
}

function wrapVector(x: string, dtype: DType): string {
  return dtype === 'i8' ? `((${x} << 24) >> 24)` : dtype === 'u8' ? `(${x} & 255)` : x;
}

function castVector(from: DType, to: DType, x: string, n: number, small: boolean): string {
  if (isFloat(from)) {
    if (to === 'bool') return `(${x} != 0.0f)`;
    if (to === 'u32') return `u32_f32x${n}(${x})`;
    return isFloat(to) ? x : wrapVector(`i32_f32x${n}(${x})`, to);
  }
  if (from === 'bool') {
    if (isFloat(to)) return `((f32x${n})(${x} & 0x3f800000))`;
    return to === 'bool' ? x : to === 'u32' ? `((u32x${n})-${x})` : `(-${x})`;
  }
  if (isFloat(to)) {
    if (from === 'u32' && !small) return `f32_u32x${n}(${x})`;
    return `f32_i32x${n}(${from === 'u32' ? `(i32x${n})${x}` : x})`;
  }
  if (to === 'bool') return `(${x} != 0)`;
  if (to === 'u32') return from === 'u32' ? x : `((u32x${n})${x})`;
  return wrapVector(from === 'u32' ? `((i32x${n})${x})` : x, to);
}

/** Minimum and maximum: one instruction where one side is a number that is no NaN, five where not. */
function minMaxVector(op: 'min' | 'max', args: readonly [Operand, Operand], n: number): string {
  for (const [x, y] of [args, [args[1], args[0]]] as const) {
    const limit = y.constant;
    if (limit === undefined || Number.isNaN(limit)) continue;
    const fast = `p${op}_f32x${n}(${x.vector()}, ${y.vector()})`;
    if (limit !== 0 || Object.is(limit, 0) === (op === 'min')) return fast;
    if (op === 'max') return `(${fast} + 0.0f)`; // −0 + 0 is 0
  }
  return `${op}_f32x${n}(${args[0].vector()}, ${args[1].vector()})`;
}

/**
 * The C expression of an op on `n` lanes of dtype `from`, or `undefined` where it must be done lane by lane. `small`: an
 * unsigned operand is below 2³¹.
 */
export function spellVector(
  op: ScalarOp,
  from: DType,
  to: DType,
  args: readonly Operand[],
  n: number,
  small: boolean,
): string | undefined {
  const [a, b] = args as [Operand, Operand];
  const v = (i: number): string => args[i]!.vector();
  const type = from === 'u32' ? 'u32' : isFloat(from) ? 'f32' : 'i32';
  switch (op) {
    case 'select': {
      const kind = to === 'u32' ? 'u32' : isFloat(to) ? 'f32' : 'i32';
      return `select_${kind}x${n}(${v(0)}, ${v(1)}, ${v(2)})`;
    }
    case 'cast':
      return castVector(from, to, v(0), n, small);
    case 'bitcast':
      if (isFloat(from) === isFloat(to)) return castVector(from, to, v(0), n, small);
      if (from !== 'f32' && to !== 'f32') return undefined;
      return `((${isFloat(to) ? 'f32' : to === 'u32' ? 'u32' : 'i32'}x${n})${v(0)})`;
    default:
  }
  if (from === 'bool') {
    if (logical[op]) return `(${v(0)} ${logical[op]} ${v(1)})`;
    switch (op) {
      case 'lt':
        return `(~${v(0)} & ${v(1)})`;
      case 'le':
        return `(~${v(0)} | ${v(1)})`;
      case 'eq':
        return `(${v(0)} == ${v(1)})`;
      case 'neg':
      case 'abs':
        return v(0);
      default:
        return undefined;
    }
  }
  if (op === 'lt' || op === 'le' || op === 'eq') return `(${v(0)} ${infix[op]} ${v(1)})`;
  if (isFloat(from)) {
    switch (op) {
      case 'add':
      case 'sub':
      case 'mul':
        return `(${v(0)} ${infix[op]} ${v(1)})`;
      case 'div':
        return `(${v(0)} / ${v(1)})`;
      case 'min':
      case 'max':
        return minMaxVector(op, [a, b], n);
      case 'neg':
        return `(-${v(0)})`;
      case 'abs':
      case 'sqrt':
      case 'floor':
      case 'round':
        return `${op}_f32x${n}(${v(0)})`;
      case 'fma':
        return `fma_f32x${n}(${v(0)}, ${v(1)}, ${v(2)})`;
      case 'mod':
        return undefined;
      default:
        return unspelled(op, from);
    }
  }
  switch (op) {
    case 'add':
    case 'sub':
    case 'mul':
      return wrapVector(`(${v(0)} ${infix[op]} ${v(1)})`, from);
    case 'and':
    case 'or':
    case 'xor':
      return `(${v(0)} ${infix[op]} ${v(1)})`;
    case 'min':
    case 'max':
      return `${op}_${type}x${n}(${v(0)}, ${v(1)})`;
    case 'shl':
    case 'shr': {
      const sign = op === 'shl' ? '<<' : '>>';
      const by =
        b.constant !== undefined
          ? `${b.constant & 31}`
          : b.scalar
            ? `splat_${type}x${n}(${b.scalar()} & 31)`
            : `(${v(1)} & 31)`;
      return wrapVector(`(${v(0)} ${sign} ${by})`, from);
    }
    case 'mulhi':
      if (type === 'u32') return `mulhi_u32x${n}(${v(0)}, ${v(1)})`;
      return wrapVector(`((i32x${n})mulhi_u32x${n}((u32x${n})${v(0)}, (u32x${n})${v(1)}))`, from);
    case 'neg':
      return wrapVector(`(-${v(0)})`, from);
    case 'abs':
      return type === 'u32' ? v(0) : wrapVector(`abs_i32x${n}(${v(0)})`, from);
    case 'floor':
    case 'round':
      return v(0);
    case 'fma':
      return wrapVector(`(${v(0)} * ${v(1)} + ${v(2)})`, from);
    default:
      return undefined;
  }
}
