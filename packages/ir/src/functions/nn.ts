/** The functions that neural networks are made of, composed from the ops: each has its gradient and its fusion for free. */
import { ShapeError } from '../errors.ts';
import { contract } from '../ops/contract.ts';
import { uniform } from '../ops/random.ts';
import { full, iota } from '../ops/source.ts';
import type { Shape } from '../shape.ts';
import { normalAxis, showShape } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import {
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  expandDims,
  gather,
  less,
  lessEqual,
  log,
  max,
  maximum,
  mean,
  mul,
  neg,
  notEqual,
  reciprocal,
  reshape,
  rsqrt,
  square,
  squeeze,
  stopGradient,
  sub,
  sum,
  tanh,
  where,
} from './math.ts';

type F = Tensor<Shape, 'f32'>;

/** `1 / (1 + e^−x)`. Where e^−x would overflow, `x` is held (the result is 0 to any precision), for ∞ · 0 spoils the gradient. */
export function sigmoid<T extends Tensor>(x: T): T {
  const t: Tensor = x;
  return div(1, add(exp(neg(maximum(t, t.dtype === 'f16' ? -11 : -88))), 1)) as T;
}
/** `max(x, 0)`; NaN stays NaN. */
export function relu<T extends Tensor>(x: T): T {
  return where(lessEqual(x as Tensor, 0), full([], 0, x.dtype) as Tensor, x as Tensor) as T;
}
/** `x · sigmoid(x)`. */
export function silu<T extends Tensor>(x: T): T {
  return mul(x as Tensor, sigmoid(x as Tensor)) as T;
}
/** `log(1 + e^x)`, without overflow. */
export function softplus<T extends Tensor>(x: T): T {
  // maximum(x, 0) and maximum(x, −x) side with x at 0, so that their gradients together are right there.
  const t: Tensor = x;
  return add(maximum(t, 0), log(add(exp(neg(maximum(t, neg(t)))), 1))) as T;
}
/** The Gaussian error linear unit (Hendrycks and Gimpel 2016): exact with erf, or by its tanh approximation. */
export function gelu<T extends Tensor>(x: T, options: { readonly approximate?: 'none' | 'tanh' } = {}): T {
  const t = x as Tensor;
  const inner =
    options.approximate === 'tanh'
      ? tanh(mul(add(t, mul(mul(square(t), t), 0.044715)), Math.sqrt(2 / Math.PI)))
      : erf(mul(t, Math.SQRT1_2));
  return mul(mul(t, 0.5), add(inner, 1)) as T;
}

/**
 * Probabilities along an axis, shifted by the largest so that nothing overflows. Written with a reciprocal, so that its
 * gradient needs the exponentials alone.
 */
export function softmax<T extends Tensor>(x: T, axis = -1): T {
  const shifted = exp(sub(x as Tensor, stopGradient(max(x, { axes: axis, keepdims: true }))));
  return mul(shifted, reciprocal(sum(shifted, { axes: axis, keepdims: true }))) as T;
}
/** `log Σ e^x` along an axis, which disappears. */
export function logSumExp(x: Tensor, axis = -1): Tensor {
  const top = stopGradient(max(x, { axes: axis, keepdims: true }));
  const a = normalAxis('logSumExp', axis, x.shape.length);
  return squeeze(add(log(sum(exp(sub(x, top)), { axes: a, keepdims: true })), top) as Tensor, a);
}
/** The logarithm of {@link softmax}, computed without it. */
export function logSoftmax<T extends Tensor>(x: T, axis = -1): T {
  const shifted = sub(x as Tensor, stopGradient(max(x, { axes: axis, keepdims: true })));
  return sub(shifted, log(sum(exp(shifted), { axes: axis, keepdims: true }))) as T;
}

/** Layer normalisation over the last axis (Ba et al. 2016): variance without Bessel's correction, as everywhere. */
export function layerNorm<T extends Tensor>(x: T, gamma: Tensor, beta: Tensor, eps = 1e-5): T {
  const centred = sub(x as Tensor, mean(x, { axes: -1, keepdims: true }));
  const variance = mean(square(centred), { axes: -1, keepdims: true });
  return add(mul(mul(centred, rsqrt(add(variance, eps))) as Tensor, gamma) as Tensor, beta) as T;
}
/** Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019). */
export function rmsNorm<T extends Tensor>(x: T, gamma: Tensor, eps = 1e-6): T {
  return mul(
    mul(x as Tensor, rsqrt(add(mean(square(x as Tensor), { axes: -1, keepdims: true }), eps))) as Tensor,
    gamma,
  ) as T;
}

/** `x · weightᵀ + bias` with `weight` `[out, in]`, the layout of checkpoints; `x` has any number of leading axes. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const rank = x.shape.length;
  if (weight.shape.length !== 2 || rank === 0 || x.shape[rank - 1] !== weight.shape[1]) {
    throw new ShapeError(`linear: inner sizes differ: ${String(x)} with weight ${String(weight)} [out, in]`);
  }
  const lead = [...'abcdefgh'].slice(0, rank - 1).join('');
  const out = contract(`${lead}k,nk->${lead}n`, x, weight);
  return bias ? (add(out, bias) as Tensor) : out;
}

/** Rows of an embedding table: `table[ids]`; ids outside are clamped. */
export function embedding(ids: Tensor<Shape, 'i32'>, table: Tensor): Tensor {
  return gather(table, ids);
}

