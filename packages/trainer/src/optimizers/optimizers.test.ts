/** Optimizers beside numbers computed by hand and by torch, clipping, and which parameters decay. */
import { spawnSync } from 'node:child_process';
import { cpu } from '@sinter/backend-cpu';
import { compile } from '@sinter/compiler';
import { dataFor, evaluate, graph, input, state } from '@sinter/ir';
import type { Tensor, TensorData } from '@sinter/ir';
import { describe, expect, test } from 'vitest';
import { findPython } from '../../../../tools/python.ts';
import { TrainingArguments } from '../arguments.ts';
import { adafactor } from './adafactor.ts';
import { adagrad, rmsprop } from './adagrad.ts';
import { adamw8bit } from './adamw-8bit.ts';
import type { AdamWOptions } from './adamw.ts';
import { adamw } from './adamw.ts';
import { clip, globalNorm } from './clip.ts';
import { decays } from './decay.ts';
import { lion } from './lion.ts';
import type { Optimizer } from './optimizer.ts';
import { sgd } from './sgd.ts';
import { optimizerFor, optimizerNames } from './table.ts';

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

/** Steps of a matrix `[3, 5]` and a vector `[4]` with gradients of a formula; gives both after the last step. */
function walk(optimizer: Optimizer, shape: readonly number[], count: number, lr: number): number[] {
  const size = shape.reduce((a, b) => a * b);
  const slots = optimizer.slots({ shape, dtype: 'f32' });
  const before = Object.fromEntries(
    Object.entries(slots).map(([name, type]) => [name, input(name, type.shape, type.dtype)]),
  );
  const at = { step: input('step', []), lr: input('lr', []) };
  const after = optimizer.update(input('g', shape), input('p', shape), before, at);
  const g = graph('step', { outputs: { ...after.slots, p: after.param } });
  let now: Record<string, TensorData> = {
    p: { data: Float32Array.from({ length: size }, (_, i) => Math.cos(i)), shape },
    ...Object.fromEntries(
      Object.entries(slots).map(([name, type]) => {
        const sizes = type.shape as readonly number[];
        return [
          name,
          {
            data: dataFor(
              type.dtype,
              sizes.reduce((a, b) => a * b, 1),
            ),
            shape: sizes,
          },
        ];
      }),
    ),
  };
  for (let step = 1; step <= count; step++) {
    const gradient = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 7 + step) * (1 + (i % 3)));
    const scalars = { step: { data: Float32Array.of(step), shape: [] }, lr: { data: Float32Array.of(lr), shape: [] } };
    const all: Record<string, TensorData> = { ...now, ...scalars, g: { data: gradient, shape } };
    now = evaluate(g, Object.fromEntries(Object.keys(g.inputs).map((name) => [name, all[name]!]))).outputs;
  }
  return [...now['p']!.data];
}

const python = findPython(['torch', 'transformers']);
test.skipIf(!python)('the others are those of torch and transformers', () => {
  const ours: [string, Optimizer][] = [
    ['torch.optim.SGD(p, lr=0.05, weight_decay=0.1)', sgd({ weight_decay: 0.1 })],
    ['torch.optim.SGD(p, lr=0.05, momentum=0.9)', sgd({ momentum: 0.9 })],
    [
      'torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.1)',
      sgd({ momentum: 0.8, nesterov: true, weight_decay: 0.1 }),
    ],
    ['torch.optim.Adagrad(p, lr=0.05, weight_decay=0.1)', adagrad({ weight_decay: 0.1 })],
    ['torch.optim.RMSprop(p, lr=0.05)', rmsprop()],
    ['torch.optim.RMSprop(p, lr=0.05, alpha=0.9, weight_decay=0.1)', rmsprop({ alpha: 0.9, weight_decay: 0.1 })],
    ['Adafactor(p, lr=0.05, scale_parameter=False, relative_step=False)', adafactor()],
    [
      'Adafactor(p, lr=0.05, scale_parameter=True, relative_step=False, weight_decay=0.1, beta1=0.9)',
      adafactor({ scale_parameter: true, weight_decay: 0.1, beta1: 0.9 }),
    ],
    ['torch.optim.AdamW(p, lr=0.05, weight_decay=0.1)', adamw({ weight_decay: 0.1 })],
  ];
  const shapes = [[3, 5], [4], [2, 3, 4]];
  const script = `
import json, sys, torch
from transformers.optimization import Adafactor
given = json.load(sys.stdin)
def walk(make, shape):
    n = 1
    for s in shape: n *= s
    i = torch.arange(n, dtype=torch.float64)
    w = torch.nn.Parameter(torch.cos(i).float().double().reshape(shape))
    p = [w]
    optimizer = eval(make)
    for step in range(1, 13):
        w.grad = (torch.sin(i * 7 + step) * (1 + i % 3)).float().double().reshape(shape)
        optimizer.step()
    return w.detach().reshape(-1).tolist()
print(json.dumps([[walk(make, shape) for shape in given["shapes"]] for make in given["makes"]]))`;
  const given = JSON.stringify({ makes: ours.map(([make]) => make), shapes });
  const { stdout, stderr } = spawnSync(python!, ['-c', script], { encoding: 'utf8', input: given });
  expect(stdout, stderr).not.toBe('');
  const wanted = JSON.parse(stdout.trim().split('\n').at(-1)!) as number[][][];
  ours.forEach(([make, optimizer], i) =>
    shapes.forEach((shape, j) =>
      walk(optimizer, shape, 12, 0.05).forEach((x, k) => {
        expect(Math.abs(x - wanted[i]![j]![k]!), `${make} on [${shape.join()}], element ${k}`).toBeLessThan(2e-5);
      }),
    ),
  );
});

