/**
 * Where a NaN or an infinity came from. The tensors that a loss or a gradient is made of are tried on the device, some hundred at a time, each by
 * one number that says whether all its elements are finite, until the first is found whose operands all are: a search by halves, but wider.
 */
import { abs, full, graph, isFloat, lessEqual, max, sourceName, stateOp, topological, where } from '@sinter/ir';
import type { Graph, Tensor, TensorData } from '@sinter/ir';

/** The first value of a step that was not finite. */
export interface Anomaly {
  /** The value: its op, dtype and shape, as `log f32[batch, 3]`. */
  readonly value: string;
  /** The values that it was computed from, all finite. */
  readonly operands: readonly string[];
  /** The parameter that stands nearest to it in the computation, if there is one. */
  readonly parameter: string | undefined;
  /** Whether it is of the loss or of a gradient. */
  readonly pass: 'forward' | 'backward';
}

/** Values that are tried at once. */
const atOnce = 128;

/** Runs a graph and gives its outputs. */
export type Probe = (graph: Graph) => Promise<Readonly<Record<string, TensorData>>>;

/**
 * Finds the first value that is not finite among those that `loss` and `gradients` are made of; `undefined` if all are.
 * `probe` runs graphs on the weights and the batch of the step.
 */
export async function findAnomaly(
  loss: Tensor,
  gradients: readonly Tensor[],
  probe: Probe,
): Promise<Anomaly | undefined> {
  const found = await firstBad([loss], probe);
  if (found) return describe(found, 'forward');
  const backward = await firstBad(gradients, probe);
  return backward && describe(backward, 'backward');
}

async function firstBad(roots: readonly Tensor[], probe: Probe): Promise<Tensor | undefined> {
  const good = new Set<Tensor>();
  let [bad] = await tried(thinned(roots, roots.length), probe, good);
  while (bad) {
    // Everything before the bad value that is not known to be good, in the order of the computation.
    const before = topological([bad]).filter((t) => t !== bad && computes(t) && !good.has(t));
    if (before.length === 0) return bad;
    const [earlier] = await tried(thinned(before, atOnce), probe, good);
    if (earlier) bad = earlier;
  }
  return undefined;
}

/** Views, sources and integers make nothing that is not finite. */
function computes({ op, dtype }: Tensor): boolean {
  return isFloat(dtype) && op.kind !== 'view' && op.kind !== 'source';
}

/** At most `count` of them, evenly chosen. */
function thinned(all: readonly Tensor[], count: number): Tensor[] {
  if (all.length <= count) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor(((i + 1) * all.length) / count) - 1]!);
}

/** Those that are not finite, in order; the others are put into `good`. */
async function tried(values: readonly Tensor[], probe: Probe, good: Set<Tensor>): Promise<Tensor[]> {
  const bad: Tensor[] = [];
  for (let from = 0; from < values.length; from += atOnce) {
    const some = values.slice(from, from + atOnce);
    const outputs = Object.fromEntries(some.map((t, i) => [`bad.${i}`, isBad(t)]));
    const results = await probe(graph('probe', { outputs }));
    some.forEach((t, i) => {
      if (results[`bad.${i}`]!.data[0] === 0) good.add(t);
      else bad.push(t);
    });
    if (bad.length > 0) break;
  }
  return bad;
}

/** 1 if an element is NaN or infinite, else 0. */
function isBad(x: Tensor): Tensor {
  const flags = where(lessEqual(abs(x), 3.4028234663852886e38), full([], 0), full([], 1)) as Tensor;
  return flags.shape.length === 0 ? flags : (max(flags) as Tensor);
}

function describe(bad: Tensor, pass: Anomaly['pass']): Anomaly {
  const near = nearestParameter(bad);
  return { value: String(bad), operands: bad.inputs.map(String), parameter: near && sourceName(near), pass };
}

/** The state that is reached first, going from operand to operand. */
function nearestParameter(from: Tensor): Tensor | undefined {
  const seen = new Set<Tensor>([from]);
  for (const t of seen) {
    if (t.op === stateOp && isFloat(t.dtype)) return t;
    t.inputs.forEach((x) => seen.add(x));
  }
  return undefined;
}
