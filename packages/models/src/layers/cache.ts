/**
 * Keys and values of the tokens that were read before, so that a model that writes token by token reads each token once. They lie in state of a
 * fixed size, and a run writes the new ones beside the old ones in place.
 */
import { concat, full, ShapeError, slice, state, transpose, updateSlice } from '@sinter/ir';
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
  /**
   * Remembers what is computed once, `[batch, source, heads, size]`: given, it is kept for later runs and given back; else it is what was kept. Where
   * `source` is a run-time size.
   */
  keep(
    scope: Scope,
    name: string,
    now: Tensor | undefined,
    size: { readonly heads: number; readonly size: number },
  ): Tensor;
  /** What the state of each cache is after the run, by its name. */
  readonly updates: Readonly<Record<string, Tensor>>;
  /** The names of the states that {@link KeyValueCache.keep} has to do with. */
  readonly kept: ReadonlySet<string>;
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
  /** Of a model with an encoder: the batch, and the tokens of a source at run time and at most. Default: there is no encoder. */
  readonly source?: { readonly batch: Dim; readonly tokens: Dim; readonly length: number };
}

/** A cache whose state is called after the place in the model: `cache.transformer.h.0.attn.key`. */
export function keyValueCache({ batch, length, at, total, source }: KeyValueCacheOptions): KeyValueCache {
  const updates: Record<string, Tensor> = {};
  const kept = new Set<string>();
  const none = full([1], 0, 'i32');
  const start = concat([none, none, at, none]) as unknown as Tensor<readonly [4], 'i32'>;
  const nowhere = full([4], 0, 'i32') as unknown as Tensor<readonly [4], 'i32'>;
  const place = (
    scope: Scope,
    name: string,
    shape: readonly number[],
  ): { readonly key: string; readonly all: Tensor } => {
    const key = `cache.${scope.path}.${name}`;
    return { key, all: state(key, shape) as Tensor };
  };
  return {
    at,
    total,
    updates,
    kept,
    extend(scope, name, now) {
      const [texts, , heads, size] = now.shape as readonly [Dim, Dim, number, number];
      const { key, all } = place(scope, name, [batch, heads, length, size]);
      const updated = updateSlice(all, transpose(now, [0, 2, 1, 3]) as Tensor, start);
      updates[key] = updated;
      const filled = slice(updated, { starts: [0, 0, 0, 0], ends: [texts, heads, total, size] });
      return transpose(filled, [0, 2, 1, 3]) as Tensor;
    },
    keep(scope, name, now, { heads, size }) {
      if (!source) throw new ShapeError(`in ${scope.path}: this cache was made for a model without an encoder`);
      const { key, all } = place(scope, name, [batch, heads, source.length, size]);
      kept.add(key);
      if (now) updates[key] = updateSlice(all, transpose(now, [0, 2, 1, 3]) as Tensor, nowhere);
      const ends = [source.batch, heads, source.tokens, size];
      return now ?? (transpose(slice(all, { starts: [0, 0, 0, 0], ends }), [0, 2, 1, 3]) as Tensor);
    },
  };
}
