/**
 * Scalar functions that a target cannot spell, written in ops that it can: the same numerics everywhere.
 *
 * All are branch-free `f32` and keep NaN (`select(lt(a, b), a, b)` is what machines call pmin). Errors are in
 * units in the last place (ulp), the largest seen over dense samples, with fused and with separate multiply-add.
 * Coefficients not otherwise marked are minimax fits of ours (`tools/minimax.py`); range reductions follow Cephes (Moshier).
 */
import type { DType, ScalarOp } from '@sinter/ir';
import { constantExpr, e, isFloat } from '@sinter/ir';
import { BackendError } from '../artifact/errors.ts';
import type { LoadExpr, LoopExpr } from './language.ts';
import { withParts } from './walk.ts';

type X = LoopExpr;
const add = e.add<LoadExpr>;
const sub = e.sub<LoadExpr>;
const mul = e.mul<LoadExpr>;
const div = e.div<LoadExpr>;
const lt = e.lt<LoadExpr>;
const eq = e.eq<LoadExpr>;
const select = e.select<LoadExpr>;
const cast = e.cast<LoadExpr>;
const bits = e.bitcast<LoadExpr>;
const fma = e.fma<LoadExpr>;
const f = (value: number): X => constantExpr(value, 'f32');
const n = (value: number): X => constantExpr(value, 'i32');

/** `a·b + c`, and so on down a polynomial; coefficients lowest first. */
function polynomial(x: X, coefficients: readonly number[]): X {
  const [last, ...rest] = [...coefficients].reverse();
  return rest.reduce<X>((sum, c) => fma(sum, x, f(c)), f(last!));
}

/** `x` no less than `low` and no more than `high`; NaN stays. */
function clamp(x: X, low: number, high: number): X {
  const above = select(lt(x, f(low)), f(low), x);
  return select(lt(f(high), above), f(high), above);
}

/** Adding this and taking it away again rounds to the nearest whole number, which then stands in the low bits. */
const magic = 12582912; // 1.5 · 2²³

/**
 * e^x = 2·p(r) · 2^(n−1) with n = round(x / ln 2). ≤ 1.2 ulp; results below 2^−125.5 are 0. The scale is one power
 * lower than n, so that it overflows only where the result does; clamping x makes it 0 and infinity beyond.
 */
function exp(x: X): X {
  const y = clamp(x, -87.4, 89.2);
  const shifted = fma(y, f(Math.LOG2E), f(magic));
  return scaled(y, sub(shifted, f(magic)), bits(shifted, 'i32'));
}

/** The same where a driver may reorder arithmetic: adding and taking away would be nothing to it. */
function reorderedExp(x: X): X {
  const y = clamp(x, -87.4, 89.2);
  const whole = e.round<LoadExpr>(mul(y, f(Math.LOG2E)));
  return scaled(y, whole, cast(whole, 'i32'));
}

/** `e^y` from `whole`, the nearest whole number to `y / ln 2`, which also stands in the low bits of `low`. */
function scaled(y: X, whole: X, low: X): X {
  const r = fma(whole, f(2.1219444e-4), fma(whole, f(-0.693359375), y));
  const p = polynomial(
    r,
    [1, 1, 0.499999934321, 0.166665203991, 0.0416683907842, 0.00836874510666, 0.00138145400638].map((c) => 2 * c),
  );
  const scale = bits(add(e.shl<LoadExpr>(low, n(23)), n(126 << 23)), 'f32');
  return mul(p, scale);
}

/**
 * log(2^k · m) = k·ln 2 + log(m), with m in [√½, √2) and log(m) from s = (m−1)/(m+1) as in FreeBSD's `e_logf.c`.
 * ≤ 1 ulp; log(0) = −∞, of negatives NaN; right for denormals.
 */
function log(x: X): X {
  const small = lt(x, f(2 ** -126));
  const up = bits(select(small, mul(x, f(2 ** 23)), x), 'i32');
  const rebased = add(up, n(0x3f800000 - 0x3f3504f3));
  const k = cast(sub(e.shr<LoadExpr>(rebased, n(23)), select(small, n(127 + 23), n(127))), 'f32');
  const m = sub(bits(add(e.and<LoadExpr>(rebased, n(0x007fffff)), n(0x3f3504f3)), 'f32'), f(1));
  const s = div(m, add(m, f(2)));
  const z = mul(s, s);
  const rest = mul(z, polynomial(z, [0.666667782447, 0.399772866752, 0.298791675616]));
  const half = mul(mul(m, f(0.5)), m);
  const low = fma(s, add(half, rest), mul(k, f(9.0580006145e-6)));
  const value = fma(k, f(0.69313812256), sub(m, sub(half, low)));
  const finite = select(lt(x, f(Infinity)), value, x);
  return select(lt(x, f(0)), f(NaN), select(eq(x, f(0)), f(-Infinity), finite));
}

