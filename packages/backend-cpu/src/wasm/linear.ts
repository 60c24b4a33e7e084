/** Index expressions as sums: Σ coefficient · value + offset, and how far they move from one lane to the next. */
import type { Builder, Node } from './nodes.ts';
import { op } from './opcodes.ts';

/** A linear form over values; `stride` is the coefficient of the counter of the vector loop around. */
export interface Linear {
  readonly terms: ReadonlyMap<Node, number>;
  readonly offset: number;
  readonly stride: number;
}

const none: ReadonlyMap<Node, number> = new Map();

/** A constant. */
export const fixed = (offset: number, stride = 0): Linear => ({ terms: none, offset, stride });

/** A value by itself. */
export function atom(n: Node): Linear {
  return n.constant === undefined ? { terms: new Map([[n, 1]]), offset: 0, stride: 0 } : fixed(n.constant);
}

/** `a + factor · b`. */
export function plus(a: Linear, b: Linear, factor = 1): Linear {
  const terms = new Map(a.terms);
  for (const [n, coefficient] of b.terms) {
    const sum = (terms.get(n) ?? 0) + factor * coefficient;
    if (sum === 0) terms.delete(n);
    else terms.set(n, sum);
  }
  return { terms, offset: a.offset + factor * b.offset, stride: a.stride + factor * b.stride };
}

/** A linear form without values. */
export const isFixed = (x: Linear): boolean => x.terms.size === 0 && x.stride === 0;

/** Whether a value is known not to be negative (for as long as index arithmetic does not overflow). */
function neverNegative(n: Node, natural: (n: Node) => boolean): boolean {
  const [a, b] = n.args;
  if (n.constant !== undefined) return n.constant >= 0;
  switch (n.op) {
    case op.i32Add:
    case op.i32Mul:
    case op.i32DivS:
    case op.i32RemS:
      return neverNegative(a!, natural) && neverNegative(b!, natural);
    case op.i32Shl:
    case op.i32ShrS:
      return neverNegative(a!, natural);
    case op.i32And:
      return neverNegative(a!, natural) || neverNegative(b!, natural);
    case op.i32Load8U:
      return true;
    default:
      return natural(n);
  }
}

/** Constant offsets up to this many bytes may always stand in the instruction: no buffer begins lower in memory. */
export const alwaysSafeOffset = 1024;

const times = (b: Builder, n: Node, factor: number): Node => {
  if (factor === 1) return n;
  const shift = Math.log2(factor);
  if (Number.isInteger(shift)) return b.pure(op.i32Shl, 'i32', [n, b.i32(shift)]);
  return b.pure(op.i32Mul, 'i32', [n, b.i32(factor)]);
};
const add = (b: Builder, x: Node, y: Node): Node => (y.constant === 0 ? x : b.pure(op.i32Add, 'i32', [x, y]));

/** The sum of the terms of a linear form with a factor, on top of a start value; outer blocks' terms first, so that they can be computed there. */
export function sumTerms(b: Builder, start: Node, x: Linear, factor: number): Node {
  const terms = [...x.terms].sort(([p], [q]) => p.home.depth - q.home.depth);
  return terms.reduce((sum, [n, coefficient]) => add(b, sum, times(b, n, coefficient * factor)), start);
}

/**
 * The address of an element: a value, and a constant offset for the instruction. An instruction's offset must not lift
 * an address out of the negative, where unsigned arithmetic wraps, so larger ones are used only with terms that are never negative.
 */
export function address(
  b: Builder,
  base: Node,
  baseOffset: number,
  index: Linear,
  bytes: number,
  natural: (n: Node) => boolean,
): { readonly address: Node; readonly offset: number } {
  const sum = sumTerms(b, base, index, bytes);
  const offset = index.offset * bytes + baseOffset;
  if (offset === 0) return { address: sum, offset: 0 };
  const positive = (): boolean =>
    [...index.terms].every(([n, coefficient]) => coefficient > 0 && neverNegative(n, natural));
  if (offset > 0 && offset < 2 ** 31 && (offset <= alwaysSafeOffset || positive())) return { address: sum, offset };
  return { address: add(b, sum, b.i32(offset)), offset: 0 };
}
