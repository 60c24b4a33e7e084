/**
 * Sums over the columns of a product that is there in another order: Σₙ x·(a bᵀ) is Σ a·(x b) over the inner axes of `a bᵀ`. Where
 * `x b` is in the graph already, up to factors of rows, the sum is one over few elements. Attention's gradient gets its row
 * sums of dO ∘ O for those of dP ∘ P so (Dao et al. 2022), whatever masks and dropout stand between.
 */
import type { ContractAttrs, Graph, Labels, ReduceAttrs, Tensor as T } from '@sinter/ir';
import { ops, parseSpec, Tensor } from '@sinter/ir';
import { rewriteGraph } from './rewrite.ts';

const [reshape, transpose, mul, div, reduceSum] = ['reshape', 'transpose', 'mul', 'div', 'reduceSum'].map((name) => ops.get(name)!); // prettier-ignore

/** A tensor as factors: those that differ along the last axis, and those that have one value for each row. */
interface Factors {
  readonly wide: readonly T[];
  readonly rows: readonly T[];
}

/** A contraction in the graph: `x` times `b`, where the inner axis is the last of `x`. */
interface Known {
  readonly t: T;
  readonly rows: readonly T[];
  readonly x: readonly string[];
  readonly b: readonly string[];
  readonly out: readonly string[];
}

/** Replaces such sums. */
export function reorderSums(g: Graph): Graph {
  const ids = new Map<unknown, number>();
  const idOf = (x: unknown): number => {
    if (!ids.has(x)) ids.set(x, ids.size);
    return ids.get(x)!;
  };
  const keyOf = (b: T, wide: Factors['wide']): string => `${idOf(b)}: ${wide.map(idOf).sort().join()}`;
  const known = new Map<string, Known[]>();
  /** What was computed as a product with `by`: a quotient by that is the product's other factor. */
  const scaled = new Map<T, { readonly plain: T; readonly by: T }>();

  const remember = (t: T): void => {
    const labels = parseSpec((t.attrs as ContractAttrs).spec);
    for (const [side, x, b] of [
      [0, labels.a, labels.b],
      [1, labels.b, labels.a],
    ] as const) {
      if (labels.k.length !== 1 || x.at(-1) !== labels.k[0]) continue;
      const { wide, rows } = factorsOf(t.inputs[side]!);
      const key = keyOf(t.inputs[1 - side]!, wide);
      known.set(key, [...(known.get(key) ?? []), { t, rows, x, b, out: labels.out }]);
    }
  };

  const reorder = (sum: T): T | undefined => {
    const [product] = sum.inputs as [T];
    const { axes } = sum.attrs as ReduceAttrs;
    if (axes.length !== 1 || axes[0] !== product.shape.length - 1) return undefined;
    const { wide, rows } = factorsOf(product);
    for (const c of wide) {
      if (c.op.name !== 'contract' || c.shape.length !== product.shape.length) continue;
      const labels = parseSpec((c.attrs as ContractAttrs).spec);
      const side = labels.b.includes(labels.out.at(-1)!) ? 0 : 1;
      const rest = wide.filter((x) => x !== c);
      if (rest.length !== wide.length - 1) continue;
      for (const found of known.get(keyOf(c.inputs[1 - side]!, rest)) ?? []) {
        const made = sumOf(c.inputs[side]!, side, labels, found);
        if (made) return scale(made, without(rows, found.rows), without(found.rows, rows));
      }
    }
    return undefined;
  };

  /** A sum times factors of its rows, over those that the other product has beside. */
  const scale = (sum: T, times: readonly T[], over: readonly T[]): T => {
    const flat = (x: T): T => (x.shape.length === 0 ? x : Tensor.make(reshape!, [x], { shape: x.shape.slice(0, -1) }));
    const plain = times.reduce((a, x) => Tensor.make(mul!, [a, flat(x)], {}), sum);
    return over.reduce((a, x) => {
      const whole = x.op.name === 'div' && isFull(x.inputs[0]!, 1) ? x.inputs[1]! : undefined;
      const out = Tensor.make(whole ? mul! : div!, [a, flat(whole ?? x)], {});
      if (whole) scaled.set(out, { plain: a, by: whole });
      return out;
    }, plain);
  };

  return rewriteGraph(g, (t) => {
    if (t.op.kind === 'contract') remember(t);
    if (t.op === reduceSum) return reorder(t) ?? t;
    const x = t.inputs[0] && scaled.get(t.inputs[0]);
    if (x && t.op === reshape) scaled.set(t, { ...x, plain: Tensor.make(reshape, [x.plain], t.attrs) });
    return x && t.op === div && t.inputs[1] === x.by ? x.plain : t;
  });
}

/** Σ a·(x b) over the inner axes of the contraction of `a`, in the order of its rows; undefined if the axes are not the same. */
function sumOf(a: T, side: 0 | 1, labels: Labels, found: Known): T | undefined {
  const [own, other] = side === 0 ? [labels.a, labels.b] : [labels.b, labels.a];
  if (found.x.length !== labels.out.length || found.b.length !== other.length) return undefined;
  const renamed = new Map<string, string>();
  const agree = (from: readonly string[], to: readonly string[]): boolean =>
    from.every((l, i) => {
      if (!renamed.has(l)) renamed.set(l, to[i]!);
      return renamed.get(l) === to[i];
    });
  if (!agree(found.x, labels.out) || !agree(found.b, other)) return undefined;
  const out = found.out.map((l) => renamed.get(l)!);
  if (out.length !== own.length || !own.every((l) => out.includes(l))) return undefined;
  const aligned = Tensor.make(transpose!, [found.t], { perm: own.map((l) => out.indexOf(l)) });
  const axes = own.flatMap((l, i) => (labels.k.includes(l) ? [i] : []));
  const sum = Tensor.make(reduceSum!, [Tensor.make(mul!, [a, aligned], {})], { axes });
  const kept = own.filter((l) => !labels.k.includes(l));
  return Tensor.make(transpose!, [sum], { perm: labels.out.slice(0, -1).map((l) => kept.indexOf(l)) });
}

function factorsOf(t: T): Factors {
  const isRow = (x: T): boolean => x.shape.length === 0 || x.shape.at(-1) === 1;
  if (isRow(t)) return { wide: [], rows: [t] };
  const parts =
    t.op === mul
      ? t.inputs.map(factorsOf)
      : t.op.name === 'where' && isFull(t.inputs[2]!, 0)
        ? [{ wide: [t.inputs[0]!], rows: [] }, factorsOf(t.inputs[1]!)]
        : [{ wide: [t], rows: [] }];
  return { wide: parts.flatMap((p) => p.wide), rows: parts.flatMap((p) => p.rows) };
}

/** What is in one list beyond what both have. */
function without(xs: readonly T[], ys: readonly T[]): T[] {
  const left = [...ys];
  return xs.filter((x) => {
    const i = left.indexOf(x);
    if (i >= 0) left.splice(i, 1);
    return i < 0;
  });
}

const isFull = (t: T, value: number): boolean =>
  t.op.name === 'full' && (t.attrs as { readonly value: number }).value === value;
