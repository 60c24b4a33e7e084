/** The reference evaluator: slow, derived from the rows alone, and the meaning that everything compiled is held against. */
import type { Data, DType } from './dtype.ts';
import { dataFor, decoder, encoder, holds } from './dtype.ts';
import { GraphError, ShapeError } from './errors.ts';
import type { Expr } from './expr.ts';
import { constant, dtypeOf, variable } from './expr.ts';
import type { Graph, TensorData } from './graph.ts';
import { bindSizes, graphLimits, graphRoots, sourceName, topological } from './graph.ts';
import type { Sizes, Value } from './op.ts';
import { inputOp, stateOp } from './ops/source.ts';
import { scalarFunction } from './scalar.ts';
import { dimNames, flatIndex, shapeSize } from './shape.ts';
import type { Tensor } from './tensor.ts';

type Env = Float64Array;
type Compiled = (env: Env) => number;

/** Turns an expression into a function of an environment: one slot per variable name. */
function compileExpr(expr: Expr, slots: ReadonlyMap<string, number>): Compiled {
  const seen = new Map<Expr, Compiled>();
  const go = (x: Expr): Compiled => {
    const known = seen.get(x);
    if (known) return known;
    let out: Compiled;
    if (x.k === 'const') {
      const { value } = x;
      out = () => value;
    } else if (x.k === 'var') {
      const slot = slots.get(x.name);
      if (slot === undefined) throw new GraphError(`expression uses the unknown name '${x.name}'`);
      out = (env) => env[slot]!;
    } else {
      const f = scalarFunction(x.op, dtypeOf(x.op === 'select' ? x.args[1]! : x.args[0]!), x.dtype);
      const [a, b, c] = x.args.map(go);
      out = c ? (env) => f(a!(env), b!(env), c(env)) : b ? (env) => f(a!(env), b(env), 0) : (env) => f(a!(env), 0, 0);
    }
    seen.set(x, out);
    return out;
  };
  return go(expr);
}

/** Calls `visit` for each index of a shape in row-major order, with the index in the first slots of `env`. */
function each(shape: readonly number[], env: Env, visit: (flat: number) => void): void {
  const total = shape.reduce((a, b) => a * b, 1);
  const rank = shape.length;
  env.fill(0, 0, rank);
  for (let flat = 0; flat < total; flat++) {
    visit(flat);
    for (let d = rank - 1; d >= 0 && ++env[d]! >= shape[d]!; d--) env[d] = 0;
  }
}

class Run {
  readonly sizes: Sizes;
  readonly values = new Map<Tensor, Value>();
  readonly names: string[];

  constructor(sizes: Sizes) {
    this.sizes = sizes;
    this.names = Object.keys(sizes);
  }

  /** Slots: `rank` positions, then the run-time sizes, then `extra` further names. */
  scope(
    rank: number,
    extra: readonly string[] = [],
  ): { at: Expr[]; env: Env; compile: (x: Expr) => Compiled; extra: number } {
    const slots = new Map<string, number>();
    const at = Array.from({ length: rank }, (_, i) => {
      slots.set(`@${i}`, i);
      return variable(`@${i}`) as Expr;
    });
    this.names.forEach((n, i) => slots.set(n, rank + i));
    const first = rank + this.names.length;
    extra.forEach((n, i) => slots.set(n, first + i));
    const env = new Float64Array(first + extra.length);
    this.names.forEach((n, i) => {
      env[rank + i] = this.sizes[n]!;
    });
    return { at, env, compile: (x) => compileExpr(x, slots), extra: first };
  }

