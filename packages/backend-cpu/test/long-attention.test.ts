/** Attention over 16,384 tokens with all gradients: the scores would take a gibibyte a head and are never stored. */
import { compile, explain, makePlan } from '@sinter/compiler';
import type { Shape, Tensor } from '@sinter/ir';
import * as ir from '@sinter/ir';
import { expect, test } from 'vitest';
import { cpu } from '../src/index.ts';

const [seq, size] = [16384, 16];

/** Causal attention of one head; the loss weighs every element of the context. */
function longAttention(): ir.Graph {
  const input = (name: string): Tensor => ir.input(name, [1, seq, 1, size]);
  const [q, k, v] = [input('q'), input('k'), input('v')];
  const past = ir.lessEqual(ir.iota([seq, seq], 1) as Tensor, ir.iota([seq, seq], 0) as Tensor);
  const bias = ir.where(past as Tensor<Shape, 'bool'>, ir.full([], 0), ir.full([], -Infinity)) as Tensor;
  const { context } = ir.attention(q, k, v, { bias });
  const loss = ir.sum(ir.mul(context, input('weight'))) as Tensor;
  const [dq, dk, dv] = ir.gradients(loss, [q, k, v]) as [Tensor, Tensor, Tensor];
  return ir.graph('long attention', { outputs: { context, dq, dk, dv } });
}

const noise = (seed: number): Float32Array =>
  Float32Array.from({ length: seq * size }, (_, i) => Math.sin(i * i * seed));
const row = (x: ArrayLike<number>, i: number): number[] => Array.from({ length: size }, (_, d) => x[i * size + d]!);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

test('16,384 tokens, with all gradients', { timeout: 120_000 }, async () => {
  const g = longAttention();
  const backend = cpu({ threads: 2 });
  const planned = makePlan(g, backend.target);
  // Eight arrays of the size of an operand go in and out; packed copies and sums of rows are a few more.
  expect(explain(planned).arenaBytes).toBeLessThan(20 * 4 * seq * size);
  const program = await compile(g, backend);
  const [q, k, v, weight] = [noise(0.1), noise(0.2), noise(0.3), noise(0.4)];
  const given = { q, k, v, weight };
  const { context, dq, dk, dv } = await program.run(
    Object.fromEntries(Object.entries(given).map(([name, data]) => [name, { data, shape: [1, seq, 1, size] }])),
  );
  program.close();
  // Some rows in double precision; of the gradients of keys and values only the last, which one query sees.
  for (const i of [0, 1, 95, 96, 5000, seq - 1]) {
    const scores = Array.from({ length: i + 1 }, (_, j) => dot(row(q, i), row(k, j)) / Math.sqrt(size));
    const top = scores.reduce((a, b) => Math.max(a, b));
    const powers = scores.map((s) => Math.exp(s - top));
    const sum = powers.reduce((a, b) => a + b);
    const probs = powers.map((p) => p / sum);
    const slopes = probs.map((_, j) => dot(row(weight, i), row(v, j)));
    const mean = dot(probs, slopes);
    const want = (d: number, of: (j: number) => number): number =>
      probs.reduce((a, _, j) => a + of(j) * row(k, j)[d]!, 0);
    for (let d = 0; d < size; d++) {
      expect(context!.data[i * size + d]).toBeCloseTo(
        probs.reduce((a, p, j) => a + p * v[j * size + d]!, 0),
        4,
      );
      expect(dq!.data[i * size + d]).toBeCloseTo(
        want(d, (j) => (probs[j]! * (slopes[j]! - mean)) / Math.sqrt(size)),
        4,
      );
      if (i !== seq - 1) continue;
      expect(dv!.data[i * size + d]).toBeCloseTo(probs[i]! * weight[i * size + d]!, 4);
      const slope = (probs[i]! * (slopes[i]! - mean)) / Math.sqrt(size);
      expect(dk!.data[i * size + d]).toBeCloseTo(slope * q[i * size + d]!, 4);
    }
  }
});
