/** Self-attention with several heads (Vaswani et al. 2017), as encoders have it: linear layers of queries, keys and values. */
import { attention, equal, full, reshape, ShapeError, where } from '@sinter/ir';
import type { Shape, Tensor } from '@sinter/ir';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';
import { lastSize, linear } from './linear.ts';

/** The options of {@link selfAttention}. */
export interface SelfAttentionOptions {
  /** How many heads; must divide the last size of `x`. */
  readonly heads: number;
  /** Added to the scores; broadcasts to `[batch, heads, seq, seq]`. See {@link paddingBias}. */
  readonly bias?: Tensor | undefined;
  /** How much of the probabilities is dropped while training. Default: nothing. */
  readonly dropout?: number;
  /** How the weights begin. */
  readonly init?: Init;
  /** What the family calls the layers. Default: `query`, `key` and `value`. */
  readonly names?: readonly [query: string, key: string, value: string];
}

/** Every position's mix of all values: `x` is `[batch, seq, size]`, so is the context; probabilities are `[batch, heads, seq, seq]`. */
export const selfAttention = layer(
  (scope, x: Tensor, options: SelfAttentionOptions): { readonly context: Tensor; readonly probs: Tensor } => {
    const { heads, bias, dropout = 0, init, names = ['query', 'key', 'value'] } = options;
    const [batch, seq] = x.shape;
    const size = lastSize('selfAttention', x);
    if (x.shape.length !== 3) throw new ShapeError(`selfAttention: wants [batch, seq, size], got ${String(x)}`);
    if (size % heads !== 0) throw new ShapeError(`selfAttention: ${heads} heads do not divide the size ${size}`);
    const project = (name: string): Tensor =>
      reshape(linear(scope.at(name), x, size, init && { init }), [batch!, seq!, heads, size / heads]);
    const { context, probs } = attention(project(names[0]), project(names[1]), project(names[2]), {
      ...(bias && { bias }),
      dropout: (p) => scope.dropout(p, dropout),
    });
    return { context: reshape(context, x.shape), probs };
  },
);

/**
 * What is added to scores so that padding gets no attention: 0 where the `i32` mask `[batch, seq]` is not 0, the least `f32`
 * where it is; `[batch, 1, 1, seq]`. Where a row is nothing but padding, attention is even, as in PyTorch.
 */
export function paddingBias(mask: Tensor<Shape, 'i32'>): Tensor {
  const [batch, seq] = mask.shape;
  if (mask.shape.length !== 2) throw new ShapeError(`paddingBias: wants a mask [batch, seq], got ${String(mask)}`);
  const hidden = equal(mask, 0);
  return reshape(where(hidden, full([], leastF32), full([], 0)) as Tensor, [batch!, 1, 1, seq!]);
}
/** The least `f32`, which masked scores become or are lowered by. */
export const leastF32 = -3.4028234663852886e38;
