/**
 * Contractions that are never stored: a matrix of attention scores is computed again, tile by tile, in every kernel that reads it.
 * Forward and backward then take memory that grows linearly with the sequence (Rabe and Staats 2021; Dao et al. 2022). Softmax,
 * masks and dropout between a score and its readers are expressions as everywhere.
 */
import type { Dim, Shape, Tensor } from '@sinter/ir';
import { elements, labelSizes, parseSpec, sameShape } from '@sinter/ir';
import type { ContractAttrs, Labels, ReduceAttrs } from '@sinter/ir';
import { evaluateSize } from '../artifact/offsets.ts';
import type { DimRanges } from '../lower.ts';
import { isData } from './group.ts';

/**
 * How matrices of scores are treated. `stored`: written and read as any tensor. `blockwise`: never stored, wherever the readers
 * allow it. `auto`: blockwise where each matrix is known to be large, else stored, which is quicker then.
 */
export type Attention = 'auto' | 'blockwise' | 'stored';

/**
 * The scores that are computed blockwise with `auto`: matrices of at least 256 × 256 (on shorter rows too much of a block is empty), of which there are
 * 2²¹ elements in all (8 MiB: what is smaller stays in a cache). From there on blockwise takes 0.6 to 1.1 times as long, measured on native code and
 * WebAssembly, forward and with gradients, padded and causal. A size that is known at run time only counts as the least that it can be.
 */
const [largeMatrix, manyScores] = [256 ** 2, 2 ** 21];
/** The longest inner axis of a score, and of a row of what is made of them: they lie in the nearest cache, tile by tile. */
const longestRow = 256;

/** The kinds that are expressions of their operands. */
const inlined = new Set(['map', 'view', 'source', 'random', 'gather']);

/** What is never stored, and why. */
export interface Transients {
  /** The contractions. */
  readonly contractions: ReadonlyMap<Tensor, string>;
  /** Matrices of scores that are stored all the same, and why. */
  readonly refused: ReadonlyMap<Tensor, string>;
  /** Everything that reads them at its own place: probabilities, their gradients. None of it can be stored. */
  readonly derived: ReadonlySet<Tensor>;
  /** Those, and what they are made of that is as large: masks, random numbers. It is computed again wherever it is read. */
  readonly again: ReadonlySet<Tensor>;
}

/** No contraction is transient. */
export const noTransients: Transients = {
  contractions: new Map(),
  refused: new Map(),
  derived: new Set(),
  again: new Set(),
};

/** What {@link findTransients} knows of the graph. */
export interface TransientOptions {
  readonly attention: Attention;
  readonly dims: DimRanges;
  readonly roots: ReadonlySet<Tensor>;
  readonly consumers: ReadonlyMap<Tensor, readonly Tensor[]>;
  /** Contractions that a backend runs its own way: they read what lies in buffers. */
  readonly isRegion: (t: Tensor) => boolean;
}

/** Finds the contractions that need not be stored. */
export function findTransients(order: readonly Tensor[], options: TransientOptions): Transients {
  if (options.attention === 'stored') return noTransients;
  const contractions = new Map<Tensor, string>();
  const refused = new Map<Tensor, string>();
  const derived = new Set<Tensor>();
  const again = new Set<Tensor>();
  /** Which axes make the batch, by shape: kernels of rows walk all scores of a shape together. */
  const batchOf = new Map<string, string>();
  const found = order.flatMap((t) => scoresOf(t, options) ?? []);
  const consider = ({ t, rows, columns, batch, cone }: Scores): void => {
    const shape = t.shape.join();
    if (batchOf.has(shape) && batchOf.get(shape) !== batch) {
      refused.set(t, 'their batch is not that of other scores');
      return;
    }
    batchOf.set(shape, batch);
    const least = (d: readonly Dim[]): number => leastSize(d, options.dims);
    if (options.attention === 'auto' && (least([...rows, ...columns]) < largeMatrix || least(t.shape) < manyScores)) {
      refused.set(t, 'quicker where they are small or few');
      return;
    }
    contractions.set(t, 'computed again, tile by tile, where they are read');
    for (const x of cone) derived.add(x);
    for (const x of madeOf(cone, t.shape)) again.add(x);
  };
  for (const scores of found) if (scores.rowsAreReduced) consider(scores);
  // What only meets such scores on the way to a product: the gradient of probabilities.
  for (const scores of found)
    if (!scores.rowsAreReduced && [...scores.cone].some((x) => derived.has(x))) consider(scores);
  return { contractions, refused, derived, again };
}

/** Tensors and what their maps are computed from, as far as that has as many rows and columns. */
function madeOf(tensors: ReadonlySet<Tensor>, shape: Shape): Set<Tensor> {
  const sides = (s: Shape): Shape => s.slice(-2);
  const out = new Set(tensors);
  for (const t of out)
    for (const x of t.op.kind === 'contract' ? [] : t.inputs)
      if (inlined.has(x.op.kind) && !isData(x) && sameShape(sides(x.shape), sides(shape))) out.add(x);
  return out;
}

