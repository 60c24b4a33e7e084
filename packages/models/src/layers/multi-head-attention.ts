/** Attention with several heads (Vaswani et al. 2017), of a text to itself or to another text, with or without a cache. */
import { attention, reshape } from '@sinter/ir';
import type { Dim, Tensor } from '@sinter/ir';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';
import type { KeyValueCache } from './cache.ts';
import { lastSize, linear } from './linear.ts';

/** Another text that is looked at. */
export interface Memory {
  /** Its states, `[batch, source, size]`; `undefined` in a run with a cache that has seen them. */
  readonly states: Tensor | undefined;
}

/** The options of {@link multiHeadAttention}. */
export interface MultiHeadAttentionOptions {
  readonly heads: number;
  /** The size of a head. */
  readonly size: number;
  /** What the family calls the four linear layers, e.g. `['q_proj', 'k_proj', 'v_proj', 'out_proj']`. */
  readonly names: readonly [query: string, key: string, value: string, output: string];
  /** Whether the linear layers have a bias. Default: yes. */
  readonly linear_bias?: boolean;
  /** What scores are multiplied with. Default: 1 / √size. */
  readonly scale?: number;
  /** What is looked at. Default: the text itself. */
  readonly memory?: Memory | undefined;
  /** Added to the scores; broadcasts to `[batch, heads, seq, keys]`. */
  readonly bias?: Tensor | undefined;
  /** How much of the probabilities is dropped while training. Default: nothing. */
  readonly dropout?: number;
  /** Keys and values that were computed before. Default: none. */
  readonly cache?: KeyValueCache | undefined;
  /** How the weight of each linear layer begins, by its name. */
  readonly init?: (name: string) => Init;
}

/** `x` is `[batch, seq, size]`, so is the context; probabilities are `[batch, heads, seq, keys]`. */
export const multiHeadAttention = layer(
  (scope, x: Tensor, options: MultiHeadAttentionOptions): { readonly context: Tensor; readonly probs: Tensor } => {
    const { heads, size, memory, cache, bias, scale, dropout = 0, init } = options;
    const [query, key, value, output] = options.names;
    const project = (name: string, from: Tensor, to: number): Tensor =>
      linear(scope.at(name), from, to, { bias: options.linear_bias ?? true, ...(init && { init: init(name) }) });
    const inHeads = (name: string, from: Tensor): Tensor => {
      const [batch, tokens] = from.shape as readonly [Dim, Dim, number];
      return reshape(project(name, from, heads * size), [batch, tokens, heads, size]);
    };
    const seen = (name: string): Tensor => {
      if (!memory) {
        const now = inHeads(name, x);
        return cache?.extend(scope, name, now) ?? now;
      }
      const now = memory.states && inHeads(name, memory.states);
      return cache?.keep(scope, name, now, { heads, size }) ?? now!;
    };
    const { context, probs } = attention(inHeads(query, x), seen(key), seen(value), {
      ...(bias && { bias }),
      ...(scale !== undefined && { scale }),
      dropout: (p) => scope.dropout(p, dropout),
    });
    const [batch, tokens] = x.shape as readonly [Dim, Dim, number];
    const joined = reshape(context, [batch, tokens, heads * size]);
    return { context: project(output, joined, lastSize('multiHeadAttention', x)), probs };
  },
);
