/** Small graphs that the tests of several stages use. */
import type { Graph, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';

/** A linear layer with gelu, as in a feed-forward block. */
export function feedForward(): Graph {
  const x = ir.input('x', ['batch', 'seq', 24]);
  return ir.graph('feed forward', {
    outputs: { y: ir.gelu(ir.linear(x, ir.state('w', [36, 24]), ir.state('b', [36]))) },
  });
}

/** Softmax over scores with a mask. */
export function maskedSoftmax(): Graph {
  const scores = ir.input('scores', ['batch', 2, 'seq', 'seq']);
  const mask = ir.input('mask', ['batch', 1, 1, 'seq']);
  return ir.graph('masked softmax', { outputs: { p: ir.softmax(ir.add(scores as Tensor, mask as Tensor)) } });
}

/** Layer norm of a residual sum, and its gradients. */
export function layerNormGradients(): Graph {
  const [x, r, g] = [ir.input('x', ['batch', 12]), ir.input('r', ['batch', 12]), ir.input('g', ['batch', 12])];
  const [gamma, beta] = [ir.state('gamma', [12]), ir.state('beta', [12])];
  const y = ir.layerNorm(ir.add(x, r), gamma, beta);
  const [dx, dgamma, dbeta] = ir.vjp([y], [g], [x, gamma, beta]);
  return ir.graph('layer norm', { outputs: { y, dx, dgamma, dbeta } });
}

/** One step of AdamW for one matrix. */
export function adam(): Graph {
  const [p, m, v, g] = [ir.state('p', [6, 8]), ir.state('m', [6, 8]), ir.state('v', [6, 8]), ir.input('g', [6, 8])];
  const m1 = ir.add(ir.mul(m, 0.9), ir.mul(g, 0.1));
  const v1 = ir.add(ir.mul(v, 0.999), ir.mul(ir.square(g), 0.001));
  const p1 = ir.sub(ir.mul(p, 0.9999), ir.mul(ir.div(m1, ir.add(ir.sqrt(v1), 1e-8)), 1e-3));
  return ir.graph('adam', { updates: { p: p1, m: m1, v: v1 } });
}

/** Pseudo-random numbers in [−0.5, 0.5), the same for the same seed. */
export function numbers(count: number, seed = 1): Float32Array {
  let s = seed;
  return Float32Array.from({ length: count }, () => {
    s = (s * 16807) % 2147483647;
    return s / 2147483647 - 0.5;
  });
}
