/**
 * Checkpoint folders `checkpoint-<step>`. One is written under another name, flushed to the disk, and then renamed: a
 * folder of that name is always whole, and a list of its files with their hashes tells whether it still is. The names of the files are
 * those of transformers, less the pickles.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Data } from '@sinter/ir';
import type { TrainingArguments } from './arguments.ts';
import type { TrainerState } from './callbacks/callback.ts';
import { ResumeError, TrainerError } from './errors.ts';
import type { ProcessingClass, TrainableModel } from './model.ts';
import type { Plateau } from './plateau.ts';
import type { StoredTensor } from './safetensors.ts';
import { damageIn, writeManifest } from './manifest.ts';
import { readTensors, writeTensors } from './safetensors.ts';
import { stableJson } from './stable-json.ts';

/** What a run knows that `trainer_state.json` has no key for. */
export interface LoopState {
  /** Examples of the training dataset. */
  examples: number;
  /** Sum of the losses of all steps. */
  loss_sum: number;
  /** The same since the last log. */
  loss_since_log: number;
  /** The step of the last log. */
  logged_step: number;
  /** What `reduce_lr_on_plateau` remembers of evaluations. */
  plateau?: Plateau;
}

/** What a checkpoint is made of. */
export interface Checkpoint {
  readonly state: TrainerState;
  readonly loop: LoopState;
  readonly args: TrainingArguments;
  /** Optimizer slots, step counter and random state; without them nothing can be resumed. */
  readonly optimizer: Readonly<Record<string, StoredTensor>> | undefined;
}

const optimizerFile = 'optimizer.safetensors';
const stateFile = 'trainer_state.json';
const loopFile = 'loop_state.json';
const argsFile = 'training_args.json';

/** Writes model, tokenizer and `training_args.json` into a folder. */
export async function writeModel(
  folder: string,
  model: TrainableModel,
  args: TrainingArguments,
  processing?: ProcessingClass,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (model.save_pretrained) await model.save_pretrained(folder);
  else {
    await writeFile(join(folder, 'config.json'), stableJson(model.config));
    await rm(join(folder, 'model.safetensors'), { force: true });
    await writeTensors(join(folder, 'model.safetensors'), Object.fromEntries(model.parameters));
  }
  await processing?.save_pretrained?.(folder);
  await writeFile(join(folder, argsFile), stableJson(args));
}

/**
 * Writes a checkpoint. It is there, whole, when this returns, and not at all if it throws.
 * @throws TrainerError naming `lastGood`, the resumable checkpoint that this run has already
 */
export async function writeCheckpoint(
  folder: string,
  model: TrainableModel,
  { state, loop, args, optimizer }: Checkpoint,
  processing: ProcessingClass | undefined,
  lastGood: string | undefined,
): Promise<void> {
  const temporary = join(dirname(folder), `tmp-${basename(folder)}`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await writeModel(temporary, model, args, processing);
    // Readers of transformers before 4.50 refuse a key they do not know.
    const { best_global_step, ...portable } = state;
    await writeFile(join(temporary, stateFile), stableJson(portable));
    if (optimizer) {
      await writeFile(join(temporary, loopFile), stableJson({ ...loop, best_global_step }));
      await writeTensors(join(temporary, optimizerFile), optimizer);
    }
    await writeManifest(temporary);
    await flush(temporary);
    await replace(temporary, folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw new TrainerError(
      `the checkpoint ${folder} could not be written: ${(cause as Error).message}. Make room, or check the rights on the folder. ` +
        (lastGood !== undefined ? `The last good checkpoint is ${lastGood}.` : 'There is no earlier checkpoint.'),
      { cause },
    );
  }
}

/** Everything below a folder, and the folder itself, onto the disk. */
async function flush(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await flush(path);
    else await sync(path);
  }
  await syncFolder(folder);
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}

