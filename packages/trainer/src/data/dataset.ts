/** What a dataset is: a length, and examples by position. An array is one. */
import { TrainerError } from '../errors.ts';

/** An example: fields by name, such as `{ input_ids, attention_mask, label }`; numbers, or (nested) lists of numbers. */
export type Feature = object;

/** An example, or a promise of it. */
export type MaybeLater = Feature | undefined | Promise<Feature | undefined>;

/** A dataset that is asked with `at`. */
export interface DatasetWithAt {
  readonly length: number;
  /** The example at `index`, from 0. */
  at(index: number): MaybeLater;
}

/** A dataset that is asked with `get`. */
export interface DatasetWithGet {
  readonly length: number;
  /** The example at `index`, from 0. */
  get(index: number): MaybeLater;
}

/** Examples by position: an array, or anything with `at(i)` or `get(i)`, which may have to wait. */
export type Dataset = ArrayLike<Feature> | DatasetWithAt | DatasetWithGet;

/** The example at `index`. @throws TrainerError if there is none */
export async function example(dataset: Dataset, index: number): Promise<Feature> {
  const found: Feature | undefined =
    'get' in dataset && typeof dataset.get === 'function'
      ? await dataset.get(index)
      : 'at' in dataset && typeof dataset.at === 'function'
        ? await dataset.at(index)
        : (dataset as ArrayLike<Feature>)[index];
  if (typeof found !== 'object' || found === null)
    throw new TrainerError(
      `the dataset says that it has ${dataset.length} examples, but example ${index} is ${String(found)}; an example is an object of fields`,
    );
  return found;
}