/**
 * Mean negative log-likelihood of `labels` (`i32`, the shape of `logits` without its last axis). Labels equal to
 * `ignoreIndex` (−100) do not count. `labelSmoothing` mixes in the mean over all classes.
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor<Shape, 'i32'>,
  options: { readonly ignoreIndex?: number; readonly labelSmoothing?: number } = {},
): Tensor<readonly [], 'f32'> {
  const { ignoreIndex = -100, labelSmoothing = 0 } = options;
  const axis = logits.shape.length - 1;
  if (labels.shape.length !== axis)
    throw new ShapeError(
      `crossEntropy: labels ${showShape(labels.shape)} must have the shape of the logits ${showShape(logits.shape)} without the last axis`,
    );
  const logp = logSoftmax(logits);
  const hit = equal(expandDims(labels, axis), iota(logits.shape, axis) as Tensor<Shape, 'i32'>) as Tensor<
    Shape,
    'bool'
  >;
  let nll = neg(sum(where(hit, logp, full([], 0, logits.dtype) as Tensor) as Tensor, { axes: axis }));
  if (labelSmoothing > 0)
    nll = add(mul(nll, 1 - labelSmoothing), mul(neg(mean(logp, { axes: axis })), labelSmoothing)) as Tensor;
  const counts = cast(notEqual(labels, ignoreIndex), 'f32') as F;
  return div(sum(mul(nll as F, counts) as F), maximum(sum(counts), 1)) as Tensor<readonly [], 'f32'>;
}

/** Each element zeroed with probability `p`, the others scaled by `1 / (1 − p)`; `key` and `stream` as for `uniform`. */
export function dropout<T extends Tensor>(x: T, p: number, key: Tensor, stream: number): T {
  if (!(p >= 0 && p < 1)) throw new ShapeError(`dropout: the probability must be in [0, 1), got ${p}`);
  if (p === 0) return x;
  const keep = less(uniform(key, x.shape, stream) as Tensor, 1 - p) as Tensor<Shape, 'bool'>;
  return where(keep, mul(x as Tensor, 1 / (1 - p)), full([], 0, x.dtype) as Tensor) as T;
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017). `q` is `[batch, seq, heads, size]`, `k` and `v`
 * `[batch, keys, heads, size]`; `bias` is added to the scores and broadcasts to `[batch, heads, seq, keys]`. A mask of −∞ that compares positions
 * lets the compiler pass over what it hides; a large negative number does not.
 *
 * `k` and `v` may have fewer heads, each of which serves as many neighbouring heads of `q` (grouped-query attention, Ainslie et al. 2023); they
 * are not repeated for that.
 * Returns the context `[batch, seq, heads, size]` and the probabilities `[batch, heads, seq, keys]`.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { readonly bias?: Tensor; readonly scale?: number; readonly dropout?: (p: Tensor) => Tensor } = {},
): { readonly context: Tensor; readonly probs: Tensor } {
  const [batch, seq, heads, size] = q.shape;
  const shared = k.shape[2];
  if (typeof size !== 'number') throw new ShapeError(`attention: the head size must be a number, got ${String(q)}`);
  const { bias, scale = 1 / Math.sqrt(size), dropout } = options;
  if (heads === shared) {
    const probs = probabilities(contract('bqhd,bkhd->bhqk', q, k), scale, bias);
    return { context: contract('bhqk,bkhd->bqhd', dropout ? dropout(probs) : probs, v), probs };
  }
  if (typeof heads !== 'number' || typeof shared !== 'number' || heads % shared !== 0)
    throw new ShapeError(
      `attention: ${heads} heads of queries do not share ${shared} heads of keys evenly: ${String(q)}, ${String(k)}`,
    );
  const groups = [shared, heads / shared] as const;
  const grouped = reshape(q, [batch!, seq!, ...groups, size]);
  const probs = probabilities(contract('bqhgd,bkhd->bhgqk', grouped, k), scale, bias && groupHeads(bias, groups));
  const context = contract('bhgqk,bkhd->bqhgd', dropout ? dropout(probs) : probs, v);
  return { context: reshape(context, q.shape), probs: reshape(probs, [batch!, heads, seq!, k.shape[1]!]) };
}

function probabilities(products: Tensor, scale: number, bias: Tensor | undefined): Tensor {
  const scores = mul(products, scale);
  return softmax(bias ? (add(scores, bias) as Tensor) : scores);
}

/** What broadcasts to `[batch, heads, seq, keys]`, so that it broadcasts to `[batch, shared, group, seq, keys]`. */
function groupHeads(bias: Tensor, groups: readonly [number, number]): Tensor {
  const { shape } = bias;
  if (shape.length < 3) return bias;
  const axis = shape.length - 3;
  return reshape(bias, [...shape.slice(0, axis), ...(shape[axis] === 1 ? [1, 1] : groups), ...shape.slice(axis + 1)]);
}
