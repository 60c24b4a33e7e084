/**
 * Integrated gradients (Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks"): how much each token moves a score, added up along the straight
 * path from embeddings that say nothing to those of the text. What tokens get adds up to the difference of the scores at both ends.
 */
import {
  add,
  gather,
  gradients,
  graph,
  input,
  iota,
  equal,
  mul,
  sub,
  sum,
  topological,
  where,
  full,
  and,
} from '@sinter/ir';
import type { Graph, Shape, Tensor, TensorData } from '@sinter/ir';
import type { Backend } from '@sinter/compiler';
import type { ModelOutputs } from '../architecture.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import { edited } from './edit.ts';
import { ask } from './programs.ts';
import { built, namesOf } from './trace.ts';

type Ids = Tensor<Shape, 'i32'>;

/** What is explained. */
export interface Path {
  /** One text, `[1, seq]`. */
  readonly inputs: ModelData;
  /** The tokens that the path begins with; `undefined`: embeddings of 0. */
  readonly baseline: Int32Array | undefined;
  /** The column of the logits. */
  readonly target: number;
  /** The token whose logits they are, where each has some. */
  readonly position: number;
  /** At how many places of the path gradients are taken. */
  readonly steps: number;
  readonly backend?: Backend | undefined;
}

/** What tokens get, and the scores at the ends. */
export interface Integrated {
  readonly scores: number[];
  readonly value: number;
  readonly baseline: number;
}

/** How many places of the path are computed at a time. */
const chunk = 16;

/** Integrates by the rule of Gauss and Legendre, which needs few steps. @throws ConfigError for a model without `logits` of embedded `input_ids` */
export async function integrate<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  { inputs, baseline, target, position, steps, backend }: Path,
): Promise<Integrated> {
  const names = namesOf(model, inputs);
  const length = inputs['input_ids']!.data.length;
  const places = [{ at: 1, weight: 0 }, { at: 0, weight: 0 }, ...gaussLegendre(steps)];
  const scores = new Float64Array(length);
  const values: number[] = [];
  for (let from = 0; from < places.length; from += chunk) {
    const some = places.slice(from, from + chunk);
    const rows = some.length;
    const repeated = (data: Int32Array): TensorData => ({
      data: Int32Array.from({ length: rows * length }, (_, i) => data[i % length]!),
      shape: [rows, length],
    });
    const { attributions, score } = await ask(model, {
      backend,
      key: JSON.stringify(['integrated gradients', names, baseline === undefined]),
      graph: () => pathGraph(model, names, baseline === undefined),
      inputs: {
        ...Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, repeated(data as Int32Array)])),
        ...(baseline && { baseline_ids: repeated(baseline) }),
        at: { data: Float32Array.from(some, ({ at }) => at), shape: [rows, 1, 1] },
        target: { data: Int32Array.of(target), shape: [] },
        position: { data: Int32Array.of(position), shape: [] },
      },
    });
    values.push(...score!.data);
    some.forEach(({ weight }, row) => {
      for (let i = 0; i < length; i++) scores[i]! += weight * attributions!.data[row * length + i]!;
    });
  }
  return { scores: [...scores], value: values[0]!, baseline: values[1]! };
}

/** For places `at` on the path: the score, and the product of its gradient with the way, of each token. */
function pathGraph<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  names: readonly string[],
  fromZero: boolean,
): Graph {
  const { made } = built(model, names);
  const logits = made['logits'];
  const embedded = logits && topological([logits]).find(isEmbedding);
  if (!logits || !embedded)
    throw new ConfigError(
      `${model.architecture.name} cannot be explained by integrated gradients: that wants logits, and input_ids that are embedded`,
    );
  const [table] = embedded.inputs as [Tensor];
  const start = fromZero
    ? (full([], 0) as Tensor)
    : gather(table, input('baseline_ids', ['batch', 'seq'], 'i32') as Ids);
  const way = sub(embedded, start) as Tensor;
  const point = add(start, mul(way, input('at', ['batch', 1, 1]))) as Tensor;
  const [moved] = edited([logits], new Map([[embedded, () => point]])) as [Tensor];
  const score = scoreOf(moved);
  const [slope] = gradients(sum(score) as Tensor, [point]) as readonly Tensor[] as [Tensor];
  return graph(`${model.architecture.name} along a path`, {
    outputs: { score, attributions: sum(mul(slope, way) as Tensor, { axes: 2 }) },
  });
}

/** Whether a tensor is the table of words at the tokens of the text. */
function isEmbedding({ op, inputs }: Tensor): boolean {
  const ids = inputs[1];
  return op.name === 'gather' && ids?.op.name === 'input' && (ids.attrs as { name: string }).name === 'input_ids';
}

/** `[batch]`: the logit of `target`, of the token at `position` where each has some. */
function scoreOf(logits: Tensor): Tensor {
  const { shape } = logits;
  const last = shape.length - 1;
  const isTarget = equal(iota(shape, last), input('target', [], 'i32') as Ids) as Tensor<Shape, 'bool'>;
  const isThere = last === 2 ? equal(iota(shape, 1), input('position', [], 'i32') as Ids) : undefined;
  const hit = (isThere ? and(isTarget, isThere as typeof isTarget) : isTarget) as typeof isTarget;
  return sum(where(hit, logits, full([], 0) as Tensor) as Tensor, { axes: shape.slice(1).map((_, i) => i + 1) });
}

/** Places in [0, 1] and their weights: exact for polynomials of degree 2 · `count` − 1. Roots by Newton's method. */
export function gaussLegendre(count: number): { readonly at: number; readonly weight: number }[] {
  return Array.from({ length: count }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    let slope = 0;
    for (let round = 0; round < 100; round++) {
      let [before, now] = [0, 1];
      for (let n = 1; n <= count; n++) [before, now] = [now, ((2 * n - 1) * x * now - (n - 1) * before) / n];
      slope = (count * (x * now - before)) / (x * x - 1);
      const step = now / slope;
      x -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    return { at: (1 - x) / 2, weight: 1 / ((1 - x * x) * slope * slope) };
  });
}
