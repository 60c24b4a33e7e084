/**
 * Random graphs for fast-check. A graph is drawn as a recipe, a list of small numbers that is read as "this op on those
 * of the tensors so far", so that every recipe is a valid graph and shrinks to a small one.
 *
 * Values stay tame: of every tensor a bound of its elements is known, and what grows too large is scaled down. Ops that
 * jump (comparisons, floor) are only applied to tensors that are exact, which no rounding of a backend can move.
 */
import type { Graph, Shape, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import fc from 'fast-check';
import { noise } from './data.ts';

/** A random graph and what to run it on. */
export interface RandomGraph {
  readonly graph: Graph;
  /** Values of its run-time sizes, each a few times: one program serves them all. */
  readonly runs: readonly {
    readonly sizes: Readonly<Record<string, number>>;
    readonly inputs: Readonly<Record<string, TensorData>>;
  }[];
  readonly state: Readonly<Record<string, TensorData>>;
}

/** One step: which op, and numbers from which it takes operands, axes and sizes. */
type Step = readonly [op: number, a: number, b: number, c: number];
interface Recipe {
  readonly steps: readonly Step[];
  readonly shapes: readonly number[];
  readonly sizes: readonly (readonly [number, number])[];
  readonly outputs: number;
  readonly updates: boolean;
  readonly gradient: boolean;
  readonly seed: number;
}

/** A tensor of the pool: how large its elements may be, whether they are free of rounding, and whether small changes of its operands change it little and smoothly. */
interface Made {
  readonly t: Tensor;
  readonly bound: number;
  readonly exact: boolean;
  readonly smooth: boolean;
}

const extents: readonly (number | string)[] = [1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 17, 'n', 'm', 'n'];
const sizesOfNames = [1, 2, 3, 5, 7, 8, 11, 16, 17, 33] as const;
const maxElements = 4000;
/** The largest that names are taken to be where elements are counted. */
const usual = 17;

/** The arbitrary: graphs of 3 to 25 steps. */
export function randomGraph(): fc.Arbitrary<RandomGraph> {
  const small = fc.nat({ max: 255 });
  const recipe: fc.Arbitrary<Recipe> = fc.record({
    steps: fc.array(fc.tuple(small, small, small, small), { minLength: 3, maxLength: 25, size: 'max' }),
    shapes: fc.array(small, { minLength: 9, maxLength: 9 }),
    sizes: fc.array(fc.tuple(fc.nat({ max: sizesOfNames.length - 1 }), fc.nat({ max: sizesOfNames.length - 1 })), {
      minLength: 1,
      maxLength: 3,
    }),
    outputs: small,
    updates: fc.boolean(),
    gradient: fc.boolean(),
    seed: small,
  });
  return recipe.map(build);
}

const count = (shape: Shape): number => shape.reduce<number>((n, d) => n * ir.dimSize(d, { n: usual, m: usual }), 1);
const pick = <T>(list: readonly T[], at: number): T => list[at % list.length]!;
/** Bits of a number, as choices. */
const bit = (value: number, at: number): boolean => ((value >> at) & 1) === 1;

function build(recipe: Recipe): RandomGraph {
  const pool: Made[] = [];
  const give = (t: Tensor, bound: number, from: readonly Made[], { smooth = true, exact = false } = {}): void => {
    if (
      count(t.shape) > maxElements ||
      t.shape.length > 5 ||
      t.shape.some((d) => typeof d === 'string' && d.length > 12)
    )
      return;
    const made = {
      t,
      bound,
      smooth: smooth && from.every((x) => x.smooth),
      exact: exact && from.every((x) => x.exact),
    };
    // A power of two: exact tensors stay exact.
    const down = 2 ** -Math.ceil(Math.log2(Math.max(1, bound / 4)));
    pool.push(down === 1 ? made : { ...made, t: ir.mul(t, down), bound: bound * down });
  };
  const leaf = (t: Tensor): void => give(t, 1, [], { exact: true });
  const s = recipe.shapes;
  const extent = (at: number): number | string => pick(extents, s[at]!);
  leaf(ir.input('x', [extent(0), extent(1)]));
  leaf(ir.input('y', [extent(1)]));
  leaf(ir.input('z', [extent(2), extent(0), extent(3)]));
  leaf(ir.input('w', [extent(3), extent(1)]));
  const numeric = [s[4]!, s[5]!].map((v) => 1 + (v % 17)) as [number, number];
  const states = [ir.state('a', numeric), ir.state('b', numeric), ir.state('c', [numeric[1]])] as const;
  for (const t of states) leaf(t);
  const ids = ir.input('ids', [pick([1, 3, 8, 'n'], s[6]!)], 'i32');

  for (const step of recipe.steps) apply(step, pool, give, ids);

  const used = new Set(pool.flatMap(({ t }) => t.inputs));
  const ends = pool.filter(({ t }) => t.op.kind !== 'source' && !used.has(t));
  const outputs: Record<string, Tensor> = Object.fromEntries(
    [...ends.slice(-4), pick(pool, recipe.outputs)].map(({ t }, i) => [`o${i}`, t]),
  );
  if (recipe.gradient) {
    const end = ends.findLast((x) => x.smooth && !x.exact && x.bound > 0);
    const wrt = pool
      .filter(({ t }) => t.op.kind === 'source' && end && ir.topological([end.t]).includes(t))
      .slice(0, 3);
    if (end)
      ir.gradients(
        ir.mean(ir.square(end.t)) as Tensor,
        wrt.map(({ t }) => t),
      ).forEach((g, i) => {
        outputs[`g${i}`] = g;
      });
  }
  const updates: Record<string, Tensor> = {};
  if (recipe.updates) {
    const shaped = (name: string, shape: Shape, at: number): void => {
      const fits = pool.filter(({ t }) => ir.sameShape(t.shape, shape));
      updates[name] = pick(fits, at).t;
    };
    shaped('a', numeric, recipe.outputs);
    shaped('b', numeric, recipe.outputs >> 1);
    shaped('c', [numeric[1]], recipe.outputs >> 2);
    // States are only part of a graph that reads them.
    for (const t of states) outputs[`old ${ir.sourceName(t)}`] = ir.max(t as ir.Tensor);
  }
  const graph = ir.graph('random', { outputs, updates });
  const valuesOf = (
    tensors: ir.Tensors,
    sizes: Readonly<Record<string, number>>,
    seed: number,
  ): Record<string, TensorData> =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, t], i) => [
        name,
        noise(ir.shapeSize(t.shape, sizes), {
          seed: seed + i,
          dtype: t.dtype,
          ...(t.dtype === 'i32' && { low: -2, high: 12 }),
        }),
      ]),
    );
  const runs = recipe.sizes.map(([n, m], i) => {
    const sizes = { n: sizesOfNames[n]!, m: sizesOfNames[m]! };
    return { sizes, inputs: valuesOf(graph.inputs, sizes, recipe.seed * 97 + i * 13) };
  });
  const out = { graph, runs, state: valuesOf(graph.state, {}, recipe.seed) };
  Object.defineProperty(out, fc.toStringMethod, {
    value: () => `${JSON.stringify(runs.map((r) => r.sizes))}\n${ir.printGraph(graph)}`,
  });
  return out;
}