/** Windows cannot flush a folder, and does not need to. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

/** Renames `from` to `to`; a folder that is there already is moved away first, because a folder cannot be renamed onto another. */
async function replace(from: string, to: string): Promise<void> {
  const old = join(dirname(to), `tmp-old-${basename(to)}`);
  await rm(old, { recursive: true, force: true });
  await rename(to, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(from, to);
  await syncFolder(dirname(to));
  await rm(old, { recursive: true, force: true });
}

/** The checkpoints in a folder, oldest first. */
export async function checkpoints(output_dir: string): Promise<string[]> {
  const names = await readdir(output_dir).catch(() => []);
  return names
    .flatMap((name) => {
      const step = /^checkpoint-(\d+)$/.exec(name)?.[1];
      return step === undefined ? [] : [{ name, step: Number(step) }];
    })
    .sort((a, b) => a.step - b.step)
    .map(({ name }) => join(output_dir, name));
}

/** The checkpoints that a run can be resumed from, newest first. */
export async function resumableCheckpoints(output_dir: string): Promise<string[]> {
  const all = (await checkpoints(output_dir)).reverse();
  const found = await Promise.all(all.map((folder) => stat(join(folder, optimizerFile)).catch(() => undefined)));
  return all.filter((_, i) => found[i]?.isFile());
}

/** The newest checkpoint that a run can be resumed from. One that is damaged is passed over, and `onDamaged` is told. */
export async function lastCheckpoint(
  output_dir: string,
  onDamaged: (folder: string, damage: string) => void = () => {},
): Promise<string | undefined> {
  for (const folder of await resumableCheckpoints(output_dir)) {
    const damage = await damageIn(folder);
    if (damage === undefined) return folder;
    onDamaged(folder, damage);
  }
  return undefined;
}

/** Deletes the oldest checkpoints beyond `limit`, but never one of `keep`. */
export async function rotate(
  output_dir: string,
  limit: number | null,
  keep: readonly (string | null)[],
): Promise<void> {
  if (limit === null) return;
  const all = await checkpoints(output_dir);
  const spare = all.filter((folder) => !keep.includes(folder));
  for (const folder of spare.slice(0, Math.max(0, all.length - limit)))
    await rm(folder, { recursive: true, force: true });
}

/** What is needed to go on. */
export interface Resumed {
  readonly state: TrainerState;
  readonly loop: LoopState;
  readonly optimizer: Readonly<Record<string, Data>>;
}

/**
 * Reads a checkpoint and puts its weights into the model.
 * @throws ResumeError if it is missing or damaged, or was made with another order of data or other optimizer state
 */
export async function readCheckpoint(
  folder: string,
  model: TrainableModel,
  now: { readonly args: TrainingArguments; readonly examples: number; readonly optimizer: readonly string[] },
): Promise<Resumed> {
  const damage = await damageIn(folder);
  if (damage !== undefined)
    throw new ResumeError(folder, `${folder} is damaged: ${damage}. Resume from another checkpoint.`);
  const portable = await readJson<Omit<TrainerState, 'best_global_step'>>(folder, stateFile);
  const { best_global_step, ...loop } = await readJson<LoopState & Pick<TrainerState, 'best_global_step'>>(
    folder,
    loopFile,
  );
  const before = await readJson<TrainingArguments>(folder, argsFile);
  const changed = changes({ ...before, examples: loop.examples }, { ...now.args, examples: now.examples });
  if (changed.length > 0)
    throw new ResumeError(
      folder,
      `${folder} is of a run whose data came in another order: ${changed.join('; ')}. Set these as they were, or begin anew.`,
    );
  const stored = await readTensors(join(folder, optimizerFile));
  const lacks = now.optimizer.filter((name) => !stored[name]);
  const extra = Object.keys(stored).filter((name) => !now.optimizer.includes(name));
  if (lacks.length + extra.length > 0)
    throw new ResumeError(
      folder,
      `${folder} is of another model or optimizer: it lacks ${lacks.join(', ') || 'nothing'}, and has ${extra.join(', ') || 'nothing'} besides`,
    );
  await readWeights(folder, model);
  return {
    state: { ...portable, best_global_step },
    loop,
    optimizer: Object.fromEntries(Object.entries(stored).map(([name, { data }]) => [name, data])),
  };
}

/** Replaces the weights of a model by those in a folder. @throws ResumeError if they are not its weights */
export async function readWeights(folder: string, model: TrainableModel): Promise<void> {
  const index = await readFile(join(folder, 'model.safetensors.index.json'), 'utf8').catch(() => undefined);
  const files =
    index === undefined
      ? ['model.safetensors']
      : Object.values((JSON.parse(index) as { weight_map: Record<string, string> }).weight_map);
  const stored: Record<string, StoredTensor> = {};
  for (const file of new Set(files)) Object.assign(stored, await readTensors(join(folder, file)));
  for (const [name, { data, dtype }] of model.parameters) {
    const found = stored[name];
    if (found?.dtype !== dtype || found.data.length !== data.length)
      throw new ResumeError(
        folder,
        `${folder} is of another model: the weight '${name}' is ${found ? `${found.dtype}[${found.shape.join(', ')}]` : 'not there'}`,
      );
  }
  for (const [name, weight] of model.parameters) weight.data = stored[name]!.data as Float32Array;
}

const orderOfData = [
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'seed',
  'data_seed',
  'train_sampling_strategy',
  'group_by_length',
  'length_column_name',
  'dataloader_drop_last',
  'examples',
] as const;

type OrderOfData = Pick<TrainingArguments, Exclude<(typeof orderOfData)[number], 'examples'>> & {
  readonly examples: number;
};

function changes(before: OrderOfData, now: OrderOfData): string[] {
  return orderOfData.flatMap((key) =>
    before[key] === now[key] ? [] : [`${key} was ${String(before[key])} and is ${String(now[key])}`],
  );
}

async function readJson<T>(folder: string, name: string): Promise<T> {
  try {
    return JSON.parse(await readFile(join(folder, name), 'utf8')) as T;
  } catch (cause) {
    throw new ResumeError(
      folder,
      `${folder} is not a checkpoint that a run can be resumed from: ${name}: ${(cause as Error).message}`,
      { cause },
    );
  }
}
