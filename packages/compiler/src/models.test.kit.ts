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

/** A step of training one block of a transformer with dropout: embedding, attention, feed-forward, loss, gradients, AdamW. */
export function trainingStep(): Graph {
  const [batch, seq, heads, size, words] = [2, 5, 2, 4, 11];
  const width = heads * size;
  const shapes = {
    words: [words, width],
    positions: [seq, width],
    ...Object.fromEntries(['query', 'key', 'value', 'output'].map((name) => [name, [width, width]])),
    up: [4 * width, width],
    down: [width, 4 * width],
    gamma: [width],
    beta: [width],
    classes: [3, width],
  };
  const p: Record<string, Tensor> = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, ir.state(name, shape)]),
  );
  const key = ir.input('key', [2], 'u32');
  const ids = ir.input('ids', [batch, seq], 'i32');
  const norm = (x: Tensor): Tensor => ir.layerNorm(x, p['gamma']!, p['beta']!);
  let stream = 0;
  const drop = (x: Tensor): Tensor => ir.dropout(x, 0.1, key, stream++);
  const split = (x: Tensor, name: string): Tensor => ir.reshape(ir.linear(x, p[name]!), [batch, seq, heads, size]);
  let x: Tensor = drop(norm(ir.add(ir.embedding(ids, p['words']!), p['positions']!) as Tensor));
  const mask = ir.input('mask', [batch, 1, 1, seq]);
  const { context } = ir.attention(split(x, 'query'), split(x, 'key'), split(x, 'value'), {
    bias: mask,
    dropout: drop,
  });
  x = norm(ir.add(drop(ir.linear(ir.reshape(context, [batch, seq, width]), p['output']!)), x) as Tensor);
  x = norm(ir.add(drop(ir.linear(ir.gelu(ir.linear(x, p['up']!)), p['down']!)), x) as Tensor);
  const loss = ir.crossEntropy(ir.linear(x, p['classes']!), ir.input('labels', [batch, seq], 'i32'));
  const updates: Record<string, Tensor> = {};
  const names = Object.keys(p);
  const gradients = ir.gradients(
    loss,
    names.map((name) => p[name]!),
  );
  names.forEach((name, i) => {
    const [w, g] = [p[name]!, gradients[i]!];
    const [m, s] = [ir.state(`${name} m`, w.shape), ir.state(`${name} v`, w.shape)];
    updates[`${name} m`] = ir.add(ir.mul(m, 0.9), ir.mul(g, 0.1)) as Tensor;
    updates[`${name} v`] = ir.add(ir.mul(s, 0.999), ir.mul(ir.square(g), 0.001)) as Tensor;
    const step = ir.div(updates[`${name} m`]!, ir.add(ir.sqrt(updates[`${name} v`]!), 1e-8)) as Tensor;
    updates[name] = ir.sub(ir.mul(w, 0.9999), ir.mul(step, 1e-3)) as Tensor;
  });
  return ir.graph('training step', { outputs: { loss }, updates });
}

/** Pseudo-random numbers in [−0.5, 0.5), the same for the same seed. */
export function numbers(count: number, seed = 1): Float32Array {
  let s = seed;
  return Float32Array.from({ length: count }, () => {
    s = (s * 16807) % 2147483647;
    return s / 2147483647 - 0.5;
  });
}
