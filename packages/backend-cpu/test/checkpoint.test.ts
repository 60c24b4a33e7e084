/** Recomputation through the whole compiler: the same numbers, and really less memory. */
import type { Graph, Tensor, TensorData } from '@sinter/ir';
import * as ir from '@sinter/ir';
import type { Program } from '@sinter/compiler';
import { build, compile, makePlan } from '@sinter/compiler';
import { peakBytes } from '@sinter/compiler/artifact';
import { describe, expect, test } from 'vitest';
import { cpu } from '../src/index.ts';
import { nativeCompiler } from '../src/native/kernel.test.kit.ts';

const [layers, batch, seq, heads, hidden, words] = [12, 2, 16, 2, 32, 50];
const { add, matmul, mul, reshape } = ir;

/** A step of training an encoder with dropout, `each` layers to a checkpointed call; 0: none is checkpointed. */
function step(each: number): Graph {
  const weights = new Map<string, Tensor>();
  const weight = (name: string, ...shape: number[]): Tensor => {
    const known = weights.get(name) ?? ir.state(name, shape);
    weights.set(name, known);
    return known;
  };
  const key = ir.state('rng', [2], 'u32');
  const linear = (x: Tensor, name: string, from: number, to: number): Tensor =>
    add(matmul(x, weight(`${name}.weight`, from, to)), weight(`${name}.bias`, to)) as Tensor;
  const norm = (x: Tensor, name: string): Tensor =>
    ir.layerNorm(x, add(weight(`${name}.gamma`, hidden), 1), weight(`${name}.beta`, hidden));
  const layer = (i: number, x: Tensor): Tensor => {
    let stream = 3 * i;
    const drop = (t: Tensor): Tensor => ir.dropout(t, 0.1, key, stream++);
    const split = (name: string): Tensor =>
      reshape(linear(x, `${i}.${name}`, hidden, hidden), [batch, seq, heads, hidden / heads]);
    const { context } = ir.attention(split('query'), split('key'), split('value'), { dropout: drop });
    const mixed = linear(reshape(context, [batch, seq, hidden]), `${i}.output`, hidden, hidden);
    const y = norm(add(drop(mixed), x) as Tensor, `${i}.first`);
    const inner = ir.gelu(linear(y, `${i}.up`, hidden, 4 * hidden));
    return norm(add(drop(linear(inner, `${i}.down`, 4 * hidden, hidden)), y) as Tensor, `${i}.second`);
  };
  let x: Tensor = ir.embedding(ir.input('ids', [batch, seq], 'i32'), weight('words', words, hidden));
  for (let i = 0; i < layers; i += each || layers) {
    const some = (from: Tensor): Tensor => {
      let y = from;
      for (let j = i; j < Math.min(layers, i + (each || layers)); j++) y = layer(j, y);
      return y;
    };
    x = each === 0 ? some(x) : ir.checkpoint(some)(x);
  }
  const loss = ir.mean(ir.square(x)) as Tensor;
  const gradients = ir.gradients(loss, [...weights.values()]);
  const updates = [...weights].map(([name, w], i) => [name, ir.sub(w, mul(gradients[i]!, 0.1))] as const);
  return ir.graph('step', { outputs: { loss }, updates: Object.fromEntries(updates) });
}

const inputs: Record<string, TensorData> = {
  ids: { shape: [batch, seq], data: Int32Array.from({ length: batch * seq }, (_, i) => (i * i + 7) % words) },
};

/** The losses of three steps, and a weight after them. */
async function train(program: Program): Promise<{ readonly losses: readonly number[]; readonly weight: Float32Array }> {
  let s = 1;
  for (const [name, { shape, dtype }] of Object.entries(program.state.ports)) {
    if (dtype !== 'f32') continue;
    const count = (shape as number[]).reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, () => ((s = (s * 16807) % 2147483647) / 2147483647 - 0.5) * 0.3);
    await program.state.write(name, data);
  }
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push((await program.run(inputs))['loss']!.data[0]!);
  const weight = (await program.state.read('3.up.weight')) as Float32Array;
  program.close();
  return { losses, weight };
}

const native = nativeCompiler() !== undefined;

describe('checkpoint', () => {
  const targets = ['wasm', ...(native ? (['native'] as const) : [])] as const;
  test.each(targets)('on %s: fused and compiled, losses and weights are those without it', async (target) => {
    const backend = cpu({ target, threads: 2 });
    const [without, having] = [
      await train(await compile(step(0), backend)),
      await train(await compile(step(2), backend)),
    ];
    without.losses.forEach((loss, i) => expect(having.losses[i]).toBeCloseTo(loss, 5));
    const furthest = Math.max(...without.weight.map((w, i) => Math.abs(w - having.weight[i]!)));
    expect(furthest).toBeLessThan(1e-5);
    expect(without.losses[2]).not.toBe(without.losses[0]);
  });

  test('memory is what lies between two calls, and the inside of one', async () => {
    const backend = cpu({ threads: 2 });
    const peaks = new Map<number, number>();
    for (const each of [0, 1, 3, 6, 12]) peaks.set(each, peakBytes(await build(step(each), backend)));
    const at = (each: number): number => peaks.get(each)!;
    // n layers, k to a call: n/k boundaries of one hidden state each, and k layers of activations.
    const boundary = 4 * batch * seq * hidden;
    const perLayer = (at(6) - at(3)) / 3;
    for (const each of [1, 3, 6]) {
      const theory = at(6) + (each - 6) * perLayer + (layers / each - 2) * boundary;
      expect(at(each)).toBeLessThan(1.15 * theory);
    }
    expect(at(1)).toBeLessThan(0.3 * at(0));
    // One call around everything saves nothing: all of it is there again before the first gradient.
    expect(at(12)).toBeGreaterThan(0.9 * at(0));
  });

  test('the price is one more forward pass, less its last products', () => {
    const { target } = cpu({ threads: 1 });
    const work = (g: Graph): number => {
      const { plan } = makePlan(g, target);
      return plan.steps.filter(({ kernel }) => plan.kernels[kernel]!.name.startsWith('contract')).length;
    };
    const forward = 8 * layers;
    expect(work(step(1)) - work(step(0))).toBeGreaterThan(0);
    expect(work(step(1)) - work(step(0))).toBeLessThanOrEqual(forward);
  });
});