  evaluate(t: Tensor): Data {
    const shape = shapeSize(t.shape, this.sizes);
    const args = t.inputs.map((x) => this.values.get(x)!);
    const { op } = t;
    const out = dataFor(
      t.dtype,
      shape.reduce((a, b) => a * b, 1),
    );
    const put = encoder(t.dtype);
    switch (op.kind) {
      case 'map': {
        const names = args.map((_, i) => `#${i}`);
        const s = this.scope(shape.length, names);
        const value = s.compile(
          op.scalar(
            args.map((a, i) => variable(names[i]!, a.dtype)),
            t.attrs,
          ),
        );
        const reads = args.map((a) =>
          this.reader(
            a,
            s,
            s.at.slice(s.at.length - a.shape.length).map((x, d) => (a.shape[d] === 1 ? zero : x)),
          ),
        );
        each(shape, s.env, (flat) => {
          reads.forEach((read, i) => {
            s.env[s.extra + i] = read(s.env);
          });
          out[flat] = put(value(s.env));
        });
        return out;
      }
      case 'source': {
        if (!op.value) return (t.attrs as { data: Data }).data;
        const s = this.scope(shape.length);
        const value = s.compile(op.value(s.at, t));
        each(shape, s.env, (flat) => {
          out[flat] = put(value(s.env));
        });
        return out;
      }
      case 'random': {
        const s = this.scope(shape.length, ['#0', '#1']);
        const value = s.compile(
          op.value(flatIndex(t.shape, s.at), [variable('#0', 'u32'), variable('#1', 'u32')], t.attrs),
        );
        [s.env[s.extra], s.env[s.extra + 1]] = [args[0]!.data[0]!, args[0]!.data[1]!];
        each(shape, s.env, (flat) => {
          out[flat] = put(value(s.env));
        });
        return out;
      }
      case 'view': {
        const s = this.scope(shape.length);
        const parts = op.index(s.at, t).map((view, i) => ({
          read: this.reader(args[i]!, s, view.at),
          when: view.when ? s.compile(view.when) : () => 1,
        }));
        each(shape, s.env, (flat) => {
          const part = parts.find((p) => p.when(s.env) !== 0);
          out[flat] = part ? put(part.read(s.env)) : 0;
        });
        return out;
      }
      case 'reduce': {
        const { axes } = t.attrs as { axes: readonly number[] };
        const [x] = args as [Value];
        const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
        const s = this.scope(x.shape.length, ['#0', '#1']);
        const combine = s.compile(op.combine(variable('#0', t.dtype), variable('#1', t.dtype)));
        const to = s.compile(
          flatIndex(
            kept.map((i) => x.shape[i]!),
            kept.map((i) => s.at[i]!),
          ),
        );
        const get = decoder(x.dtype);
        // Sums are kept in double precision and rounded once.
        const sums = new Float64Array(out.length).fill(op.init(t.dtype));
        const exactSum = op.name === 'reduceSum' && t.dtype === 'f32';
        each(x.shape, s.env, (flat) => {
          const i = to(s.env);
          const value = get(x.data[flat]!);
          if (exactSum) {
            sums[i]! += value;
            return;
          }
          [s.env[s.extra], s.env[s.extra + 1]] = [sums[i]!, value];
          sums[i] = combine(s.env);
        });
        sums.forEach((v, i) => {
          out[i] = put(v);
        });
        return out;
      }
      default:
        return op.evaluate(t, args, shape, this.sizes);
    }
  }

  reader(value: Value, s: { compile: (x: Expr) => Compiled }, at: readonly Expr[]): Compiled {
    const index = s.compile(flatIndex(value.shape, at));
    const get = decoder(value.dtype);
    return (env) => get(value.data[index(env)]!);
  }
}
const zero = constant(0);

/** What a run of the evaluator gives. */
export interface Evaluated {
  readonly outputs: Readonly<Record<string, TensorData>>;
  /** State after the run: the updates. */
  readonly updates: Readonly<Record<string, TensorData>>;
}

/**
 * Runs a graph on plain data. `inputs` and `state` are by name, with the shapes of this run; `sizes` gives the
 * run-time sizes that no input or state shows.
 */
export function evaluate(
  g: Graph,
  inputs: Readonly<Record<string, TensorData>> = {},
  state: Readonly<Record<string, TensorData>> = {},
  sizes: Sizes = {},
): Evaluated {
  const known = bindSizes(g.state, state, { what: 'state', known: bindSizes(g.inputs, inputs, { known: sizes }) });
  for (const [what, expected, given] of [
    ['input', g.inputs, inputs],
    ['state', g.state, state],
  ] as const) {
    for (const [name, { dtype }] of Object.entries(expected)) {
      if (!holds(given[name]!.data, dtype))
        throw new ShapeError(`${what} '${name}' wants ${dtype}, got a ${given[name]!.data.constructor.name}`);
    }
  }
  for (const [name, limit] of Object.entries(graphLimits(g))) {
    if (known[name]! > limit)
      throw new ShapeError(`evaluate '${g.name}': '${name}' is ${known[name]}, but is cut from an axis of ${limit}`);
  }
  const run = new Run(known);
  const roots = graphRoots(g);
  for (const t of topological(roots)) {
    for (const d of t.shape)
      for (const n of dimNames(d))
        if (run.sizes[n] === undefined)
          throw new GraphError(`evaluate '${g.name}': the size '${n}' is not given by any input; pass it in sizes`);
    const shape = shapeSize(t.shape, run.sizes);
    const data =
      t.op === inputOp ? inputs[sourceName(t)]!.data : t.op === stateOp ? state[sourceName(t)]!.data : run.evaluate(t);
    run.values.set(t, { data, shape, dtype: t.dtype as DType });
  }
  const pick = (record: Graph['outputs']): Record<string, TensorData> =>
    Object.fromEntries(
      Object.entries(record).map(([name, t]) => [
        name,
        { data: run.values.get(t)!.data, shape: run.values.get(t)!.shape },
      ]),
    );
  return { outputs: pick(g.outputs), updates: pick(g.updates) };
}
