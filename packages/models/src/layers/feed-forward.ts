/** The feed-forward part of a transformer layer: wider, an activation, and back. */
import type { Tensor } from '@sinter/ir';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';
import type { Activation } from './activation.ts';
import { lastSize, linear } from './linear.ts';

/** The options of {@link feedForward}. */
export interface FeedForwardOptions {
  /** The width in between. */
  readonly size: number;
  readonly activation: Activation;
  /** What the family calls the two linear layers, e.g. `['intermediate.dense', 'output.dense']`. */
  readonly names: readonly [up: string, down: string];
  /** How the weights begin. */
  readonly init?: Init;
}

/** `down(activation(up(x)))`, in the shape of `x`. */
export const feedForward = layer((scope, x: Tensor, options: FeedForwardOptions): Tensor => {
  const { size, activation, names, init } = options;
  const wide = activation(linear(scope.at(names[0]), x, size, init && { init }));
  return linear(scope.at(names[1]), wide, lastSize('feedForward', x), init && { init });
});