/** tanh(x) = x·P(x²)/Q(x²) up to where it is 1. ≤ 6.5 ulp (4e-7), most near 1; ≤ 4 ulp below ½, small x included. */
function tanh(x: X): X {
  const y = clamp(x, -9.02, 9.02);
  const z = mul(y, y);
  const p = polynomial(z, [1, 0.13387476, 0.0035032632, 2.0736035e-5, 1.3532288e-8]);
  const q = polynomial(z, [1, 0.46720788, 0.025906153, 0.00032982096, 7.8488915e-7]);
  return div(mul(y, p), q);
}

/** erf(x) = x·P(x²)/Q(x²) up to where it is 1. ≤ 6.5 ulp (4e-7), most near 1; ≤ 4 ulp below ½, small x included. */
function erf(x: X): X {
  const y = clamp(x, -3.94, 3.94);
  const z = mul(y, y);
  const p = polynomial(z, [1.1283792, 0.18967398, 0.052668978, 0.0037386292, 0.000285064, 2.066362e-6]);
  const q = polynomial(z, [1, 0.501427, 0.11382188, 0.014914859, 0.0011574355, 3.8268976e-5]);
  return div(mul(y, p), q);
}

/**
 * Sine, and cosine as the sine of a quarter turn more: x minus a multiple of π/2 in three steps (Cody and Waite), then a
 * polynomial for ±π/4. Absolute error ≤ 1e-7 for |x| ≤ 10,000; beyond it grows, but results stay within ±1.
 */
function sine(x: X, quarters: number): X {
  const whole = e.round<LoadExpr>(mul(x, f(2 / Math.PI)));
  const r = clamp(
    fma(whole, f(-7.54978995489188216e-8), fma(whole, f(-4.837512969970703125e-4), fma(whole, f(-1.5703125), x))),
    -0.7867,
    0.7867,
  );
  const z = mul(r, r);
  const sin = fma(mul(r, z), polynomial(z, [-0.166666548735, 0.0083321735426, -0.000195166557423]), r);
  const cos = fma(
    mul(z, z),
    polynomial(z, [0.0416666455544, -0.00138873098635, 2.44324126725e-5]),
    fma(z, f(-0.5), f(1)),
  );
  const q = add(cast(whole, 'i32'), n(quarters));
  const even = eq(e.and<LoadExpr>(q, n(1)), n(0));
  const sign = cast(sub(n(1), e.and<LoadExpr>(q, n(2))), 'f32');
  return mul(select(even, sin, cos), sign);
}

/**
 * |x|^y = e^(y·log|x|), with C's special cases: x^0 = 1^y = 1; a negative x takes the sign of an odd y and gives NaN
 * for fractions. The error grows with the result's exponent: about (1 + |y·log x|) ulp. A few constant powers are products.
 */
function pow(x: X, y: X): X {
  if (y.k === 'const') {
    switch (y.value) {
      case 0:
        return f(1);
      case 1:
        return x;
      case 2:
        return mul(x, x);
      case 3:
        return mul(mul(x, x), x);
      case 4: {
        const square = mul(x, x);
        return mul(square, square);
      }
      case 0.5:
        return e.sqrt<LoadExpr>(x);
      case -0.5:
        return div(f(1), e.sqrt<LoadExpr>(x));
      case -1:
        return div(f(1), x);
      case -2:
        return div(f(1), mul(x, x));
      default:
    }
  }
  const size = e.abs<LoadExpr>(x);
  const value = e.exp<LoadExpr>(mul(y, e.log<LoadExpr>(size)));
  const half = mul(y, f(0.5));
  const whole = eq(e.floor<LoadExpr>(y), y);
  const odd = e.and<LoadExpr>(whole, lt(e.floor<LoadExpr>(half), half));
  // The sign bit, so that −0 counts too.
  const negative = lt(bits(x, 'i32'), n(0));
  const signed = select(e.and<LoadExpr>(negative, odd), mul(value, f(-1)), value);
  const fraction = e.and<LoadExpr>(
    e.and<LoadExpr>(lt(x, f(0)), lt(f(-Infinity), x)),
    eq(whole, constantExpr(0, 'bool')),
  );
  const real = select(fraction, f(NaN), signed);
  const one = e.or<LoadExpr>(
    eq(y, f(0)),
    e.or<LoadExpr>(eq(x, f(1)), e.and<LoadExpr>(eq(x, f(-1)), eq(e.abs<LoadExpr>(y), f(Infinity)))),
  );
  return select(one, f(1), real);
}

