/** The step as a graph: a loop without a trainer, and what the compiler makes of an update. */
import { cpu } from '@sinter/backend-cpu';
import { compile, makePlan } from '@sinter/compiler';
import type { Graph } from '@sinter/ir';
import { dataFor, evaluate, graphRoots, topological } from '@sinter/ir';
import { expect, test, vi } from 'vitest';
import { iris, mlp } from '../test/mlp.ts';
import { TrainingArguments } from './arguments.ts';
import { epochBatches } from './data/batches.ts';
import { dataCollatorWithPadding } from './data/collate.ts';
import type { TrainableModel } from './model.ts';
import { adamw } from './optimizers/adamw.ts';
import { decays } from './optimizers/decay.ts';
import { schedule } from './schedules.ts';
import { trainStep } from './step.ts';
import { Trainer } from './trainer.ts';
import { stepOptions } from './training-step.ts';

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

test('gradient checkpointing trains the same, and a model that cannot is told', async () => {
  const args = new TrainingArguments({ gradient_checkpointing: true });
  const options = stepOptions(args, { warmup: 0, max_steps: 10 });
  expect(options.gradient_checkpointing).toBe(true);
  const [plain, again] = [trainStep(mlp(), { ...options, gradient_checkpointing: false }), trainStep(mlp(), options)];
  const tanhs = (g: Graph): number => topological(graphRoots(g)).filter((t) => t.op.name === 'tanh').length;
  expect([tanhs(plain), tanhs(again)]).toEqual([1, 2]);
  const weights = Object.fromEntries(
    Object.entries(plain.state).map(([name, { shape, dtype }]) => {
      const count = (shape as number[]).reduce((a, b) => a * b, 1);
      return [name, mlp().parameters.get(name) ?? { shape: shape as number[], data: dataFor(dtype, count) }];
    }),
  );
  const batch = await dataCollatorWithPadding(mlp())(iris.slice(0, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
  expect(evaluate(again, batch, weights)).toEqual(evaluate(plain, batch, weights));

  const model = mlp();
  const whole: TrainableModel = { ...model, build: (inputs, { key } = {}) => model.build(inputs, key && { key }) };
  expect(() => trainStep(whole, options)).toThrow(
    'gradient_checkpointing is on, but the model wraps no part of itself',
  );
});
