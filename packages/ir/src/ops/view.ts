/** The rows of kind view: index maps. A view is never an object and never a copy. */
import { ShapeError } from '../errors.ts';
import type { Expr } from '../expr.ts';
import { constant, e } from '../expr.ts';
import type { ViewOp } from '../op.ts';
import type { Dim, Shape } from '../shape.ts';
import {
  broadcastIndex,
  broadcastShapes,
  dimExcess,
  dimExpr,
  dimNames,
  dimProduct,
  dimSum,
  flatIndex,
  sameShape,
  showShape,
  unflatten,
} from '../shape.ts';
import { Tensor } from '../tensor.ts';
import { reduceSum } from './reduce.ts';

const attrsOf = <A>(node: Tensor): A => node.attrs as A;

/** The same elements in row-major order under another shape. */
export const reshapeOp: ViewOp<{ readonly shape: Shape }> = {
  name: 'reshape',
  kind: 'view',
  infer([x], { shape }) {
    const [from, to] = [dimProduct(x!.shape), dimProduct(shape)];
    if (from !== to)
      throw new ShapeError(`reshape: ${showShape(x!.shape)} has ${from} elements, ${showShape(shape)} has ${to}`);
    return { shape, dtype: x!.dtype };
  },
  index: (out, node) => [{ at: reshapeIndex(node.inputs[0]!.shape, node.shape, out) }],
  vjp: (n, g) => [reshape(g, n.inputs[0]!.shape)],
};

/** Axes that both shapes share at the front are passed through, so that names never meet `div`. */
function reshapeIndex(from: Shape, to: Shape, out: readonly Expr[]): Expr[] {
  let same = 0;
  while (same < from.length && same < to.length && from[same] === to[same]) same++;
  return [...out.slice(0, same), ...unflatten(from.slice(same), flatIndex(to.slice(same), out.slice(same)))];
}

/** Axes in another order: axis `i` of the result is axis `perm[i]` of the operand. */
export const transposeOp: ViewOp<{ readonly perm: readonly number[] }> = {
  name: 'transpose',
  kind: 'view',
  infer([x], { perm }) {
    if ([...perm].sort((a, b) => a - b).some((p, i) => p !== i) || perm.length !== x!.shape.length) {
      throw new ShapeError(
        `transpose: [${perm.join(', ')}] is not a permutation of the ${x!.shape.length} axes of ${showShape(x!.shape)}`,
      );
    }
    return { shape: perm.map((p) => x!.shape[p]!), dtype: x!.dtype };
  },
  index: (out, node) => [{ at: inverse(attrsOf<{ perm: number[] }>(node).perm).map((p) => out[p]!) }],
  vjp: (n, g) => [transpose(g, inverse(attrsOf<{ perm: number[] }>(n).perm))],
};
function inverse(perm: readonly number[]): number[] {
  const out: number[] = [];
  perm.forEach((p, i) => {
    out[p] = i;
  });
  return out;
}

/** Repeated along new axes and along axes of size 1. */
export const broadcastOp: ViewOp<{ readonly shape: Shape }> = {
  name: 'broadcastTo',
  kind: 'view',
  infer([x], { shape }) {
    if (!sameShape(broadcastShapes('broadcastTo', [x!.shape, shape]), shape)) {
      throw new ShapeError(`broadcastTo: ${showShape(x!.shape)} does not broadcast to ${showShape(shape)}`);
    }
    return { shape, dtype: x!.dtype };
  },
  index: (out, node) => [{ at: broadcastIndex(node.inputs[0]!.shape, out) }],
  vjp: (_, g) => [g],
};

/** Whether `size` is a run-time size of its own that an axis of `d` elements limits, see `graphLimits`. */
function isPrefix(size: Dim, d: Dim): boolean {
  return typeof d === 'number' && dimNames(size)[0] === size;
}

/** The elements from `starts` (inclusive) to `ends` (exclusive) by `steps` (≥ 1) along each axis. */
export const sliceOp: ViewOp<{
  readonly starts: readonly number[];
  readonly sizes: Shape;
  readonly steps: readonly number[];
}> = {
  name: 'slice',
  kind: 'view',
  infer([x], { starts, sizes, steps }) {
    const { shape, dtype } = x!;
    if (starts.length !== shape.length || sizes.length !== shape.length || steps.length !== shape.length) {
      throw new ShapeError(
        `slice: ${showShape(shape)} needs a start, size and step for each of its ${shape.length} axes`,
      );
    }
    shape.forEach((d, i) => {
      const [start, size, step] = [starts[i]!, sizes[i]!, steps[i]!];
      const whole = size === d && start === 0 && step === 1;
      const inside =
        start >= 0 &&
        step >= 1 &&
        (typeof size === 'string'
          ? step === 1 && (dimExcess(d, size) >= start || (start === 0 && isPrefix(size, d)))
          : typeof d === 'string' || size === 0 || start + (size - 1) * step < d);
      if (!whole && !inside)
        throw new ShapeError(
          `slice: ${size} elements from ${start} by ${step} do not lie in axis ${i} of ${showShape(shape)}`,
        );
    });
    return { shape: sizes, dtype };
  },
  index: (out, node) => {
    const { starts, steps } = attrsOf<{ starts: number[]; steps: number[] }>(node);
    return [{ at: out.map((x, i) => e.add(e.mul(x, constant(steps[i]!)), constant(starts[i]!))) }];
  },
  vjp: (n, g) => {
    const { starts, steps } = attrsOf<{ starts: number[]; steps: number[] }>(n);
    return [Tensor.make(unsliceOp, [g], { starts, steps, shape: n.inputs[0]!.shape })];
  },
};