/** To the nearest whole number, halves to even. From 2²³ on all numbers are whole. */
function round(x: X): X {
  const size = e.abs<LoadExpr>(x);
  const near = sub(add(size, f(2 ** 23)), f(2 ** 23));
  return select(lt(size, f(2 ** 23)), select(lt(x, f(0)), mul(near, f(-1)), near), x);
}

function floor(x: X): X {
  const whole = cast(cast(x, 'i32'), 'f32');
  const below = select(lt(x, whole), sub(whole, f(1)), whole);
  return select(lt(e.abs<LoadExpr>(x), f(2 ** 23)), below, x);
}

/** The remainder with the sign of `a`, as C's `fmod`; loses digits where the quotient is large. */
function mod(a: X, b: X): X {
  const ratio = div(a, b);
  const down = e.floor<LoadExpr>(e.abs<LoadExpr>(ratio));
  return sub(a, mul(select(lt(ratio, f(0)), mul(down, f(-1)), down), b));
}

/** The high half of a 32 × 32 bit product from four 16-bit products. */
function mulhi(a: X, b: X): X {
  const u = (value: number): X => constantExpr(value, 'u32');
  const [low, high] = [(x: X) => e.and<LoadExpr>(x, u(0xffff)), (x: X) => e.shr<LoadExpr>(x, u(16))];
  const middle = add(mul(high(a), low(b)), high(mul(low(a), low(b))));
  const other = add(mul(low(a), high(b)), low(middle));
  return add(add(mul(high(a), high(b)), high(middle)), high(other));
}

/** One rule for each op that can be written in others. */
const rules: { readonly [O in ScalarOp]?: (args: readonly X[], dtype: DType) => X } = {
  exp: ([x]) => exp(x!),
  log: ([x]) => log(x!),
  tanh: ([x]) => tanh(x!),
  erf: ([x]) => erf(x!),
  sin: ([x]) => sine(x!, 0),
  cos: ([x]) => sine(x!, 1),
  pow: ([x, y]) => pow(x!, y!),
  floor: ([x]) => floor(x!),
  round: ([x]) => round(x!),
  mod: ([a, b], dtype) => (isFloat(dtype) ? mod(a!, b!) : sub(a!, mul(div(a!, b!), b!))),
  mulhi: ([a, b], dtype) => bits(mulhi(bits(a!, 'u32'), bits(b!, 'u32')), dtype),
  fma: ([a, b, c]) => add(mul(a!, b!), c!),
  neg: ([x], dtype) => mul(x!, constantExpr(-1, dtype)),
  abs: ([x], dtype) =>
    dtype === 'f32'
      ? bits(e.and<LoadExpr>(bits(x!, 'i32'), n(0x7fffffff)), 'f32')
      : select(lt(x!, constantExpr(0, dtype)), mul(x!, constantExpr(-1, dtype)), x!),
  min: ([a, b]) => select(lt(b!, a!), b!, a!),
  max: ([a, b]) => select(lt(a!, b!), b!, a!),
};

/**
 * Rewrites every op that is not in `spells`; parts that are shared stay shared. 16-bit floats are computed in `f32`. `reorders`: the
 * driver may reorder floating-point arithmetic, so nothing may depend on how a sum is rounded.
 * Throws a `BackendError` for an op that is neither spelled nor can be written in others.
 */
export function decompose(x: LoopExpr, spells: ReadonlySet<ScalarOp>, reorders = false): LoopExpr {
  const done = new Map<X, X>();
  const walk = (y: X): X => {
    const known = done.get(y);
    if (known) return known;
    const inner = withParts(y, walk);
    let out = inner;
    if (inner.k === 'op' && !spells.has(inner.op)) {
      const rule = reorders && inner.op === 'exp' ? ([y]: readonly X[]) => reorderedExp(y!) : rules[inner.op];
      if (!rule) throw new BackendError(`the target cannot spell '${inner.op}', and it cannot be written in other ops`);
      const { dtype } = inner;
      const wide = dtype === 'f16' || dtype === 'bf16';
      const args = wide ? inner.args.map((arg) => cast(arg, 'f32')) : inner.args;
      out = cast(walk(rule(args, wide ? 'f32' : dtype)), dtype);
    }
    done.set(y, out);
    done.set(out, out);
    return out;
  };
  return walk(x);
}