/** Whether something that is made of scores was chosen to be stored: then none can be transient. */
export function isKept(stored: ReadonlyMap<Tensor, string>, { derived }: Transients): boolean {
  for (const t of derived) if (stored.has(t)) return true;
  return false;
}

interface Scores {
  readonly t: Tensor;
  readonly rows: readonly Dim[];
  readonly columns: readonly Dim[];
  /** The positions of the axes that are neither. */
  readonly batch: string;
  /** The contraction, and the maps of it that are inlined in its readers. */
  readonly cone: ReadonlySet<Tensor>;
  readonly rowsAreReduced: boolean;
}

/**
 * The matrix of scores that a contraction computes: a batch of products with a short inner axis, read by reductions of its rows and
 * by contractions over its rows or columns alone.
 */
function scoresOf(t: Tensor, { dims, roots, consumers, isRegion }: TransientOptions): Scores | undefined {
  if (t.op.kind !== 'contract' || t.dtype !== 'f32' || roots.has(t) || isRegion(t)) return undefined;
  const labels = labelsOf(t);
  const axis = labels.out.at(-1)!;
  const others = labels.m.includes(axis) ? labels.n : labels.m;
  const last = labels.m.includes(axis) ? labels.m : labels.n;
  if (last.length !== 1 || last[0] !== axis || others.length === 0 || labels.batch.length === 0) return undefined;
  const size = sizesOf(t, labels);
  if (!isShort(labels.k.map(size), dims)) return undefined;

  let rowsAreReduced = false;
  const cone = new Set<Tensor>([t]);
  for (const x of cone) {
    for (const reader of consumers.get(x) ?? []) {
      if (reader.op.kind === 'map' && sameShape(reader.shape, t.shape) && !roots.has(reader)) cone.add(reader);
      else if (reader.op.kind === 'reduce') {
        const { axes } = reader.attrs as ReduceAttrs;
        if (axes.length !== 1 || axes[0] !== t.shape.length - 1) return undefined;
        rowsAreReduced = true;
      } else if (reader.op.kind !== 'contract' || isRegion(reader) || !takesRows(reader, x, t, dims)) return undefined;
    }
  }
  const batch = labels.batch.map((l) => labels.out.indexOf(l)).join();
  return { t, rows: others.map(size), columns: last.map(size), batch, cone, rowsAreReduced };
}

/** Whether a contraction reads `x`, of the shape of the scores, as matrices of the same batch, and writes rows that are short. */
function takesRows(reader: Tensor, x: Tensor, scores: Tensor, dims: DimRanges): boolean {
  const [a, b] = reader.inputs as [Tensor, Tensor];
  if (a === b) return false;
  const labels = labelsOf(reader);
  const [names, own, free] = a === x ? [labels.a, labels.m, labels.n] : [labels.b, labels.n, labels.m];
  // The innermost axis of the result is the other operand's: what the template of contractions calls the right operand.
  if (!free.includes(labels.out.at(-1)!) || !isShort(free.map(sizesOf(reader, labels)), dims)) return false;
  const made = labelsOf(scores);
  const part = (l: string): 'batch' | 'm' | 'n' => (made.batch.includes(l) ? 'batch' : made.m.includes(l) ? 'm' : 'n');
  const partsAt = (wanted: readonly string[]): string =>
    [...new Set(names.flatMap((l, i) => (wanted.includes(l) ? [part(made.out[i]!)] : [])))].join();
  const across = [partsAt(own), partsAt(labels.k)];
  return partsAt(labels.batch) === 'batch' && (across.join() === 'm,n' || across.join() === 'n,m');
}

const labelsOf = (t: Tensor): Labels => parseSpec((t.attrs as ContractAttrs).spec);

function sizesOf(t: Tensor, labels: Labels): (label: string) => Dim {
  const sizes = labelSizes((t.attrs as ContractAttrs).spec, labels, t.inputs[0]!, t.inputs[1]!);
  return (l) => sizes.get(l)!;
}

/** The least number of elements that some axes can have together. */
export function leastSize(axes: readonly Dim[], dims: DimRanges): number {
  return evaluateSize(elements(axes), Object.fromEntries(Object.entries(dims).map(([name, r]) => [name, r.min])));
}

function mostSize(axes: readonly Dim[], dims: DimRanges): number {
  return evaluateSize(elements(axes), Object.fromEntries(Object.entries(dims).map(([name, r]) => [name, r.max])));
}

/** Whether axes together have a known number of elements that fits a row of a tile. */
function isShort(axes: readonly Dim[], dims: DimRanges): boolean {
  const size = leastSize(axes, dims);
  return axes.length > 0 && size === mostSize(axes, dims) && size > 0 && size <= longestRow;
}
