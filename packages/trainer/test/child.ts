/** A run in a process of its own, for tests that stop it from outside: `child.ts FOLDER STEPS [resume]`. A line is printed per step. */
import { setTimeout } from 'node:timers/promises';
import { Trainer, TrainerError, TrainingArguments } from '../src/index.ts';
import { iris, mlp } from './mlp.ts';

const [output_dir, steps, resume] = process.argv.slice(2);
const args = new TrainingArguments({
  output_dir: output_dir!,
  per_device_train_batch_size: 16,
  max_steps: Number(steps),
  warmup_steps: 5,
  learning_rate: 0.01,
  save_steps: 3,
  save_total_limit: 3,
  logging_steps: 10,
  report_to: 'none',
});
const trainer = new Trainer({
  model: mlp({ hidden: 64 }),
  args,
  train_dataset: iris,
  callbacks: [
    {
      async on_step_end(_args, state) {
        console.log(`step ${state.global_step}`);
        await setTimeout(20);
      },
    },
  ],
});
try {
  await trainer.train({ resume_from_checkpoint: resume === 'resume' });
  await trainer.save_model(`${output_dir}/final`);
  console.log('done');
} catch (error) {
  if (!(error instanceof TrainerError)) throw error;
  console.log(`${error.name}: ${error.message}`);
}
