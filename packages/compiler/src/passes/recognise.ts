/** Brings reductions and contractions into the forms that have a kernel template. */
import type { Graph, ReduceAttrs, Tensor as T } from '@sinter/ir';
import { labelSizes, ops, parseSpec, Tensor } from '@sinter/ir';
import { isData } from '../fuse/group.ts';
import { baseOf, isDequantised } from '../fuse/operand.ts';
import type { Target } from '../target.ts';
import { rewriteGraph } from './rewrite.ts';

const reshape = ops.get('reshape')!;
const transpose = ops.get('transpose')!;
const mul = ops.get('mul')!;
const reduceSum = ops.get('reduceSum')!;

/**
 * A reduction over the innermost axis and others becomes two: rows first, which run in parallel over all that is left,
 * then the rest.
 */
function splitReduction(t: T): T {
  const { axes } = t.attrs as ReduceAttrs;
  const [x] = t.inputs as [T];
  const last = x.shape.length - 1;
  if (axes.length < 2 || !axes.includes(last)) return t;
  const rows = Tensor.make(t.op, [x], { axes: [last] });
  return splitReduction(Tensor.make(t.op, [rows], { axes: axes.filter((a) => a !== last) }));
}

/**
 * A contraction with a vector has nothing to tile: it is a sum of products, which fuses with what is around it. On a CPU not where the matrix lies
 * in memory, as weights and caches do: there the template of few rows reads it faster.
 */
function vectorContraction(t: T, kind: Target['kind']): T {
  const { spec } = t.attrs as { spec: string };
  const labels = parseSpec(spec);
  const [a, b] = t.inputs as [T, T];
  const sizes = labelSizes(spec, labels, a, b);
  const one = (names: readonly string[]): boolean => names.every((l) => sizes.get(l) === 1);
  if (!one(labels.m) && !one(labels.n) && labels.k.length > 0) return t;
  const swap = labels.m.includes(labels.out.at(-1)!);
  const [rows, columns, matrix] = swap ? [labels.n, labels.m, a] : [labels.m, labels.n, b];
  if (kind === 'cpu' && labels.k.length > 0 && one(rows) && !one(columns) && liesInMemory(matrix)) return t;
  const axes = [...labels.out, ...labels.k];
  const align = (x: T, names: readonly string[]): T => {
    const present = axes.filter((l) => names.includes(l));
    const ordered = Tensor.make(transpose, [x], { perm: present.map((l) => names.indexOf(l)) });
    return Tensor.make(reshape, [ordered], { shape: axes.map((l) => (names.includes(l) ? sizes.get(l)! : 1)) });
  };
  const product = Tensor.make(mul, [align(a, labels.a), align(b, labels.b)], {});
  if (labels.k.length === 0) return product;
  return Tensor.make(reduceSum, [product], { axes: labels.k.map((_, i) => labels.out.length + i) });
}

function liesInMemory(operand: T): boolean {
  const x = baseOf(operand);
  return isData(x) || x.op.kind === 'update' || x.op.kind === 'contract' || isDequantised(x, Infinity);
}

/**
 * Splits reductions that mix the innermost axis with others, and turns contractions with vectors into sums of products, where the kind of
 * target has no better kernel for them.
 */
export function recognise(g: Graph, kind: Target['kind']): Graph {
  const once = rewriteGraph(g, (t) => (t.op.kind === 'contract' ? vectorContraction(t, kind) : t));
  return rewriteGraph(once, (t) => (t.op.kind === 'reduce' ? splitReduction(t) : t));
}
