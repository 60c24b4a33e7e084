/**
 * Makes expressions small: constants folded, integer sums brought to polynomial normal form, and `div`/`mod` removed
 * where the ranges of the variables prove that they do nothing. Index maps of composed views shrink to plain strides.
 */
import type { ConstExpr, Expr, OpExpr, Typed, VarExpr } from './expr.ts';
import { constant, dtypeOf, e } from './expr.ts';
import { scalarFunction } from './scalar.ts';

/** What is known of a variable: `min ≤ v ≤ max`, and for a loop counter `v < count` where the count may be symbolic. */
export interface Range {
  readonly min: number;
  readonly max: number;
  readonly count?: Expr;
}

/** Options of {@link simplifier}. */
export interface SimplifyOptions<L> {
  /** The range of a variable; unknown ones are taken as any integer. */
  readonly range: (name: string) => Range | undefined;
  /** Simplifies the inside of a foreign leaf (a load's index). */
  readonly leaf?: (leaf: L, simplify: (x: Expr<L>) => Expr<L>) => Expr<L>;
  /** A text that is equal for equal leaves. */
  readonly leafKey?: (leaf: L, key: (x: Expr<L>) => number) => string;
}

interface Term<L> {
  readonly coef: number;
  readonly atoms: readonly Expr<L>[];
}
type Poly<L> = ReadonlyMap<string, Term<L>>;
type Bounds = readonly [min: number, max: number];
/** Data has a finite range; infinite bounds are those of symbolic sizes, which are taken never to wrap. */
const anything: Bounds = [-2147483648, 2147483647];
const maxTerms = 48;

const wraps = ([min, max]: Bounds): boolean =>
  (Number.isFinite(min) && min < anything[0]) || (Number.isFinite(max) && max > anything[1]);
/** Where a value may wrap, nothing is known of it. */
const unlessWrapped = (b: Bounds): Bounds => (wraps(b) ? anything : b);