test('Lion takes steps of one size, against the sign of what it remembers', () => {
  expect(walk(lion(), [4], 1, 0.1)).toEqual(
    [...Array(4).keys()]
      .map((i) => Math.fround(Math.cos(i)) - 0.1 * Math.sign(Math.sin(i * 7 + 1)))
      .map((x) => expect.closeTo(x, 6) as number),
  );
  const [moved] = walk(lion({ weight_decay: 0.5 }), [1], 1, 0.1);
  expect(moved).toBeCloseTo(1 * (1 - 0.05) - 0.1, 6);
});

test('AdamW in 8 bits stays near AdamW, and takes a quarter of its memory', () => {
  const shape = [65, 67]; // not a whole number of blocks
  const [whole, coded] = [adamw({ weight_decay: 0.01 }), adamw8bit({ weight_decay: 0.01 })];
  const [want, got, start] = [walk(whole, shape, 10, 0.01), walk(coded, shape, 10, 0.01), walk(whole, shape, 0, 0)];
  const norm = (x: readonly number[], from: readonly number[]): number => Math.hypot(...x.map((y, i) => y - from[i]!));
  expect(norm(got, want) / norm(want, start)).toBeLessThan(0.05);
  const bytes = (optimizer: Optimizer): number =>
    Object.values(optimizer.slots({ shape: [512, 512], dtype: 'f32' })).reduce(
      (sum, type) =>
        sum +
        dataFor(
          type.dtype,
          (type.shape as number[]).reduce((a, b) => a * b),
        ).byteLength,
      0,
    );
  expect(bytes(coded) / bytes(whole)).toBeLessThan(0.26);
});

test('settings are given as Python gives them, and what an optimizer does not take is an error', () => {
  const make = (optim: string, optim_args: string | null) => () =>
    optimizerFor(new TrainingArguments({ optim: optim as 'sgd', optim_args }))('w', {
      shape: [3],
      dtype: 'f32',
    })!.slots({
      shape: [3],
      dtype: 'f32',
    });
  expect(make('sgd', 'momentum=0.9, nesterov=True')()).toHaveProperty('momentum_buffer');
  expect(make('sgd', null)()).toEqual({});
  expect(make('sgd', 'momentun=0.9')).toThrow(/'momentun=0.9' is no setting of 'sgd'; it takes momentum=…, nesterov=…/);
  expect(make('adamw_torch', 'momentum=0.9')).toThrow(/takes none/);
  expect(make('adamw', null)).toThrow(/optim must be one of 'adamw_torch'/);
});

test.each(optimizerNames)('%s, compiled, takes the steps of the evaluator', async (optim) => {
  const args = new TrainingArguments({
    optim,
    weight_decay: 0.01,
    ...(optim === 'sgd' && { optim_args: 'momentum=0.9' }),
  });
  const shape = [65, 67];
  const { slots, update } = optimizerFor(args)('weight', { shape, dtype: 'f32' })!;
  const before = Object.fromEntries(
    Object.entries(slots({ shape, dtype: 'f32' })).map(([name, type]) => [name, state(name, type.shape, type.dtype)]),
  );
  const at = { step: input('step', []), lr: input('lr', []) };
  const after = update(input('g', shape), state('p', shape), before, at);
  const g = graph('step', { outputs: {}, updates: { ...after.slots, p: after.param } });
  await using program = await compile(g, cpu({ threads: 1 }));
  const size = 65 * 67;
  let want: Record<string, TensorData> = Object.fromEntries(
    Object.entries(g.state).map(([name, { shape, dtype }]) => {
      const sizes = shape as readonly number[];
      const data = dataFor(
        dtype,
        sizes.reduce((a, b) => a * b, 1),
      );
      return [
        name,
        { data: name === 'p' ? data.map((_: number, i: number) => Math.cos(i)) : data, shape: sizes } as TensorData,
      ];
    }),
  );
  for (const [name, { data }] of Object.entries(want)) await program.state.write(name, data);
  for (let step = 1; step <= 3; step++) {
    const all: Record<string, TensorData> = {
      g: { data: Float32Array.from({ length: size }, (_, i) => Math.sin(i * 7 + step)), shape },
      step: { data: Float32Array.of(step), shape: [] },
      lr: { data: Float32Array.of(0.01), shape: [] },
    };
    const inputs = Object.fromEntries(Object.keys(g.inputs).map((name) => [name, all[name]!]));
    want = { ...want, ...evaluate(g, inputs, want).updates };
    await program.run(inputs);
  }
  const got = (await program.state.read('p')) as Float32Array;
  got.forEach((x, i) => expect(Math.abs(x - want['p']!.data[i]!)).toBeLessThan(1e-5));
});
