/** Dims and shapes: sizes that are numbers or names, and row-major index arithmetic on them. */
import { ShapeError } from './errors.ts';
import type { Expr } from './expr.ts';
import { constant, e, variable } from './expr.ts';

/**
 * A size: a number, or a name for a size that is known when the program runs (`'batch'`, `'seq'`).
 * A name may be a sum of products of numbers and names: `'batch*seq'`, `'2*seq+1'`.
 */
export type Dim = number | string;
/** The sizes of a tensor, outermost first. */
export type Shape = readonly Dim[];

/** A size as an integer expression over its names. */
export function dimExpr(dim: Dim): Expr {
  if (typeof dim === 'number') return constant(dim);
  const terms = dim.split('+').map((term) =>
    term
      .split('*')
      .map((f) => (/^\d+$/.test(f.trim()) ? constant(Number(f)) : (variable(f.trim()) as Expr)))
      .reduce((a, b) => e.mul(a, b)),
  );
  return terms.reduce((a, b) => e.add(a, b));
}

/** The names that a size uses. */
export function dimNames(dim: Dim): string[] {
  return typeof dim === 'number'
    ? []
    : dim
        .split(/[+*]/)
        .map((f) => f.trim())
        .filter((f) => !/^\d+$/.test(f));
}

/** The number that a size stands for, once its names have values. */
export function dimSize(dim: Dim, sizes: Readonly<Record<string, number>>): number {
  if (typeof dim === 'number') return dim;
  let sum = 0;
  for (const term of dim.split('+')) {
    let product = 1;
    for (const raw of term.split('*')) {
      const factor = raw.trim();
      const value = /^\d+$/.test(factor) ? Number(factor) : sizes[factor];
      if (value === undefined)
        throw new ShapeError(
          `the size '${factor}' of dim '${dim}' has no value; give one of ${Object.keys(sizes).join(', ') || '(none known)'}`,
        );
      product *= value;
    }
    sum += product;
  }
  return sum;
}

/** All sizes of a shape as numbers. */
export function shapeSize(shape: Shape, sizes: Readonly<Record<string, number>>): number[] {
  return shape.map((d) => dimSize(d, sizes));
}

/** A size as a sum of products: how often each product of names (sorted, joined by `*`; empty for 1) is in it. */
type Terms = Map<string, number>;

function termsOf(dim: Dim): Terms {
  const terms: Terms = new Map();
  for (const term of String(dim).split('+')) {
    const factors = term.split('*').map((f) => f.trim());
    const count = factors.reduce((n, f) => (/^\d+$/.test(f) ? n * Number(f) : n), 1);
    const names = factors
      .filter((f) => !/^\d+$/.test(f))
      .sort()
      .join('*');
    terms.set(names, (terms.get(names) ?? 0) + count);
  }
  return terms;
}

function dimOf(terms: Terms): Dim {
  const number = terms.get('') ?? 0;
  const named = [...terms]
    .filter(([names, count]) => names !== '' && count !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([names, count]) => (count === 1 ? names : `${count}*${names}`));
  if (named.length === 0) return number;
  return (number === 0 ? named : [...named, String(number)]).join('+');
}

/** The product of sizes as one size, multiplied out in a fixed order: `2` and `'seq+1'` make `'2*seq+2'`. */
export function dimProduct(dims: readonly Dim[]): Dim {
  return dimOf(
    dims.reduce<Terms>(
      (product, dim) => {
        const out: Terms = new Map();
        for (const [a, m] of product) {
          for (const [b, n] of termsOf(dim)) {
            const names = [...a.split('*'), ...b.split('*')]
              .filter((f) => f !== '')
              .sort()
              .join('*');
            out.set(names, (out.get(names) ?? 0) + m * n);
          }
        }
        return out;
      },
      new Map([['', 1]]),
    ),
  );
}

/** The sum of sizes as one size, in a fixed order: `'seq'`, `1` and `'seq'` make `'2*seq+1'`. */
export function dimSum(dims: readonly Dim[]): Dim {
  const sum: Terms = new Map();
  for (const dim of dims) for (const [names, count] of termsOf(dim)) sum.set(names, (sum.get(names) ?? 0) + count);
  return dimOf(sum);
}

/** A size less a number: `'seq+1'` and 1 make `'seq'`; `undefined` where that might be less than the names alone. */
export function dimLess(dim: Dim, count: number): Dim | undefined {
  const rest = termsOf(dim);
  const number = (rest.get('') ?? 0) - count;
  return number < 0 ? undefined : dimOf(rest.set('', number));
}

/** How much larger than `b` the size `a` is at least, whatever its names stand for: 3 for `'n+3'` and `'n'`; −∞ where it may be smaller. */
export function dimExcess(a: Dim, b: Dim): number {
  const rest = termsOf(a);
  for (const [names, count] of termsOf(b)) rest.set(names, (rest.get(names) ?? 0) - count);
  return [...rest].some(([names, count]) => names !== '' && count < 0) ? -Infinity : (rest.get('') ?? 0);
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** A shape as text: `[batch, 784]`. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** The number of elements, as an expression. */
export function elements(shape: Shape): Expr {
  return shape.map(dimExpr).reduce<Expr>((a, b) => e.mul(a, b), constant(1));
}

/** Row-major strides in elements. */
export function strides(shape: Shape): Expr[] {
  const out: Expr[] = [];
  let step: Expr = constant(1);
  for (let i = shape.length - 1; i >= 0; i--) {
    out.unshift(step);
    step = e.mul(step, dimExpr(shape[i]!));
  }
  return out;
}

/** The row-major position of an element. */
export function flatIndex(shape: Shape, at: readonly Expr[]): Expr {
  let out: Expr = constant(0);
  for (let i = 0; i < shape.length; i++) out = e.add(e.mul(out, dimExpr(shape[i]!)), at[i]!);
  return out;
}

/** The element at a row-major position: the inverse of {@link flatIndex}. */
export function unflatten(shape: Shape, flat: Expr): Expr[] {
  const out: Expr[] = [];
  let rest = flat;
  for (let i = shape.length - 1; i >= 1; i--) {
    out.unshift(e.mod(rest, dimExpr(shape[i]!)));
    rest = e.div(rest, dimExpr(shape[i]!));
  }
  if (shape.length > 0) out.unshift(rest);
  return out;
}

/** The shape that several shapes broadcast to (numpy's rule), or a {@link ShapeError} that names `what`. */
export function broadcastShapes(what: string, shapes: readonly Shape[]): Dim[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    let dim: Dim = 1;
    for (const shape of shapes) {
      const d = shape[shape.length - rank + i] ?? 1;
      if (d === 1 || d === dim) continue;
      if (dim !== 1)
        throw new ShapeError(
          `${what}: shapes ${shapes.map(showShape).join(' and ')} do not broadcast: ${dim} ≠ ${d} in axis ${i - rank}`,
        );
      dim = d;
    }
    out.push(dim);
  }
  return out;
}

/** Where an element of a broadcast result is read in an operand of `shape`. */
export function broadcastIndex(shape: Shape, at: readonly Expr[]): Expr[] {
  const skip = at.length - shape.length;
  return shape.map((d, i) => (d === 1 ? constant(0) : at[skip + i]!));
}

/** An axis as a number from 0, counting negative ones from the end. */
export function normalAxis(what: string, axis: number, rank: number): number {
  const out = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || out < 0 || out >= rank)
    throw new ShapeError(`${what}: axis ${axis} is outside of rank ${rank}; use ${-rank} to ${rank - 1}`);
  return out;
}
