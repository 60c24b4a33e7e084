/** Reads examples and makes batches of them, which are checked against the program that they are for. */
import type { Program } from '@sinter/compiler';
import type { Batch, DataCollator } from './collate.ts';
import { lacking } from './collate.ts';
import type { Dataset, Feature } from './dataset.ts';
import { example } from './dataset.ts';

/** A batch, and the examples it was made of. */
export interface LoadedBatch {
  readonly batch: Batch;
  readonly features: readonly Feature[];
  readonly indices: readonly number[];
}

/** Makes a batch of the examples at `indices`. */
export async function loadBatch(
  dataset: Dataset,
  indices: readonly number[],
  collate: DataCollator,
): Promise<LoadedBatch> {
  const features = await Promise.all(indices.map((i) => example(dataset, i)));
  return { batch: await collate(features, indices), features, indices };
}

/** The inputs of a program out of a batch. @throws DataError if one is not there */
export function inputsFor(program: Program, { batch, features, indices }: LoadedBatch): Batch {
  return Object.fromEntries(
    Object.keys(program.inputs).map((name) => {
      const tensor = batch[name];
      if (!tensor) throw lacking(indices[0]!, name, features[0]!);
      return [name, tensor];
    }),
  );
}

/** The length of every example: the field `column`, or else how many `input_ids` there are. */
export async function exampleLengths(dataset: Dataset, column: string): Promise<number[]> {
  const lengths: number[] = [];
  for (let i = 0; i < dataset.length; i++) {
    const fields = (await example(dataset, i)) as Readonly<Record<string, unknown>>;
    const ids =
      fields['input_ids'] ?? Object.values(fields).find((value) => Array.isArray(value) || ArrayBuffer.isView(value));
    lengths.push(
      typeof fields[column] === 'number' ? fields[column] : ((ids as ArrayLike<unknown> | undefined)?.length ?? 0),
    );
  }
  return lengths;
}