/** A function that simplifies expressions under one set of ranges. Equal results are the same object. */
export function simplifier<L extends Typed = never>(options: SimplifyOptions<L>): (x: Expr<L>) => Expr<L> {
  type X = Expr<L>;
  const canonical = new Map<string, X>();
  const ids = new Map<X, number>();
  const done = new Map<X, X>();
  const polys = new Map<X, Poly<L>>();
  const ranges = new Map<X, Bounds>();

  const idOf = (x: X): number => ids.get(x) ?? (ids.get(intern(x)) as number);

  function intern(x: X): X {
    if (ids.has(x)) return x;
    const any = x as ConstExpr | VarExpr | OpExpr<L>;
    let key: string;
    switch (any.k) {
      case 'const':
        key = `c${any.dtype}${Object.is(any.value, -0) ? '-0' : any.value}`;
        break;
      case 'var':
        key = `v${any.name}`;
        break;
      case 'op':
        key = `${any.op}${any.dtype}(${any.args.map((a) => idOf(a)).join()})`;
        break;
      default:
        key = `l${options.leafKey?.(x as L, idOf) ?? ids.size}`;
    }
    const known = canonical.get(key);
    if (known) return known;
    canonical.set(key, x);
    ids.set(x, ids.size);
    return x;
  }

  // ---- polynomials over atoms
  const termKey = (atoms: readonly X[]): string => atoms.map(idOf).join('*');

  function sum(terms: Iterable<Term<L>>): Poly<L> {
    const out = new Map<string, Term<L>>();
    for (const t of terms) {
      const key = termKey(t.atoms);
      const coef = (out.get(key)?.coef ?? 0) + t.coef;
      if (coef === 0) out.delete(key);
      else out.set(key, { coef, atoms: t.atoms });
    }
    return out;
  }

  function product(a: Poly<L>, b: Poly<L>): Poly<L> {
    const terms: Term<L>[] = [];
    for (const s of a.values()) {
      for (const t of b.values()) {
        const atoms = [...s.atoms, ...t.atoms].sort((x, y) => idOf(x) - idOf(y));
        terms.push({ coef: s.coef * t.coef, atoms });
      }
    }
    return sum(terms);
  }

  const scale = (p: Poly<L>, by: number): Poly<L> => sum([...p.values()].map((t) => ({ ...t, coef: t.coef * by })));
  const largest = (p: Poly<L>): number => Math.max(0, ...[...p.values()].map((t) => Math.abs(t.coef)));
  const plus = (a: Poly<L>, b: Poly<L>): Poly<L> => sum([...a.values(), ...b.values()]);

  function polyOf(x: X): Poly<L> {
    const known = polys.get(x);
    if (known) return known;
    const any = x as ConstExpr | OpExpr<L>;
    let out: Poly<L> | undefined;
    if (any.k === 'const') out = sum([{ coef: any.value, atoms: [] }]);
    else if (any.k === 'op' && any.dtype === 'i32') {
      const [a, b] = any.args;
      if (any.op === 'add') out = plus(polyOf(a!), polyOf(b!));
      else if (any.op === 'sub') out = plus(polyOf(a!), scale(polyOf(b!), -1));
      else if (any.op === 'neg') out = scale(polyOf(a!), -1);
      else if (any.op === 'mul') {
        const [p, q] = [polyOf(a!), polyOf(b!)];
        if (p.size * q.size <= maxTerms && largest(p) * largest(q) * maxTerms <= Number.MAX_SAFE_INTEGER)
          out = product(p, q);
      }
    }
    // Sums wrap as values do; what is computed from them further on (differences, bounds) does not.
    out = out
      ? sum([...out.values()].map((t) => ({ ...t, coef: t.coef | 0 })))
      : sum([{ coef: 1, atoms: [intern(x)] }]);
    polys.set(x, out);
    return out;
  }

  /** n·c·(x div c) + n·(x mod c) is n·x. */
  function rejoin(p: Poly<L>): Poly<L> {
    for (const t of p.values()) {
      for (const [i, atom] of t.atoms.entries()) {
        const op = atom as OpExpr<L>;
        if (op.k !== 'op' || op.op !== 'mod') continue;
        const [x, c] = op.args as [X, X];
        if (bounds(c)[0] < 1) continue;
        const rest = sum([{ coef: t.coef, atoms: t.atoms.filter((_, j) => j !== i) }]);
        const quotient = product(product(rest, polyOf(c)), polyOf(divide('div', x, c)));
        if (quotient.size !== 1) continue;
        const [key, whole] = [...quotient][0]!;
        if (p.get(key)?.coef !== whole.coef) continue;
        return rejoin(plus(plus(p, scale(plus(quotient, sum([t])), -1)), product(rest, polyOf(x))));
      }
    }
    return p;
  }

  function fromPoly(p: Poly<L>): X {
    let offset = 0;
    let out: X | undefined;
    const ordered = [...p.values()].sort((s, t) => (termKey(s.atoms) < termKey(t.atoms) ? -1 : 1));
    for (const { coef, atoms } of ordered) {
      if (atoms.length === 0) {
        offset = coef;
        continue;
      }
      let x = atoms.reduce((a, b) => intern(e.mul(a, b)));
      if (coef !== 1) x = intern(e.mul(x, intern(constant(coef))));
      out = out ? intern(e.add(out, x)) : x;
    }
    if (!out) return intern(constant(offset));
    return offset === 0 ? out : intern(e.add(out, intern(constant(offset))));
  }

  // ---- ranges
  function bounds(x: X): Bounds {
    const known = ranges.get(x);
    if (known) return known;
    const found = unlessWrapped(boundsOf(x));
    ranges.set(x, found);
    return found;
  }

  function boundsOf(x: X): Bounds {
    const any = x as ConstExpr | VarExpr | OpExpr<L>;
    switch (any.k) {
      case 'const':
        return [any.value, any.value];
      case 'var': {
        const r = options.range(any.name);
        return r ? [r.min, r.max] : anything;
      }
      case 'op':
        break;
      default:
        return anything;
    }
    const at = (i: number): Bounds => bounds(any.args[i]!);
    switch (any.op) {
      case 'add': {
        const [a, b] = [at(0), at(1)];
        return [a[0] + b[0], a[1] + b[1]];
      }
      case 'sub': {
        const [a, b] = [at(0), at(1)];
        return [a[0] - b[1], a[1] - b[0]];
      }
      case 'mul': {
        const [a, b] = [at(0), at(1)];
        const ends = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]].map((v) => (Number.isNaN(v) ? 0 : v));
        return [Math.min(...ends), Math.max(...ends)];
      }
      case 'div': {
        const [a, b] = [at(0), at(1)];
        return a[0] >= 0 && b[0] >= 1
          ? [Number.isFinite(b[1]) ? Math.floor(a[0] / b[1]) : 0, Math.floor(a[1] / b[0])]
          : anything;
      }
      case 'mod': {
        const [a, b] = [at(0), at(1)];
        return a[0] >= 0 && b[0] >= 1 ? [0, Math.min(a[1], b[1] - 1)] : anything;
      }
      case 'min': {
        const [a, b] = [at(0), at(1)];
        return [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
      }
      case 'max': {
        const [a, b] = [at(0), at(1)];
        return [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
      }
      case 'select': {
        const [a, b] = [at(1), at(2)];
        return [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
      }
      case 'cast':
        return dtypeOf(any.args[0]!) === 'bool' ? [0, 1] : anything;
      default:
        return any.dtype === 'bool' ? [0, 1] : anything;
    }
  }

  const polyBounds = (p: Poly<L>): Bounds => unlessWrapped(exactBounds(p));

  function exactBounds(p: Poly<L>): Bounds {
    let [min, max] = [0, 0];
    for (const { coef, atoms } of p.values()) {
      let [lo, hi] = [coef, coef];
      for (const atom of atoms) {
        const [a, b] = bounds(atom);
        const ends = [lo * a, lo * b, hi * a, hi * b].map((v) => (Number.isNaN(v) ? 0 : v));
        [lo, hi] = [Math.min(...ends), Math.max(...ends)];
      }
      [min, max] = [min + lo, max + hi];
    }
    return [Number.isNaN(min) ? -Infinity : min, Number.isNaN(max) ? Infinity : max];
  }

  /** An upper bound of `p` in which loop counters with symbolic counts have been replaced by count − 1. */
  function raise(p: Poly<L>): Poly<L> {
    for (let round = 0; round < 8; round++) {
      let changed = false;
      for (const t of p.values()) {
        if (t.coef < 0) continue;
        const i = t.atoms.findIndex((a) => countOf(a) !== undefined);
        if (i < 0) continue;
        const rest = t.atoms.filter((_, j) => j !== i);
        if (!rest.every((a) => bounds(a)[0] >= 0)) continue;
        const top = plus(polyOf(countOf(t.atoms[i]!)!), sum([{ coef: -1, atoms: [] }]));
        p = plus(plus(p, scale(sum([t]), -1)), product(sum([{ coef: t.coef, atoms: rest }]), top));
        changed = true;
        break;
      }
      if (!changed) break;
    }
    return p;
  }

  function countOf(atom: X): X | undefined {
    const any = atom as VarExpr | OpExpr<L>;
    if (any.k === 'var') {
      const r = options.range(any.name);
      return r?.count && !Number.isFinite(r.max) ? simplify(r.count as X) : undefined;
    }
    if (any.k === 'op' && any.op === 'mod' && bounds(any.args[0]!)[0] >= 0 && bounds(any.args[1]!)[0] >= 1)
      return any.args[1]!;
    return undefined;
  }

  const below = (p: Poly<L>, limit: number): boolean => exactBounds(p)[1] < limit || exactBounds(raise(p))[1] < limit;
  const lessThan = (a: Poly<L>, b: Poly<L>): boolean => order(a, b, 0);
  const atMost = (a: Poly<L>, b: Poly<L>): boolean => order(a, b, 1);
  /** Whether a − b < limit. Where one of them may wrap, terms in common tell nothing. */
  function order(a: Poly<L>, b: Poly<L>, limit: number): boolean {
    return wraps(exactBounds(a)) || wraps(exactBounds(b))
      ? polyBounds(a)[1] - polyBounds(b)[0] < limit
      : below(plus(a, scale(b, -1)), limit);
  }

  /** Splits `x` into `q·c + r`, moving into `q` each term that has `c` as a factor. */
  function splitBy(x: Poly<L>, c: Poly<L>): readonly [q: Poly<L>, r: Poly<L>] | undefined {
    if (c.size !== 1) return undefined;
    const divisor = [...c.values()][0]!;
    const q: Term<L>[] = [];
    const r: Term<L>[] = [];
    for (const t of x.values()) {
      const atoms = [...t.atoms];
      const whole =
        t.coef % divisor.coef === 0 &&
        divisor.atoms.every((d) => {
          const i = atoms.indexOf(d);
          if (i >= 0) atoms.splice(i, 1);
          return i >= 0;
        });
      if (whole) q.push({ coef: t.coef / divisor.coef, atoms });
      else r.push(t);
    }
    return [sum(q), sum(r)];
  }

  function divide(op: 'div' | 'mod', x: X, c: X): X {
    const plain = intern(op === 'div' ? e.div(x, c) : e.mod(x, c));
    const [p, d] = [polyOf(x), polyOf(c)];
    if (polyBounds(d)[0] < 1) return plain;
    const split = splitBy(p, d);
    if (!split) return polyBounds(p)[0] >= 0 && lessThan(p, d) ? (op === 'div' ? intern(constant(0)) : x) : plain;
    const [q, r] = split;
    if (polyBounds(r)[0] < 0 || polyBounds(q)[0] < 0 || polyBounds(p)[0] < 0) return plain;
    if (lessThan(r, d)) return fromPoly(op === 'div' ? rejoin(q) : r);
    const rest = fromPoly(rejoin(r));
    if (q.size > 0)
      return op === 'div' ? fromPoly(rejoin(plus(q, polyOf(divide('div', rest, c))))) : divide('mod', rest, c);
    const inner = rest as OpExpr<L>;
    if (op === 'div' && inner.k === 'op' && inner.op === 'div' && bounds(inner.args[1]!)[0] >= 1) {
      return divide('div', inner.args[0]!, simplify(e.mul(inner.args[1]!, c)));
    }
    return intern(op === 'div' ? e.div(rest, c) : e.mod(rest, c));
  }

  // ---- rules
  const isConst = (x: X, value?: number): boolean =>
    (x as ConstExpr).k === 'const' && (value === undefined || (x as ConstExpr).value === value);
  const bool = (value: boolean): X => intern(constant(value ? 1 : 0, 'bool'));

  function rewrite(x: OpExpr<L>): X {
    const [a, b, c] = x.args as [X, X, X];
    const from = dtypeOf(a);
    if (x.args.every((arg) => isConst(arg))) {
      const v = (arg: X | undefined): number => (arg ? (arg as ConstExpr).value : 0);
      const value = scalarFunction(x.op, from, x.dtype)(v(a), v(b), v(c));
      return intern({ k: 'const', value, dtype: x.dtype });
    }
    const integer = from === 'i32';
    switch (x.op) {
      case 'add':
      case 'sub':
      case 'mul':
      case 'neg':
        if (integer) return fromPoly(rejoin(polyOf(intern(x))));
        if (x.op === 'add' && isConst(a, 0)) return b;
        if ((x.op === 'add' || x.op === 'sub') && isConst(b, 0)) return a;
        if (x.op === 'mul' && isConst(a, 1)) return b;
        if (x.op === 'mul' && isConst(b, 1)) return a;
        if (x.op === 'neg' && (a as OpExpr<L>).k === 'op' && (a as OpExpr<L>).op === 'neg')
          return (a as OpExpr<L>).args[0]!;
        break;
      case 'div':
        if (isConst(b, 1)) return a;
        if (integer) return divide('div', a, b);
        break;
      case 'mod':
        if (integer) return divide('mod', a, b);
        break;
      case 'min':
      case 'max': {
        if (a === b) return a;
        if (!integer) break;
        const [p, q] = [polyOf(a), polyOf(b)];
        if (atMost(p, q)) return x.op === 'min' ? a : b;
        if (atMost(q, p)) return x.op === 'min' ? b : a;
        break;
      }
      case 'lt':
        if (!integer) break;
        if (lessThan(polyOf(a), polyOf(b))) return bool(true);
        if (atMost(polyOf(b), polyOf(a))) return bool(false);
        break;
      case 'le':
        if (!integer) break;
        if (atMost(polyOf(a), polyOf(b))) return bool(true);
        if (lessThan(polyOf(b), polyOf(a))) return bool(false);
        break;
      case 'eq':
        if (!integer) break;
        if (a === b) return bool(true);
        if (lessThan(polyOf(a), polyOf(b)) || lessThan(polyOf(b), polyOf(a))) return bool(false);
        break;
      case 'and':
        if (a === b) return a;
        if (x.dtype !== 'bool') break;
        if (isConst(a, 0) || isConst(b, 1)) return a;
        if (isConst(b, 0) || isConst(a, 1)) return b;
        break;
      case 'or':
        if (a === b) return a;
        if (x.dtype !== 'bool') break;
        if (isConst(a, 1) || isConst(b, 0)) return a;
        if (isConst(b, 1) || isConst(a, 0)) return b;
        break;
      case 'select':
        if (b === c || isConst(a, 1)) return b;
        if (isConst(a, 0)) return c;
        break;
      case 'cast':
        if (from === x.dtype) return a;
        break;
      default:
    }
    return intern(x);
  }

  function simplify(x: X): X {
    const known = done.get(x);
    if (known) return known;
    const any = x as OpExpr<L> | ConstExpr | VarExpr;
    let out: X;
    if (any.k === 'op') {
      const args = any.args.map(simplify);
      out = rewrite({ ...any, args });
    } else if (any.k === 'var') {
      const r = options.range(any.name);
      out = intern(r && r.min === r.max ? constant(r.min, any.dtype) : x);
    } else if (any.k === 'const') out = intern(x);
    else out = intern(options.leaf ? options.leaf(x as L, simplify) : x);
    done.set(x, out);
    done.set(out, out);
    return out;
  }

  return simplify;
}
