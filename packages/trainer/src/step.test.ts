/** The step as a graph: a loop without a trainer, and what the compiler makes of an update. */
import { cpu } from '@sinter/backend-cpu';
import { compile, makePlan } from '@sinter/compiler';
import { expect, test, vi } from 'vitest';
import { iris, mlp } from '../test/mlp.ts';
import { TrainingArguments } from './arguments.ts';
import { epochBatches } from './data/batches.ts';
import { dataCollatorWithPadding } from './data/collate.ts';
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
