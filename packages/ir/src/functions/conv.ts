/** Convolution and pooling, composed from windows: contraction and reduction do the work. */
import type { DType } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import { contract } from '../ops/contract.ts';
import { broadcastTo, reshape } from '../ops/view.ts';
import { windowOp } from '../ops/window.ts';
import type { Dim, Shape } from '../shape.ts';
import { dimSum, normalAxis, showShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';
import { add, max, mean, pad } from './math.ts';

/** How windows lie along one axis. */
export interface WindowOptions {
  readonly size: number;
  /** Distance between windows (1). */ readonly stride?: number;
  /** Distance between the elements of a window (1). */ readonly dilation?: number;
  /** Zeros imagined before and after (0). */ readonly padding?: number | readonly [before: number, after: number];
}

/** The number of windows along an axis of a given size; a run-time size stays one only where windows do not shorten it. */
function windowCount(d: Dim, { size, stride = 1, dilation = 1 }: WindowOptions, before: number, after: number): Dim {
  const shrink = (size - 1) * dilation - before - after;
  if (typeof d === 'number') return Math.floor((d - shrink - 1) / stride) + 1;
  if (stride === 1 && shrink <= 0) return dimSum([d, -shrink]);
  throw new ShapeError(
    `windows: the run-time size '${d}' can only be kept ("same" padding, stride 1); fix the size or pad`,
  );
}

/** The windows along an axis: `[…, n, …]` becomes `[…, windows, size, …]`. */
export function windows<D extends DType>(x: Tensor<Shape, D>, axis: number, options: WindowOptions): Tensor<Shape, D> {
  const a = normalAxis('windows', axis, x.shape.length);
  const { size, stride = 1, dilation = 1, padding = 0 } = options;
  const [before, after] = typeof padding === 'number' ? [padding, padding] : padding;
  const whole = x.shape[a]!;
  const count = windowCount(whole, options, before, after);
  if (typeof count === 'number' && count < 1)
    throw new ShapeError(`windows: a window of ${size} does not fit into axis ${a} of ${showShape(x.shape)}`);
  const spread = [...x.shape.slice(0, a + 1), size, ...x.shape.slice(a + 1)];
  const repeated = broadcastTo(reshape(x, spread.with(a + 1, 1)), spread);
  return Tensor.make(windowOp, [repeated], { axis: a, whole, windows: count, stride, dilation, before }) as Tensor<
    Shape,
    D
  >;
}

/** Options of convolutions; one number stands for both axes. */
export interface ConvOptions {
  readonly stride?: number | readonly [number, number];
  readonly dilation?: number | readonly [number, number];
  readonly padding?: number | readonly [number, number];
}
const pair = (v: number | readonly [number, number] | undefined, otherwise: number): readonly [number, number] =>
  v === undefined ? [otherwise, otherwise] : typeof v === 'number' ? [v, v] : v;

/** A convolution along time: `x` `[batch, channels, time]`, `weight` `[out, channels, size]`, as torch has it. */
export function conv1d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: { readonly stride?: number; readonly dilation?: number; readonly padding?: number } = {},
): Tensor {
  const size = kernelSize('conv1d', x, weight, 3)[0]!;
  const out = contract('bctk,ock->bot', windows(x, 2, { ...options, size }), weight);
  return bias ? (add(out, reshape(bias, [weight.shape[0]!, 1])) as Tensor) : out;
}

/** A convolution of images: `x` `[batch, channels, height, width]`, `weight` `[out, channels, rows, columns]`, as torch has it. */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  const [rows, columns] = kernelSize('conv2d', x, weight, 4) as [number, number];
  const [stride, dilation, padding] = [pair(options.stride, 1), pair(options.dilation, 1), pair(options.padding, 0)];
  const down = windows(x, 2, { size: rows, stride: stride[0], dilation: dilation[0], padding: padding[0] });
  const both = windows(down, 4, { size: columns, stride: stride[1], dilation: dilation[1], padding: padding[1] });
  const out = contract('bchiwj,ocij->bohw', both, weight);
  return bias ? (add(out, reshape(bias, [weight.shape[0]!, 1, 1])) as Tensor) : out;
}

function kernelSize(what: string, x: Tensor, weight: Tensor, rank: number): number[] {
  const sizes = weight.shape.slice(2);
  if (
    x.shape.length !== rank ||
    weight.shape.length !== rank ||
    x.shape[1] !== weight.shape[1] ||
    sizes.some((d) => typeof d !== 'number')
  ) {
    throw new ShapeError(
      `${what}: ${String(x)} and weight ${String(weight)} must have rank ${rank}, the same channels (axis 1) and a numeric window`,
    );
  }
  return sizes as number[];
}

/** The largest of each window of images `[batch, channels, height, width]`; padding counts as −∞. */
export function maxPool2d(
  x: Tensor,
  size: number,
  options: { readonly stride?: number; readonly padding?: number } = {},
): Tensor {
  return pool(x, size, options, -Infinity, (w) => max(w, { axes: [3, 5] }));
}
/** The mean of each window of images `[batch, channels, height, width]`; padding counts as 0. */
export function avgPool2d(
  x: Tensor,
  size: number,
  options: { readonly stride?: number; readonly padding?: number } = {},
): Tensor {
  return pool(x, size, options, 0, (w) => mean(w, { axes: [3, 5] }));
}

function pool(
  x: Tensor,
  size: number,
  options: { readonly stride?: number; readonly padding?: number },
  outside: number,
  reduce: (w: Tensor) => Tensor,
): Tensor {
  const { stride = size, padding = 0 } = options;
  const padded = padding === 0 ? x : pad(x, [0, 0, padding, padding], [0, 0, padding, padding], outside);
  return reduce(windows(windows(padded, 2, { size, stride }), 4, { size, stride }));
}
