/** AdamW and clipping beside numbers computed by hand, and which parameters decay. */
import { evaluate, graph, input } from '@sinter/ir';
import type { Tensor } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import type { AdamWOptions } from './adamw.ts';
import { adamw } from './adamw.ts';
import { clip, globalNorm } from './clip.ts';
import { decays } from './decay.ts';

/** Takes steps with the graph's AdamW; gives the parameter after each. */
function steps(options: AdamWOptions, gradients: readonly number[], lr: number, start: number): number[] {
  const scalar = (name: string): Tensor => input(name, []);
  const { update } = adamw(options);
  const at = { step: scalar('step'), lr: scalar('lr') };
  const { param, slots } = update(scalar('g'), scalar('p'), { m: scalar('m'), v: scalar('v') }, at);
  const step = graph('step', { outputs: { p: param, m: slots['m']!, v: slots['v']! } });
  let now = { p: start, m: 0, v: 0 };
  return gradients.map((g, i) => {
    const values = Object.entries({ ...now, g, lr, step: i + 1 });
    const inputs = Object.fromEntries(values.map(([name, x]) => [name, { data: Float32Array.of(x), shape: [] }]));
    const { p, m, v } = evaluate(step, inputs).outputs;
    now = { p: p!.data[0]!, m: m!.data[0]!, v: v!.data[0]! };
    return now.p;
  });
}

/** The same in double precision, as the paper writes it. */
function byHand(
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0 }: AdamWOptions,
  gradients: readonly number[],
  lr: number,
  start: number,
): number[] {
  let [p, m, v] = [start, 0, 0];
  return gradients.map((g, i) => {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    const [mean, square] = [m / (1 - beta1 ** (i + 1)), v / (1 - beta2 ** (i + 1))];
    return (p = p - lr * weight_decay * p - (lr * mean) / (Math.sqrt(square) + epsilon));
  });
}

describe('AdamW', () => {
  test('the first step moves by the learning rate, against the sign of the gradient', () => {
    expect(steps({}, [0.5], 0.1, 1)[0]).toBeCloseTo(0.9, 6);
    expect(steps({}, [-0.001], 0.1, 1)[0]).toBeCloseTo(1.1, 5);
  });

  test('decay is decoupled: it does not go through the moments', () => {
    expect(steps({ weight_decay: 0.1 }, [0], 0.5, 2)[0]).toBeCloseTo(2 * (1 - 0.5 * 0.1), 6);
    expect(steps({ weight_decay: 0.1 }, [0.5], 0.1, 1)[0]).toBeCloseTo(1 * (1 - 0.01) - 0.1, 6);
  });

  test.each<AdamWOptions>([
    {},
    { weight_decay: 0.01 },
    { beta1: 0.5, beta2: 0.9, epsilon: 1e-3 },
    { beta1: 0, beta2: 0.99 },
    { beta2: 0.9999 },
  ])('400 steps are those of the paper: %j', (options) => {
    const gradients = Array.from({ length: 400 }, (_, i) => Math.sin(i) + 0.3);
    const want = byHand(options, gradients, 0.01, 1.5);
    steps(options, gradients, 0.01, 1.5).forEach((p, i) => {
      expect(Math.abs(p - want[i]!), `step ${i + 1}`).toBeLessThan(2e-5);
    });
  });
});

test('all gradients are scaled by one factor, and only down', () => {
  const [a, b] = [input('a', [2]), input('b', [1])];
  const norm = globalNorm([a, b]);
  const clipped = (max: number): number[] => {
    const [x, y] = clip([a, b], norm, max);
    const { outputs } = evaluate(graph('clip', { outputs: { norm, x: x!, y: y! } }), {
      a: { data: Float32Array.of(2, -3), shape: [2] },
      b: { data: Float32Array.of(6), shape: [1] },
    });
    return [outputs['norm']!, outputs['x']!, outputs['y']!].flatMap(({ data }) => [...data]);
  };
  expect(clipped(100)).toEqual([7, 2, -3, 6]);
  clipped(3.5).forEach((x, i) => expect(x).toBeCloseTo([7, 1, -1.5, 3][i]!, 5));
});

test('biases and normalisations do not decay, by any of their names', () => {
  const names = (text: string): string[] => text.trim().split(/\s+/);
  const exempt = names(`
    classifier.bias bert.embeddings.LayerNorm.weight bert.encoder.layer.0.output.LayerNorm.bias
    transformer.h.0.ln_1.weight transformer.ln_f.weight vision_model.encoder.layers.0.layer_norm1.weight
    model.norm.weight model.layers.0.input_layernorm.weight encoder.block.0.layer.0.layer_norm.weight
    blocks.0.norm2.weight decoder.final_rms_norm.weight`);
  const decaying = names(`
    classifier.weight bert.embeddings.word_embeddings.weight bert.encoder.layer.0.attention.self.query.weight
    transformer.h.0.attn.c_attn.weight normalizer.weight conv1d.weight blocks.0.lnx.weight`);
  expect(exempt.filter(decays)).toEqual([]);
  expect(decaying.filter((name) => !decays(name))).toEqual([]);
});
