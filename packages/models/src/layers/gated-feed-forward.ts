/** The feed-forward part whose inside is gated (Shazeer 2020, "GLU variants improve transformer"): SwiGLU where the activation is `silu`. */
import { mul } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import type { Init } from '../init.ts';
import { layer } from '../scope.ts';
import type { Activation } from './activation.ts';
import { lastSize, linear } from './linear.ts';

/** The options of {@link gatedFeedForward}. */
export interface GatedFeedForwardOptions {
  /** The width in between. */
  readonly size: number;
  readonly activation: Activation;
  /** What the family calls the three linear layers, e.g. `['gate_proj', 'up_proj', 'down_proj']`. */
  readonly names: readonly [gate: string, up: string, down: string];
  /** Whether the linear layers have a bias. Default: no. */
  readonly bias?: boolean;
  /** How the weights begin. */
  readonly init?: Init;
}

/** `down(activation(gate(x)) · up(x))`, in the shape of `x`. */
export const gatedFeedForward = layer((scope, x: Tensor, options: GatedFeedForwardOptions): Tensor => {
  const { size, activation, names, bias = false, init } = options;
  const project = (name: string, from: Tensor, to: number): Tensor =>
    linear(scope.at(name), from, to, { bias, ...(init && { init }) });
  const [gate, up, down] = names;
  const wide = mul(activation(project(gate, x, size)), project(up, x, size)) as Tensor;
  return project(down, wide, lastSize('gatedFeedForward', x));
});
