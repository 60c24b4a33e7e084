/** What models share that predict the next token: they look to the left only, and each token is the label of the one before. */
import {
  add,
  crossEntropy,
  full,
  iota,
  less,
  lessEqual,
  or,
  pad,
  sameShape,
  ShapeError,
  showShape,
  slice,
  where,
} from '@sinter/ir';
import type { Dim, Shape, Tensor } from '@sinter/ir';
import type { InputSpec } from '../architecture.ts';
import type { KeyValueCache } from './cache.ts';

/** The label that does not count. */
const ignored = -100;

/**
 * What is added to scores so that no position sees a later one: 0, and −∞ where it does not see the key; `[seq, seq]`, or `[seq, total]` with
 * a cache, whose tokens stand before these. With a `window` (Beltagy et al. 2020) a position sees so many tokens, itself and those before it. It always
 * sees itself, so no row is without a score.
 */
export function causalBias(seq: Dim, cache?: Pick<KeyValueCache, 'at' | 'total'>, window?: number): Tensor {
  const shape = [seq, cache?.total ?? seq];
  const key = iota(shape, 1);
  const position = cache ? (add(iota(shape, 0), cache.at) as Tensor<Shape, 'i32'>) : iota(shape, 0);
  const later = less(position, key);
  const hidden = window === undefined ? later : or(later, lessEqual(add(key, window) as typeof position, position));
  return where(hidden as Tensor<Shape, 'bool'>, full([], -Infinity), full([], 0)) as Tensor;
}

/** The labels of a model that predicts the next token: those are the ids themselves. */
export function nextTokenLabels(vocab_size: number): InputSpec {
  return { shape: ['batch', 'seq'], dtype: 'i32', below: vocab_size, ignored, label: true };
}

/**
 * The mean cross entropy of `logits` `[batch, seq, vocab]` with the token that follows: `labels` are `i32 [batch, seq]`, and each position is
 * held against the label of the next one. −100 does not count, nor does the last position.
 */
export function nextTokenLoss(logits: Tensor, labels: Tensor): Tensor {
  if (labels.shape.length !== 2 || !sameShape(labels.shape, logits.shape.slice(0, 2)))
    throw new ShapeError(
      `labels are ${showShape(labels.shape)}; they must be as input_ids, ${showShape(logits.shape.slice(0, 2))}`,
    );
  const longer = pad(labels as Tensor<Shape, 'i32'>, [0, 0], [0, 1], ignored);
  const end = longer.shape[1]!;
  const next = slice(longer, { starts: [0, 1], ends: [undefined, end] });
  return crossEntropy(logits, next);
}
