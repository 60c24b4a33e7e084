/**
 * Windows that slide along an axis, as views: a convolution is a contraction over windows, pooling a reduction over
 * them. `window` reads position `o · stride + k · dilation − before` for output `o` and offset `k`; `unwindow` puts it
 * back. Each is the gradient of the other.
 */
import { ShapeError } from '../errors.ts';
import type { Expr } from '../expr.ts';
import { constant, e } from '../expr.ts';
import type { ViewOp } from '../op.ts';
import type { Dim } from '../shape.ts';
import { dimExpr, showShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';

/** Axis `axis` is slid over, axis `axis + 1` holds the offset in the window; both ops keep the rest. */
export interface WindowAttrs {
  readonly axis: number;
  /** Positions before and after the windows: the size of `axis` of the whole and the number of windows. */
  readonly whole: Dim;
  readonly windows: Dim;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros imagined before the first element. */
  readonly before: number;
}

const of = (node: Tensor): WindowAttrs => node.attrs as WindowAttrs;

function replaceAxis(what: string, x: { readonly shape: readonly Dim[] }, axis: number, from: Dim, to: Dim): Dim[] {
  if (x.shape[axis] !== from || axis + 1 >= x.shape.length)
    throw new ShapeError(
      `${what}: axis ${axis} of ${showShape(x.shape)} must be ${from}, followed by the axis of offsets`,
    );
  return x.shape.map((d, i) => (i === axis ? to : d));
}

/** From `[whole, offsets]` to `[windows, offsets]`. */
export const windowOp: ViewOp<WindowAttrs> = {
  name: 'window',
  kind: 'view',
  infer: ([x], a) => ({ shape: replaceAxis('window', x!, a.axis, a.whole, a.windows), dtype: x!.dtype }),
  index(out, node) {
    const { axis, whole, stride, dilation, before } = of(node);
    const position = e.sub(
      e.add(e.mul(out[axis]!, constant(stride)), e.mul(out[axis + 1]!, constant(dilation))),
      constant(before),
    );
    const inside = e.and(e.le(constant(0), position), e.lt(position, dimExpr(whole)));
    return [{ at: out.map((x, i): Expr => (i === axis ? position : x)), when: inside }];
  },
  vjp: (n, g) => [Tensor.make(unwindowOp, [g], of(n))],
};

/** From `[windows, offsets]` to `[whole, offsets]`, zero where no window has the position at that offset. */
export const unwindowOp: ViewOp<WindowAttrs> = {
  name: 'unwindow',
  kind: 'view',
  infer: ([x], a) => ({ shape: replaceAxis('unwindow', x!, a.axis, a.windows, a.whole), dtype: x!.dtype }),
  index(out, node) {
    const { axis, windows, stride, dilation, before } = of(node);
    const start = e.sub(e.add(out[axis]!, constant(before)), e.mul(out[axis + 1]!, constant(dilation)));
    const window = e.div(start, constant(stride));
    const exact = e.and(e.le(constant(0), start), e.eq(e.mod(start, constant(stride)), constant(0)));
    return [
      { at: out.map((x, i): Expr => (i === axis ? window : x)), when: e.and(exact, e.lt(window, dimExpr(windows))) },
    ];
  },
  vjp: (n, g) => [Tensor.make(windowOp, [g], of(n))],
};
