/** The step as a graph: a loop without a trainer, AdamW over many steps, metrics. */
import { cpu } from '@sinter/backend-cpu';
import { compile, makePlan } from '@sinter/compiler';
import { evaluate, graph, input, state } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { expect, test, vi } from 'vitest';
import { iris, mlp } from '../test/mlp.ts';
import { TrainingArguments } from './arguments.ts';
import { epochBatches } from './data/batches.ts';
import { dataCollatorWithPadding } from './data/collate.ts';
import { classificationMetrics, confusionMatrix, predictedClasses } from './metrics.ts';
import { adamw } from './optimizers/adamw.ts';
import { decays } from './optimizers/decay.ts';
import { schedule } from './schedules.ts';
import { trainStep } from './step.ts';
import { Trainer } from './trainer.ts';

test('a loop of one’s own is a few lines, and gives what the trainer gives', async () => {
  vi.spyOn(console, 'log').mockReturnValue();
  const args = new TrainingArguments({
    num_train_epochs: 2,
    learning_rate: 0.01,
    weight_decay: 0.1,
    warmup_steps: 5,
    save_strategy: 'no',
    report_to: 'none',
  });
  const backend = cpu({ threads: 1 });
  const model = mlp();
  await using trainer = new Trainer({ model, args, train_dataset: iris, backend, progress: {} });
  const { global_step } = await trainer.train();

  const other = mlp();
  const step = trainStep(other, {
    optimizer: (name) => adamw({ weight_decay: decays(name) ? 0.1 : 0 }),
    schedule: schedule('linear', { warmup: 5, total: global_step }),
    learning_rate: 0.01,
    max_grad_norm: 1,
  });
  await using program = await compile(step, backend);
  for (const [name, { data }] of other.parameters)
    if (name in program.state.ports) await program.state.write(name, data);
  await program.state.write('rng', Uint32Array.of(42, 0));
  const collate = dataCollatorWithPadding(other);
  for (const epoch of [0, 1]) {
    for (const indices of epochBatches(args, epoch, iris.length)) {
      const outputs = await program.run(
        await collate(
          indices.map((i) => iris[i]!),
          indices,
        ),
      );
      expect(Object.keys(outputs).sort()).toEqual(['grad_norm', 'learning_rate', 'loss']);
    }
  }
  for (const [name, { data }] of model.parameters)
    if (name in program.state.ports) expect(await program.state.read(name)).toEqual(data);
});

test('AdamW keeps its digits over thousands of steps', () => {
  const [beta1, beta2, epsilon, weight_decay, rate] = [0.9, 0.999, 1e-8, 0.01, 0.001];
  const p = state('p', [1]);
  const slots = { m: state('m', [1]), v: state('v', [1]) };
  const after = adamw({ beta1, beta2, epsilon, weight_decay }).update(input('g', [1]), p, slots, {
    step: input('step', []),
    lr: input('lr', []),
  });
  const g = graph('adamw', { updates: { p: after.param, ...after.slots } });
  let now: Record<string, TensorData> = Object.fromEntries(
    ['p', 'm', 'v'].map((name) => [name, { data: Float32Array.of(name === 'p' ? 1 : 0), shape: [1] }]),
  );
  let [want, m, v] = [1, 0, 0];
  for (let step = 1; step <= 3000; step++) {
    const gradient = Math.fround(Math.sin(step) + 0.1);
    m = beta1 * m + (1 - beta1) * gradient;
    v = beta2 * v + (1 - beta2) * gradient ** 2;
    want =
      want * (1 - rate * weight_decay) -
      ((rate / (1 - beta1 ** step)) * m) / (Math.sqrt(v / (1 - beta2 ** step)) + epsilon);
    const inputs = {
      g: { data: Float32Array.of(gradient), shape: [1] },
      step: { data: Float32Array.of(step), shape: [] },
      lr: { data: Float32Array.of(rate), shape: [] },
    };
    now = { ...now, ...evaluate(g, inputs, now).updates };
    // One step moves by at most 1e-3 or so: this is a hundredth of a percent of it.
    if (step <= 20) expect(Math.abs(now['p']!.data[0]! - want)).toBeLessThan(2e-7 * step);
  }
  expect(Math.abs(now['p']!.data[0]! - want)).toBeLessThan(3e-5);
});

test('an update is one kernel for a weight and its slots', () => {
  const step = trainStep(mlp({ hidden: 64 }), {
    optimizer: () => adamw({ weight_decay: 0.1 }),
    schedule: schedule('linear', { warmup: 5, total: 10 }),
    learning_rate: 0.01,
    max_grad_norm: 1,
  });
  const { fused } = makePlan(step, cpu({ threads: 1 }).target);
  const updates = fused.groups.filter((group) => group.outputs.some((t) => t === fused.graph.updates['head.weight']));
  expect(updates.length).toBe(1);
  expect(updates[0]!.outputs).toContain(fused.graph.updates['optimizer.m.head.weight']);
  expect(updates[0]!.outputs).toContain(fused.graph.updates['optimizer.v.head.weight']);
});

test('biases and normalisations are not decayed', () => {
  const names = [
    'a.weight',
    'a.bias',
    'bert.LayerNorm.weight',
    'model.norm.weight',
    'h.0.attn_norm.weight',
    'normal.weight',
    'encoder.final_layer_norm.weight',
  ];
  expect(names.filter(decays)).toEqual(['a.weight', 'normal.weight']);
});

test('metrics of two and of three classes', () => {
  const labels = (...data: number[]): TensorData => ({ data: Int32Array.from(data), shape: [data.length] });
  const logits = (classes: number, ...best: number[]): TensorData => ({
    data: Float32Array.from(best.flatMap((b) => Array.from({ length: classes }, (_, c) => (c === b ? 1 : 0)))),
    shape: [best.length, classes],
  });
  const two = { predictions: logits(2, 1, 1, 0, 0, 1), label_ids: labels(1, 0, 0, 1, -100) };
  expect([...predictedClasses(two.predictions)]).toEqual([1, 1, 0, 0, 1]);
  expect(confusionMatrix(two)).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(classificationMetrics(two)).toEqual({ accuracy: 0.5, precision: 0.5, recall: 0.5, f1: 0.5 });
  const three = { predictions: logits(3, 0, 1, 1), label_ids: labels(0, 1, 2) };
  const { accuracy, precision, recall, f1 } = classificationMetrics(three);
  expect([accuracy, precision, recall, f1].map((x) => Number(x.toFixed(4)))).toEqual([0.6667, 0.5, 0.6667, 0.5556]);
  expect(classificationMetrics({ predictions: logits(2, 0), label_ids: labels(0) })).toEqual({
    accuracy: 1,
    precision: 0,
    recall: 0,
    f1: 0,
  });
});