/** The inverse of a slice: elements put at `starts` by `steps` into zeros of `shape`. `pad` is this with steps of 1. */
export const unsliceOp: ViewOp<{
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly shape: Shape;
}> = {
  name: 'unslice',
  kind: 'view',
  infer: ([x], { shape }) => ({ shape, dtype: x!.dtype }),
  index: (out, node) => {
    const { starts, steps } = attrsOf<{ starts: number[]; steps: number[] }>(node);
    const { shape } = node.inputs[0]!;
    let when: Expr | undefined;
    const need = (c: Expr): void => {
      when = when ? e.and(when, c) : c;
    };
    const at = out.map((x, i) => {
      const [start, step] = [constant(starts[i]!), steps[i]!];
      const size = dimExpr(shape[i]!);
      if (starts[i] === 0 && step === 1 && shape[i] === node.shape[i]) return x;
      const offset = e.sub(x, start);
      need(e.le(start, x));
      need(e.lt(offset, e.mul(size, constant(step))));
      if (step === 1) return offset;
      need(e.eq(e.mod(offset, constant(step)), constant(0)));
      return e.div(offset, constant(step));
    });
    return [when ? { at, when } : { at }];
  },
  vjp: (n, g) => {
    const { starts, steps } = attrsOf<{ starts: number[]; steps: number[] }>(n);
    return [Tensor.make(sliceOp, [g], { starts, steps, sizes: n.inputs[0]!.shape })];
  },
};

/** Operands one after the other along an axis. */
export const concatOp: ViewOp<{ readonly axis: number }> = {
  name: 'concat',
  kind: 'view',
  infer(inputs, { axis }) {
    const first = inputs[0];
    if (!first) throw new ShapeError('concat: needs at least one operand');
    for (const x of inputs) {
      const fits =
        x.dtype === first.dtype &&
        x.shape.length === first.shape.length &&
        x.shape.every((d, i) => i === axis || d === first.shape[i]);
      if (!fits)
        throw new ShapeError(
          `concat: ${inputs.map((t) => `${t.dtype}${showShape(t.shape)}`).join(', ')} differ outside of axis ${axis}`,
        );
    }
    return {
      shape: first.shape.map((d, i) => (i === axis ? dimSum(inputs.map((x) => x.shape[i]!)) : d)),
      dtype: first.dtype,
    };
  },
  index: (out, node) => {
    const { axis } = attrsOf<{ axis: number }>(node);
    let start: Expr = constant(0);
    return node.inputs.map((x) => {
      const size = dimExpr(x.shape[axis]!);
      const offset = e.sub(out[axis]!, start);
      const when = e.and(e.le(start, out[axis]!), e.lt(offset, size));
      start = e.add(start, size);
      return { at: out.map((o, i) => (i === axis ? offset : o)), when };
    });
  },
  vjp: (n, g) => {
    const { axis } = attrsOf<{ axis: number }>(n);
    let start: Dim = 0;
    return n.inputs.map((x) => {
      if (typeof start !== 'number')
        throw new ShapeError(
          `concat: no gradient of what stands behind the run-time size '${start}' in axis ${axis}; fix the size, put it last, or stack along another axis`,
        );
      const first = start;
      const part = Tensor.make(sliceOp, [g], {
        starts: x.shape.map((_, i) => (i === axis ? first : 0)),
        sizes: x.shape,
        steps: x.shape.map(() => 1),
      });
      start = dimSum([start, x.shape[axis]!]);
      return part;
    });
  },
};

/** Elements in reverse order along some axes. */
export const flipOp: ViewOp<{ readonly axes: readonly number[] }> = {
  name: 'flip',
  kind: 'view',
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  index: (out, node) => {
    const { axes } = attrsOf<{ axes: number[] }>(node);
    return [{ at: out.map((x, i) => (axes.includes(i) ? e.sub(e.sub(dimExpr(node.shape[i]!), constant(1)), x) : x)) }];
  },
  vjp: (n, g) => [Tensor.make(flipOp, [g], attrsOf(n))],
};

/** Same elements, other shape. */
export function reshape<const S extends Shape>(x: Tensor, shape: S): Tensor<S> {
  return (sameShape(x.shape, shape) ? x : Tensor.make(reshapeOp, [x], { shape })) as Tensor<S>;
}
/** Axes reordered. */
export function transpose(x: Tensor, perm: readonly number[]): Tensor {
  return perm.length === x.shape.length && perm.every((p, i) => p === i) ? x : Tensor.make(transposeOp, [x], { perm });
}
/** Repeated to a shape. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : Tensor.make(broadcastOp, [x], { shape });
}
/** Summed back to the shape that was broadcast: the transpose of {@link broadcastTo}. */
export function unbroadcast(x: Tensor, shape: Shape): Tensor {
  const skip = x.shape.length - shape.length;
  const axes = x.shape.flatMap((d: Dim, i) => (i < skip || (shape[i - skip] === 1 && d !== 1) ? [i] : []));
  return reshape(axes.length === 0 ? x : Tensor.make(reduceSum, [x], { axes }), shape);
}
