/** Indices as sums, Σ factor · C name + offset, and how far they move from one lane of a vector loop to the next. */

/** A sum; `stride` is the factor of the counter of the vector loop around. */
export interface Linear {
  readonly terms: ReadonlyMap<string, number>;
  readonly offset: number;
  readonly stride: number;
}

const none: ReadonlyMap<string, number> = new Map();

/** A number. */
export const fixed = (offset: number, stride = 0): Linear => ({ terms: none, offset, stride });

/** A C expression of type `idx`. */
export const atom = (c: string): Linear => ({ terms: new Map([[c, 1]]), offset: 0, stride: 0 });

/** `a + factor · b`. */
export function plus(a: Linear, b: Linear, factor = 1): Linear {
  const terms = new Map(a.terms);
  for (const [c, coefficient] of b.terms) {
    const sum = (terms.get(c) ?? 0) + factor * coefficient;
    if (sum === 0) terms.delete(c);
    else terms.set(c, sum);
  }
  return { terms, offset: a.offset + factor * b.offset, stride: a.stride + factor * b.stride };
}

/** Whether a sum is a number. */
export const isFixed = (x: Linear): boolean => x.terms.size === 0 && x.stride === 0;

/** The sum in C (that of the first lane). */
export function printLinear({ terms, offset }: Linear): string {
  let out = '';
  for (const [c, factor] of terms) {
    const size = Math.abs(factor);
    const term = size === 1 ? c : `${c} * ${size}`;
    out += out === '' ? (factor < 0 ? `-${size === 1 ? c : `(${term})`}` : term) : ` ${factor < 0 ? '-' : '+'} ${term}`;
  }
  if (out === '') return String(offset);
  return offset === 0 ? out : `${out} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
}
