/** What each scalar op computes, on JavaScript numbers: the meaning that every backend is held against. */
import type { DType } from './dtype.ts';
import type { ScalarOp } from './expr.ts';

const f32 = new Float32Array(1);
const i32 = new Int32Array(f32.buffer);
const u32 = new Uint32Array(f32.buffer);

/**
 * The error function, to about 1e-16: a power series near zero, a continued fraction in the tails
 * (Abramowitz and Stegun 7.1.6 and 7.1.14).
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let fraction = a;
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / fraction);
}

function roundEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** The number brought into the range and precision of a dtype (integers wrap, `f32` rounds). */
export function wrap(value: number, dtype: DType): number {
  switch (dtype) {
    case 'f32':
    case 'f16':
    case 'bf16':
      return Math.fround(value);
    case 'i32':
      return value | 0;
    case 'u32':
      return value >>> 0;
    case 'i8':
      return (value << 24) >> 24;
    case 'u8':
      return value & 0xff;
    case 'bool':
      return value === 0 ? 0 : 1;
  }
}

function saturate(x: number, low: number, high: number): number {
  return Number.isNaN(x) ? 0 : Math.max(low, Math.min(high, Math.trunc(x)));
}

function cast(x: number, from: DType, to: DType): number {
  const float = from === 'f32' || from === 'f16' || from === 'bf16';
  if (!float) return wrap(x, to);
  switch (to) {
    case 'i32':
      return saturate(x, -2147483648, 2147483647);
    case 'u32':
      return saturate(x, 0, 4294967295);
    case 'i8':
      return wrap(saturate(x, -2147483648, 2147483647), 'i8');
    case 'u8':
      return wrap(saturate(x, -2147483648, 2147483647), 'u8');
    case 'bool':
      return x === 0 ? 0 : 1;
    default:
      return Math.fround(x);
  }
}

function bitcast(x: number, from: DType, to: DType): number {
  if (from === 'f32') f32[0] = x;
  else u32[0] = x >>> 0;
  return to === 'f32' ? f32[0]! : to === 'i32' ? i32[0]! : u32[0]!;
}

/**
 * The function that a scalar op stands for. `from` is the dtype of the operands, `to` that of the result.
 * Real arithmetic is done in double precision and rounded once to `f32`.
 */
export function scalarFunction(op: ScalarOp, from: DType, to: DType): (a: number, b: number, c: number) => number {
  const real = from === 'f32' || from === 'f16' || from === 'bf16';
  const fit = (f: (a: number, b: number, c: number) => number) => (a: number, b: number, c: number) =>
    wrap(f(a, b, c), to);
  switch (op) {
    case 'add':
      return fit((a, b) => a + b);
    case 'sub':
      return fit((a, b) => a - b);
    case 'mul':
      return real ? fit((a, b) => a * b) : fit((a, b) => Math.imul(a, b));
    case 'div':
      return real ? fit((a, b) => a / b) : fit((a, b) => (b === 0 ? 0 : Math.trunc(a / b)));
    case 'mod':
      return fit((a, b) => (b === 0 ? (real ? NaN : 0) : a % b));
    case 'min':
      return fit((a, b) => Math.min(a, b));
    case 'max':
      return fit((a, b) => Math.max(a, b));
    case 'pow':
      return fit((a, b) => a ** b);
    case 'lt':
      return (a, b) => (a < b ? 1 : 0);
    case 'le':
      return (a, b) => (a <= b ? 1 : 0);
    case 'eq':
      return (a, b) => (a === b ? 1 : 0);
    case 'and':
      return fit((a, b) => a & b);
    case 'or':
      return fit((a, b) => a | b);
    case 'xor':
      return fit((a, b) => a ^ b);
    case 'shl':
      return fit((a, b) => a << b);
    case 'shr':
      return fit(from === 'u32' ? (a, b) => a >>> b : (a, b) => a >> b);
    case 'mulhi':
      return (a, b) => Number((BigInt(a >>> 0) * BigInt(b >>> 0)) >> 32n);
    case 'neg':
      return fit((a) => -a);
    case 'abs':
      return fit((a) => Math.abs(a));
    case 'exp':
      return fit((a) => Math.exp(a));
    case 'log':
      return fit((a) => Math.log(a));
    case 'sqrt':
      return fit((a) => Math.sqrt(a));
    case 'sin':
      return fit((a) => Math.sin(a));
    case 'cos':
      return fit((a) => Math.cos(a));
    case 'tanh':
      return fit((a) => Math.tanh(a));
    case 'erf':
      return fit((a) => erf(a));
    case 'floor':
      return fit((a) => Math.floor(a));
    case 'round':
      return fit(roundEven);
    case 'select':
      return (a, b, c) => (a !== 0 ? b : c);
    case 'fma':
      return fit((a, b, c) => a * b + c);
    case 'cast':
      return (a) => cast(a, from, to);
    case 'bitcast':
      return (a) => bitcast(a, from, to);
    default:
      return op satisfies never;
  }
}
