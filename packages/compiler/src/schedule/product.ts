/** Contractions as batches of matrix products: the labels of a contraction sorted into four axes. */
import type { Dim, Expr, Tensor } from '@sinter/ir';
import { elements, labelSizes, parseSpec, unflatten } from '@sinter/ir';
import type { LoopExpr } from '../loop/language.ts';
import type { Draft } from './draft.ts';
import { local, v } from './draft.ts';

/** A contraction as a batch of matrix products: which axis of each tensor is which. */
export interface Product {
  readonly a: Tensor;
  readonly b: Tensor;
  /** The index of an operand or of the result, from the counters of batch, row, column and inner axis. */
  readonly indexA: (at: Counters) => LoopExpr[];
  readonly indexB: (at: Counters) => LoopExpr[];
  readonly indexOut: (at: Counters) => LoopExpr[];
  /** The indices of both operands, from an index of the result and one of the inner axes. */
  readonly operandsAt: (
    out: readonly LoopExpr[],
    inner: readonly LoopExpr[],
  ) => readonly [a: LoopExpr[], b: LoopExpr[]];
  /** Operands that are computed again while they are packed. */
  readonly recomputed: ReadonlySet<Tensor> | undefined;
  readonly batch: readonly Dim[];
  readonly m: readonly Dim[];
  readonly n: readonly Dim[];
  readonly k: readonly Dim[];
}
/** Where in a product: a value for each of its four axes. */
export type Counters = Readonly<Record<'batch' | 'm' | 'n' | 'k', LoopExpr>>;

/** Reads the labels. The operand that has the result's innermost axis is the right one, so that rows of the result are vectors. */
export function productOf(t: Tensor, recomputed: Product['recomputed']): Product {
  const { spec } = t.attrs as { spec: string };
  const labels = parseSpec(spec);
  const [x, y] = t.inputs as [Tensor, Tensor];
  const sizes = labelSizes(spec, labels, x, y);
  const swap = labels.m.includes(labels.out.at(-1)!);
  const parts = { batch: labels.batch, m: swap ? labels.n : labels.m, n: swap ? labels.m : labels.n, k: labels.k };
  const dims = (names: readonly string[]): Dim[] => names.map((l) => sizes.get(l)!);
  const index =
    (names: readonly string[]) =>
    (at: Counters): LoopExpr[] => {
      const values = new Map<string, LoopExpr>();
      for (const part of ['batch', 'm', 'n', 'k'] as const) {
        if (parts[part].every((l) => !names.includes(l))) continue;
        const each = unflatten(dims(parts[part]), at[part] as Expr) as LoopExpr[];
        parts[part].forEach((l, i) => values.set(l, each[i]!));
      }
      return names.map((l) => values.get(l)!);
    };
  return {
    a: swap ? y : x,
    b: swap ? x : y,
    recomputed,
    indexA: index(swap ? labels.b : labels.a),
    indexB: index(swap ? labels.a : labels.b),
    indexOut: index(labels.out),
    operandsAt: (out, inner) => {
      const values = new Map([
        ...labels.out.map((l, i) => [l, out[i]!] as const),
        ...parts.k.map((l, i) => [l, inner[i]!] as const),
      ]);
      const at = (names: readonly string[]): LoopExpr[] => names.map((l) => values.get(l)!);
      return [at(swap ? labels.b : labels.a), at(swap ? labels.a : labels.b)];
    },
    batch: dims(parts.batch),
    m: dims(parts.m),
    n: dims(parts.n),
    k: dims(parts.k),
  };
}

/** The number of elements of some axes together. */
export const size = (dims: readonly Dim[]): LoopExpr => elements(dims) as LoopExpr;
/** The counters that {@link declare} declares. */
export const counters = { batch: v('b'), m: v('m'), n: v('n'), k: v('k') } satisfies Record<string, LoopExpr>;

/** Declares the counters of a product. */
export function declare(d: Draft, p: Product): void {
  d.low.counter(local('b'), size(p.batch));
  d.low.counter(local('m'), size(p.m));
  d.low.counter(local('n'), size(p.n));
  d.low.counter(local('k'), size(p.k));
}
