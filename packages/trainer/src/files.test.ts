/** The files of a checkpoint, read by Python's own readers; damaged ones. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { readSafetensors } from '@sinter/models';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { findPython } from '../../../tools/python.ts';
import { iris, mlp } from '../test/mlp.ts';
import { TrainingArguments } from './arguments.ts';
import { ResumeError } from './errors.ts';
import { readTensors, writeTensors } from './safetensors.ts';
import { Trainer } from './trainer.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sinter-files-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const tensors = {
  'b.é': { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1.5, -2, 3e-30, 4) },
  a: { dtype: 'u32', shape: [2], data: Uint32Array.of(42, 4294967295) },
  none: { dtype: 'f32', shape: [0], data: new Float32Array() },
  step: { dtype: 'i32', shape: [], data: Int32Array.of(-7) },
} as const;

test('tensors are read as they were written, also by the reader of models', async () => {
  const path = join(root, 'some.safetensors');
  await writeTensors(path, tensors);
  expect(await readTensors(path)).toEqual(tensors);
  const file = await readSafetensors(path);
  expect([...(await file.readF32('b.é')).data]).toEqual([...tensors['b.é'].data]);
  await file.close();
});

/** Other text of the same length in the header. */
const replaced = (whole: Buffer, from: string, to: string): Buffer => {
  expect(whole.toString('latin1')).toContain(from);
  return Buffer.from(whole.toString('latin1').replace(from, to), 'latin1');
};

test.each<[string, (whole: Buffer) => Buffer]>([
  ['it ends within its header', (whole) => whole.subarray(0, 20)],
  ['it ends within its header', (whole) => whole.subarray(0, 3)],
  ['does not lie whole within the file', (whole) => whole.subarray(0, whole.length - 1)],
  ["'none' has no shape or place", (whole) => replaced(whole, '"shape":[0]', '"shape": 0 ')],
  ["'none' has the dtype BF9", (whole) => replaced(whole, '{"dtype":"F32","shape":[0]', '{"dtype":"BF9","shape":[0]')],
  ['its header is not JSON', (whole) => Buffer.from(whole).fill(0x7b, 8, 12)],
])('a damaged file: %s', async (message, damage) => {
  const path = join(root, 'damaged.safetensors');
  await rm(path, { force: true });
  await writeTensors(path, tensors);
  await writeFile(path, damage(await readFile(path)));
  const error = await readTensors(path).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ResumeError);
  expect((error as Error).message).toContain(message);
});

const python = findPython(['transformers', 'torch', 'safetensors']);
test.skipIf(!python)(
  'Python reads trainer_state.json, the weights and the optimizer',
  async () => {
    vi.spyOn(console, 'log').mockReturnValue();
    const args = new TrainingArguments({
      output_dir: root,
      max_steps: 4,
      save_steps: 4,
      logging_steps: 2,
      eval_strategy: 'steps',
      report_to: 'none',
    });
    await using trainer = new Trainer({
      model: mlp(),
      args,
      train_dataset: iris,
      eval_dataset: iris,
      backend: cpu({ threads: 1 }),
    });
    await trainer.train();
    const script = `
import json, sys
from transformers import TrainerState
from safetensors.numpy import load_file
folder = sys.argv[1]
state = TrainerState.load_from_json(folder + "/trainer_state.json")
slots = load_file(folder + "/optimizer.safetensors")
print(json.dumps([state.global_step, len(state.log_history), state.best_metric, sorted(slots), slots["optimizer.step"].tolist(), float(load_file(folder + "/model.safetensors")["head.bias"][0])]))`;
    const { stdout, stderr } = spawnSync(python!, ['-c', script, join(root, 'checkpoint-4')], { encoding: 'utf8' });
    expect(stderr).not.toContain('Error');
    const names = ['head.bias', 'head.weight', 'hidden.bias', 'hidden.weight'];
    const slots = [
      ...names.map((n) => `optimizer.m.${n}`),
      'optimizer.step',
      ...names.map((n) => `optimizer.v.${n}`),
      'rng',
    ];
    expect(JSON.parse(stdout)).toEqual([
      4,
      4,
      trainer.state.best_metric,
      slots,
      4,
      trainer.model.parameters.get('head.bias')!.data[0],
    ]);
  },
  120_000,
);
