/**
 * Keys and values of the tokens that were read before, so that a model that writes token by token reads each token once. They lie in state of a
 * fixed size, and a run writes the new ones beside the old ones in place.
 */
import { concat, full, slice, state, transpose, updateSlice } from '@sinter/ir';
import type { Dim, Tensor } from '@sinter/ir';
import type { Scope } from '../scope.ts';

/** What a run knows of the tokens before it. */
export interface KeyValueCache {
  /** `i32 [1]`: how many tokens each text has before this run, padding included. */
  readonly at: Tensor<readonly [1], 'i32'>;
  /** How many it has after it. */
  readonly total: Dim;
  /** Puts the new keys or values `[batch, n, heads, size]` behind the old ones; gives all of them, `[batch, total, heads, size]`. */
  extend(scope: Scope, name: string, now: Tensor): Tensor;
  /** What the state of each cache is after the run, by its name. */
  readonly updates: Readonly<Record<string, Tensor>>;
}

/** The options of {@link keyValueCache}. */
export interface KeyValueCacheOptions {
  /** The most texts at a time. */
  readonly batch: number;
  /** The most tokens of a text. */
  readonly length: number;
  /** See {@link KeyValueCache}. */
  readonly at: Tensor<readonly [1], 'i32'>;
  /** See {@link KeyValueCache}: a run-time size. */
  readonly total: string;
}

/** A cache whose state is called after the place in the model: `cache.transformer.h.0.attn.key`. */
export function keyValueCache({ batch, length, at, total }: KeyValueCacheOptions): KeyValueCache {
  const updates: Record<string, Tensor> = {};
  const none = full([1], 0, 'i32');
  const start = concat([none, none, at, none]) as unknown as Tensor<readonly [4], 'i32'>;
  return {
    at,
    total,
    updates,
    extend(scope, name, now) {
      const [texts, , heads, size] = now.shape as readonly [Dim, Dim, number, number];
      const key = `cache.${scope.path}.${name}`;
      const all = state(key, [batch, heads, length, size]);
      const updated = updateSlice(all as Tensor, transpose(now, [0, 2, 1, 3]) as Tensor, start);
      updates[key] = updated;
      const filled = slice(updated, { starts: [0, 0, 0, 0], ends: [texts, heads, total, size] });
      return transpose(filled, [0, 2, 1, 3]) as Tensor;
    },
  };
}
