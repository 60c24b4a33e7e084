/** The rows of kind reduce: the elements along some axes combined into one. */
import type { DType } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import { e } from '../expr.ts';
import type { ReduceOp } from '../op.ts';
import { showShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';
import { cast, div, eq, where } from './map.ts';
import { full } from './source.ts';
import { broadcastTo, reshape } from './view.ts';

/** The axes that a reduction removes, ascending. */
export interface ReduceAttrs {
  readonly axes: readonly number[];
}

function row(
  name: string,
  init: ReduceOp<ReduceAttrs>['init'],
  combine: ReduceOp<ReduceAttrs>['combine'],
  vjp: ReduceOp<ReduceAttrs>['vjp'],
): ReduceOp<ReduceAttrs> {
  return {
    name,
    kind: 'reduce',
    init,
    combine,
    vjp,
    infer([x], { axes }) {
      const { shape, dtype } = x!;
      if (axes.some((a, i) => !Number.isInteger(a) || a < 0 || a >= shape.length || (i > 0 && a <= axes[i - 1]!))) {
        throw new ShapeError(
          `${name}: axes [${axes.join(', ')}] of ${showShape(shape)} must be ascending, from 0 to ${shape.length - 1}`,
        );
      }
      return { shape: shape.filter((_, i) => !axes.includes(i)), dtype };
    },
  };
}

/** A reduction's result (or its cotangent) spread over the shape that was reduced. */
function spread(node: Tensor, value: Tensor): Tensor {
  const x = node.inputs[0]!;
  const { axes } = node.attrs as ReduceAttrs;
  return broadcastTo(
    reshape(
      value,
      x.shape.map((d, i) => (axes.includes(i) ? 1 : d)),
    ),
    x.shape,
  );
}

export const reduceSum = row(
  'reduceSum',
  () => 0,
  (a, b) => e.add(a, b),
  (n, g) => [spread(n, g)],
);

/** The gradient goes to the places of the extreme, in equal parts where there are several. */
function toExtremes(n: Tensor, g: Tensor): Tensor[] {
  const x = n.inputs[0]!;
  const hit = Tensor.make(eq, [x, spread(n, n)], {});
  const count = Tensor.make(reduceSum, [Tensor.make(cast, [hit], { dtype: g.dtype })], n.attrs as ReduceAttrs);
  const part = Tensor.make(div, [g, count], {});
  return [Tensor.make(where, [hit, spread(n, part), full([], 0, g.dtype)], {})];
}
/** The smallest and the largest value of each dtype: where a maximum and a minimum begin. */
const extremes: { readonly [D in DType]: readonly [smallest: number, largest: number] } = {
  f32: [-Infinity, Infinity],
  f16: [-Infinity, Infinity],
  bf16: [-Infinity, Infinity],
  i32: [-2147483648, 2147483647],
  u32: [0, 4294967295],
  i8: [-128, 127],
  u8: [0, 255],
  bool: [0, 1],
};
export const reduceMax = row(
  'reduceMax',
  (d) => extremes[d][0],
  (a, b) => e.max(a, b),
  toExtremes,
);
export const reduceMin = row(
  'reduceMin',
  (d) => extremes[d][1],
  (a, b) => e.min(a, b),
  toExtremes,
);