type Give = (
  t: Tensor,
  bound: number,
  from: readonly Made[],
  options?: { readonly smooth?: boolean; readonly exact?: boolean },
) => void;

const smoothMaps: readonly (readonly [(x: Tensor) => Tensor, (bound: number) => number])[] = [
  [ir.tanh, () => 1],
  [ir.sin, () => 1],
  [ir.sigmoid, () => 1],
  [ir.gelu, (b) => b],
  [(x) => ir.exp(ir.neg(ir.square(x))), () => 1],
  [ir.cos, () => 1],
  [ir.erf, () => 1],
  [ir.softplus, (b) => b + 1],
  [(x) => ir.sqrt(ir.add(ir.square(x), 1)), (b) => b + 1],
  [(x) => ir.reciprocal(ir.add(ir.square(x), 1)), () => 1],
  [(x) => ir.log(ir.add(ir.abs(ir.stopGradient(x)), 1)), (b) => b],
  [ir.silu, (b) => b],
];

/** Reads one step. A step that finds no operands that fit does nothing. */
function apply([op, i, j, k]: Step, pool: readonly Made[], give: Give, ids: Tensor<Shape, 'i32'>): void {
  // Later tensors are taken more often: graphs are deep rather than wide.
  const x = bit(i, 7) ? pool[pool.length - 1 - (i % Math.min(4, pool.length))]! : pick(pool, i);
  const { t, bound } = x;
  const { shape } = t;
  const rank = shape.length;
  const fit = (test: (y: Made) => boolean): Made => pick(pool.filter(test), j);
  const broadcasts = (y: Made): boolean => {
    try {
      ir.broadcastShapes('', [shape, y.t.shape]);
      return true;
    } catch {
      return false;
    }
  };
  switch (op % 24) {
    case 0:
    case 1: {
      const [f, limit] = pick(smoothMaps, j);
      return give(f(t), limit(bound), [x]);
    }
    case 2:
      return give(
        pick([ir.neg, ir.abs, ir.relu, (v: Tensor) => ir.mul(v, 0.5), (v: Tensor) => ir.clamp(v, -0.5, 0.5)], j)(t),
        bound,
        [x],
        { exact: true, smooth: j % 5 === 0 || j % 5 === 3 },
      );
    case 3:
    case 4: {
      const y = fit(broadcasts);
      return give(ir.add(t, y.t) as Tensor, bound + y.bound, [x, y]);
    }
    case 5: {
      const y = fit(broadcasts);
      return give(ir.mul(t, y.t) as Tensor, bound * y.bound, [x, y]);
    }
    case 6: {
      const y = fit(broadcasts);
      return give((bit(k, 0) ? ir.maximum(t, y.t) : ir.minimum(t, y.t)) as Tensor, Math.max(bound, y.bound), [x, y], {
        exact: true,
        smooth: false,
      });
    }
    case 7: {
      const y = fit(broadcasts);
      return give(ir.sub(t, ir.mul(y.t, 0.25)) as Tensor, bound + y.bound, [x, y]);
    }
    case 8:
    case 9: {
      const axes = shape.flatMap((_, d) => (bit(j, d) || rank === 1 ? [d] : []));
      if (axes.length === 0) return;
      const keepdims = bit(j, 6);
      const f = pick([ir.mean, ir.max, ir.sum, ir.min, ir.mean], k);
      const small = count(shape) / Math.max(1, count(shape.filter((_, d) => !axes.includes(d))));
      return give(f(t, { axes, keepdims }) as Tensor, f === ir.sum ? bound * small : bound, [x], {
        exact: f === ir.max || f === ir.min,
        smooth: f === ir.mean || f === ir.sum,
      });
    }
    case 10:
    case 11:
    case 12: {
      // A contraction: every axis of the second operand is matched with one of the first, as batch or inner, or stands free.
      const y = fit((other) => other.t.shape.length > 0 && other.t.shape.some((d) => shape.includes(d)));
      if (!y || rank === 0 || rank > 4 || y.t.shape.length > 4) return;
      const left = [...'abcde'].slice(0, rank);
      const free = [...'vwxyz'];
      const inner = new Set<string>();
      let matched = 0;
      const right = y.t.shape.map((d) => {
        const at = shape.findIndex((e, q) => e === d && !inner.has(`${left[q]} `) && !inner.has(left[q]!));
        if (at < 0 || (matched > 1 && bit(k, 7))) return free.shift()!;
        // Marked with a space: a batch axis.
        inner.add(matched > 0 && bit(k, matched) ? `${left[at]} ` : left[at]!);
        matched++;
        return left[at]!;
      });
      const kept = [...left.filter((l) => !inner.has(l)), ...right.filter((l) => !left.includes(l))];
      const out =
        k % 3 === 0
          ? kept
          : k % 3 === 1
            ? kept.reverse()
            : kept.toSorted((a, b) => ((a.charCodeAt(0) * 7 + k) % 5) - ((b.charCodeAt(0) * 7 + k) % 5));
      const size = shape.filter((_, q) => inner.has(left[q]!));
      const scale = 2 ** -Math.floor(Math.log2(count(size)));
      const result = ir.contract(`${left.join('')},${right.join('')}->${out.join('')}`, t, y.t);
      if (count(result.shape) * count(size) > 40 * maxElements) return;
      return give(ir.mul(result, scale), bound * y.bound * 2, [x, y]);
    }
    case 13:
      return rank < 2
        ? undefined
        : give(
            ir.transpose(
              t,
              bit(j, 0) ? shape.map((_, d) => rank - 1 - d) : [rank - 1, ...shape.slice(1).map((_, d) => d)],
            ),
            bound,
            [x],
            { exact: true },
          );
    case 14: {
      if (bit(j, 0) && rank >= 2)
        return give(ir.reshape(t, [...shape.slice(0, -2), ir.dimProduct(shape.slice(-2))]), bound, [x], {
          exact: true,
        });
      const last = shape[rank - 1];
      if (bit(j, 1) && typeof last === 'number' && last % 2 === 0)
        return give(ir.reshape(t, [...shape.slice(0, -1), last / 2, 2]), bound, [x], { exact: true });
      return give(ir.expandDims(t, j % (rank + 1)), bound, [x], { exact: true });
    }
    case 15: {
      const ends = shape.map((d) => (typeof d === 'number' && d > 2 ? d - (j % 2) : undefined));
      const steps = shape.map((d, q) => (typeof d === 'number' && d > 3 ? 1 + ((k + q) % 3) : 1));
      return give(
        ir.slice(t, {
          starts: shape.map((d, q) => (typeof d === 'number' && d > 1 && bit(j, q) ? 1 : 0)),
          ends,
          steps,
        }),
        bound,
        [x],
        { exact: true },
      );
    }
    case 16:
      return give(
        ir.pad(
          t,
          shape.map((_, q) => (bit(j, q) ? 1 : 0)),
          shape.map((_, q) => (bit(k, q) ? 2 : 0)),
          bit(k, 7) ? 0.5 : 0,
        ),
        Math.max(bound, 0.5),
        [x],
        { exact: true },
      );
    case 17: {
      if (rank === 0) return;
      const axis = k % rank;
      const y = fit(
        (other) => other.t.shape.length === rank && other.t.shape.every((d, q) => q === axis || d === shape[q]),
      );
      // A gradient in a run-time size along the axis does not exist.
      return give(ir.concat(bit(k, 6) ? [t, y.t, t] : [t, y.t], axis), Math.max(bound, y.bound), [x, y], {
        exact: true,
        smooth: typeof shape[axis] === 'number' && typeof y.t.shape[axis] === 'number',
      });
    }
    case 18:
      return rank === 0
        ? undefined
        : bit(j, 0)
          ? give(ir.flip(t, [k % rank]), bound, [x], { exact: true })
          : give(ir.broadcastTo(ir.expandDims(t, 0), [pick([2, 3, 'n'], k), ...shape]), bound, [x], { exact: true });
    case 19: {
      if (rank === 0) return;
      const axis = j % rank;
      if (typeof shape[axis] === 'number' && shape[axis] < 2) return;
      return give(
        ir.windows(t, axis, {
          size: 2 + (k % 2),
          padding: 1,
          ...(typeof shape[axis] === 'number' && { stride: 1 + ((k % 3) % 2) }),
        }),
        bound,
        [x],
        { exact: true },
      );
    }
    case 20: {
      if (rank === 0) return;
      return bit(j, 0)
        ? give(ir.gather(t, ids), bound, [x], { exact: true })
        : give(ir.mul(ir.scatterAdd(ids, ir.gather(t, ids), 6), 0.125), (bound * count(ids.shape)) / 8, [x]);
    }
    case 21: {
      const exacts = pool.filter((y) => y.exact && broadcasts(y));
      const y = pick(exacts, k);
      const z = fit(broadcasts);
      if (!y) return;
      const when = pick(
        [ir.less(y.t, 0.25), ir.greaterEqual(y.t, y.t), ir.equal(ir.floor(ir.mul(y.t, 2)), 0), ir.not(ir.less(0, y.t))],
        j >> 2,
      ) as Tensor<Shape, 'bool'>;
      return broadcastsAll([shape, y.t.shape, z.t.shape])
        ? give(ir.where(when, t, z.t) as Tensor, Math.max(bound, z.bound), [{ ...x }, z], { exact: true, smooth: true })
        : undefined;
    }
    case 22: {
      if (!x.exact)
        return give(ir.softmax(rank === 0 ? ir.reshape(t, [1]) : t, rank === 0 ? 0 : bit(j, 0) ? -1 : j % rank), 1, [
          x,
        ]);
      return give(
        pick(
          [
            (v: Tensor) => ir.cast(ir.cast(ir.mul(v, 4), 'i32'), 'f32'),
            (v: Tensor) => ir.cast(ir.less(v, 0), 'f32'),
            (v: Tensor) => ir.mul(ir.floor(ir.mul(v, 4)), 0.25),
            (v: Tensor) => ir.round(ir.mul(v, 2)),
            (v: Tensor) =>
              ir.mul(ir.cast(ir.argmax(ir.reshape(v, v.shape.length === 0 ? [1] : v.shape), 0), 'f32'), 2 ** -4),
          ],
          j,
        )(t),
        bound * 4 + 1,
        [x],
        { exact: true, smooth: false },
      );
    }
    case 23: {
      if (rank === 0) return;
      return bit(j, 0)
        ? give(ir.layerNorm(t, ir.full([], 1), ir.full([], 0.5), 0.5), 5, [x])
        : give(ir.logSoftmax(ir.tanh(t)), 8, [x]);
    }
    default:
      return;
  }
}

function broadcastsAll(shapes: readonly Shape[]): boolean {
  try {
    ir.broadcastShapes('', shapes);
    return true;
  } catch {
    return false;
  }
}
