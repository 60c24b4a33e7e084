/** A graph: four records of tensors, and the iterative walk over what they are made of. */
import type { Data, DType } from './dtype.ts';
import { GraphError, ShapeError } from './errors.ts';
import { inputOp, stateOp } from './ops/source.ts';
import { sliceOp } from './ops/view.ts';
import type { Dim, Shape } from './shape.ts';
import { dimNames, dimSize, sameShape, showShape } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** A named record of tensors. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A whole computation. `updates` says "after the run, this state holds that tensor"; nothing else mutates. */
export interface Graph {
  readonly name: string;
  readonly inputs: Tensors;
  readonly state: Tensors;
  readonly outputs: Tensors;
  readonly updates: Tensors;
}

/** All tensors that `roots` are made of, each after its operands. Iterative: depth is no limit. */
export function topological(roots: Iterable<Tensor>): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  for (const root of roots) {
    const stack: { tensor: Tensor; next: number }[] = [];
    const enter = (t: Tensor): void => {
      if (seen.has(t)) return;
      seen.add(t);
      stack.push({ tensor: t, next: 0 });
    };
    enter(root);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const operand = top.tensor.inputs[top.next++];
      if (operand) enter(operand);
      else {
        order.push(top.tensor);
        stack.pop();
      }
    }
  }
  return order;
}

/** The name of an input or state. */
export function sourceName(t: Tensor): string {
  return (t.attrs as { name: string }).name;
}

/**
 * Closes a computation into a graph. Inputs and state are found by walking from the outputs and updates; two
 * different sources of one name, and an update whose type is not that of its state, are `GraphError`s.
 */
export function graph(name: string, parts: { readonly outputs?: Tensors; readonly updates?: Tensors }): Graph {
  const { outputs = {}, updates = {} } = parts;
  const inputs = new Map<string, Tensor>();
  const state = new Map<string, Tensor>();
  for (const t of topological([...Object.values(outputs), ...Object.values(updates)])) {
    const record = t.op === inputOp ? inputs : t.op === stateOp ? state : undefined;
    if (!record) continue;
    const key = sourceName(t);
    const known = record.get(key);
    if (known && (known.dtype !== t.dtype || !sameShape(known.shape, t.shape))) {
      throw new GraphError(
        `graph '${name}': ${t.op.name} '${key}' is used as ${known.dtype}${showShape(known.shape)} and as ${t.dtype}${showShape(t.shape)}; give one of them another name`,
      );
    }
    if (!known) record.set(key, t);
  }
  for (const [key, value] of Object.entries(updates)) {
    const target = state.get(key);
    if (!target)
      throw new GraphError(
        `graph '${name}': update of '${key}', but no such state is read; known: ${[...state.keys()].join(', ') || '(none)'}`,
      );
    if (target.dtype !== value.dtype || !sameShape(target.shape, value.shape)) {
      throw new ShapeError(
        `graph '${name}': state '${key}' is ${target.dtype}${showShape(target.shape)}, its update is ${value.dtype}${showShape(value.shape)}`,
      );
    }
  }
  return { name, inputs: Object.fromEntries(inputs), state: Object.fromEntries(state), outputs, updates };
}

/** The names of all run-time sizes in a graph, sorted. */
export function graphDims(g: Graph): string[] {
  const names = new Set<string>();
  for (const t of topological(graphRoots(g))) for (const d of t.shape) dimNames(d).forEach((n) => names.add(n));
  return [...names].sort();
}

/** The largest value of each run-time size that is limited by what it is cut from: a slice takes no more than its axis has. */
export function graphLimits(g: Graph): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const t of topological(graphRoots(g))) {
    if (t.op !== sliceOp) continue;
    t.shape.forEach((size, axis) => {
      const whole = t.inputs[0]!.shape[axis];
      if (typeof size === 'string' && typeof whole === 'number')
        limits[size] = Math.min(limits[size] ?? Infinity, whole);
    });
  }
  return limits;
}

/** What a graph computes: outputs, then updates. */
export function graphRoots(g: Graph): Tensor[] {
  return [...Object.values(g.outputs), ...Object.values(g.updates)];
}

/** A thing with a shape and a dtype, as inputs are checked against. */
export interface Expected {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Data handed in for an input: elements, and the shape where it is not implied by the sizes known so far. */
export interface TensorData {
  readonly data: Data;
  readonly shape: readonly number[];
}

/**
 * Finds the run-time sizes from the shapes of the data handed in, beside those already `known`; a `ShapeError` names
 * what does not agree. `what` is the word for one of them.
 */
export function bindSizes(
  expected: Readonly<Record<string, Expected>>,
  given: Readonly<Record<string, TensorData>>,
  options: { readonly what?: string; readonly known?: Readonly<Record<string, number>> } = {},
): Record<string, number> {
  const { what = 'input', known = {} } = options;
  const sizes: Record<string, number> = { ...known };
  const from: Record<string, string> = {};
  const names = (record: object): string => Object.keys(record).join(', ') || '(none)';
  const check = (
    name: string,
    visit: (dim: Dim, size: number, fail: (why: string) => never, axis: number) => void,
  ): void => {
    const [want, got] = [expected[name]!, given[name]!];
    const fail = (why: string): never => {
      throw new ShapeError(
        `${what} '${name}' is ${want.dtype}${showShape(want.shape)}, got ${showShape(got.shape)}: ${why}`,
      );
    };
    if (got.shape.length !== want.shape.length) fail(`the rank must be ${want.shape.length}`);
    const count = got.shape.reduce((a, b) => a * b, 1);
    if (got.data.length !== count) fail(`the shape has ${count} elements, the data ${got.data.length}`);
    want.shape.forEach((d, axis) => {
      visit(d, got.shape[axis]!, fail, axis);
    });
  };
  for (const [name, want] of Object.entries(expected)) {
    if (!Object.hasOwn(given, name))
      throw new ShapeError(
        `${what} '${name}' is missing: ${want.dtype}${showShape(want.shape)}; given: ${names(given)}`,
      );
    check(name, (d, size, fail, axis) => {
      if (typeof d === 'number') {
        if (d !== size) fail(`axis ${axis} must be ${d}`);
      } else if (dimNames(d)[0] === d) {
        if (sizes[d] !== undefined && sizes[d] !== size)
          fail(`'${d}' is ${sizes[d]}${from[d] === undefined ? '' : ` in ${what} '${from[d]}'`}`);
        sizes[d] = size;
        from[d] ??= name;
      }
    });
  }
  // Sums and products of names give no size, but must agree with those that are known by now.
  for (const name of Object.keys(expected)) {
    check(name, (d, size, fail) => {
      if (dimNames(d).every((n) => sizes[n] !== undefined) && dimSize(d, sizes) !== size)
        fail(`'${d}' must be ${dimSize(d, sizes)}`);
    });
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(expected, name))
      throw new ShapeError(`there is no ${what} '${name}'; there are: ${names(expected)}`);
  }
  return sizes;
}
