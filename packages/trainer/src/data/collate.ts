/** Makes one batch of tensors out of examples: fields are matched to the model's inputs by name, checked, and padded to the longest. */
import { dataFor } from '@sinter/ir';
import type { Data, Shape, TensorData } from '@sinter/ir';
import { DataError, TrainerError } from '../errors.ts';
import { near } from '../near.ts';
import type { InputSpec } from '../model.ts';
import type { Feature } from './dataset.ts';

/** A batch: model inputs by name. */
export type Batch = Readonly<Record<string, TensorData>>;

/** Makes a batch; `indices` are the positions of the examples in their dataset, for messages. */
export type DataCollator = (features: readonly Feature[], indices: readonly number[]) => Batch | Promise<Batch>;

/** Options of {@link dataCollatorWithPadding}. */
export interface CollatorOptions {
  /** The inputs that batches are made for. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The most that run-time sizes may be: `{ seq: 512 }`. */
  readonly dims?: Readonly<Record<string, number>> | undefined;
  /** What `input_ids` are padded with. Default 0. Labels are padded with −100, all else with 0. */
  readonly pad_token_id?: number | null | undefined;
  /** Padded sizes are rounded up to a multiple of this. Default 1. */
  readonly pad_to_multiple_of?: number | undefined;
}

/** Fields that have another name as a model input. */
const renamed: Readonly<Record<string, readonly string[]>> = { labels: ['label', 'label_ids'] };

/**
 * A collator in the manner of `DataCollatorWithPadding`: lists are padded at the end to the longest of the batch, `label`
 * becomes `labels`, an `attention_mask` that is not there is made. Fields that are no inputs are left out, and so are inputs
 * that no example of the batch has.
 * @throws DataError (from the collator) naming the example that lacks a field, is ragged, or has a value out of range
 */
export function dataCollatorWithPadding(options: CollatorOptions): DataCollator {
  const { inputs, dims = {}, pad_token_id, pad_to_multiple_of = 1 } = options;
  return (features, indices) => {
    const columns = Object.entries(inputs).flatMap(([name, spec]) => column(name, spec, features, indices) ?? []);
    const sizes = batchSizes(columns, features.length, indices, pad_to_multiple_of, dims);
    return Object.fromEntries(
      columns.map(({ name, spec, values, padding }) => {
        const shape = spec.shape.map((d, axis) =>
          axis === 0 ? features.length : typeof d === 'number' ? d : sizes[d]!,
        );
        const pad = name === 'input_ids' ? (pad_token_id ?? 0) : padding;
        return [name, { data: fill(name, spec, values, shape, pad, indices), shape }];
      }),
    );
  };
}

/** Lists of numbers, nested as deep as the shape of an example. */
type Nested = number | ArrayLike<number> | readonly Nested[];

interface Column {
  readonly name: string;
  readonly spec: InputSpec;
  readonly values: readonly Nested[];
  /** What is put where an example is shorter than the batch. */
  readonly padding: number;
}

/** The values of a field; `undefined` where no example has it and it has no usual value. */
function column(
  name: string,
  spec: InputSpec,
  features: readonly Feature[],
  indices: readonly number[],
): Column | undefined {
  const missing = spec.missing ?? (name === 'attention_mask' ? 1 : undefined);
  const found = features.map((feature) => {
    const fields = feature as Readonly<Record<string, unknown>>;
    const key = [name, ...(renamed[name] ?? [])].find((k) => fields[k] !== undefined && fields[k] !== null);
    return key !== undefined ? (fields[key] as Nested) : missing === undefined ? undefined : likeOf(fields, missing);
  });
  if (found.every((value) => value === undefined)) return undefined;
  const values = found.map((value, i) => value ?? fail(lacking(indices[i]!, name, features[i]!)));
  return { name, spec, values, padding: name === 'labels' ? (spec.ignored ?? -100) : 0 };
}

function fail(error: Error): never {
  throw error;
}

/** A field that is left out is as long as the ids. */
function likeOf(fields: Readonly<Record<string, unknown>>, value: number): Nested {
  const like = Object.values(fields).find(isList);
  return like ? new Array<number>(like.length).fill(value) : value;
}

/** The error for an example without a field that the model needs. */
export function lacking(index: number, name: string, feature: Feature): DataError {
  const has = Object.keys(feature);
  const close = near(name, has);
  return new DataError(
    index,
    name,
    `example ${index} has no field '${name}', which the model needs; it has ${has.join(', ') || 'none'}` +
      (close.length > 0 ? ` (is it ${close.join(' or ')}? Rename it)` : ''),
  );
}

/** The run-time sizes of a batch. Inside of an example a size must be the same in all fields. */
function batchSizes(
  columns: readonly Column[],
  count: number,
  indices: readonly number[],
  multiple: number,
  most: Readonly<Record<string, number>>,
): Record<string, number> {
  const longest: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const own: Record<string, { size: number; name: string }> = {};
    for (const { name, spec, values } of columns) {
      const sizes = sizesOf(values[i]!, spec.shape.slice(1), name, indices[i]!);
      spec.shape.slice(1).forEach((dim, axis) => {
        const size = sizes[axis]!;
        if (typeof dim === 'number') {
          if (size !== dim)
            throw new DataError(
              indices[i]!,
              name,
              `example ${indices[i]}: '${name}' has ${size} elements along axis ${axis}, the model wants ${dim}`,
            );
          return;
        }
        const known = (own[dim] ??= { size, name });
        if (known.size !== size)
          throw new DataError(
            indices[i]!,
            name,
            `example ${indices[i]} is ragged: '${known.name}' has length ${known.size} and '${name}' length ${size}; both are '${dim}'`,
          );
        if (size > (most[dim] ?? Infinity))
          throw new DataError(
            indices[i]!,
            name,
            `example ${indices[i]}: '${name}' has length ${size}, the model takes at most ${most[dim]}; cut it (truncation: true)`,
          );
        longest[dim] = Math.max(longest[dim] ?? 1, size);
      });
    }
  }
  for (const dim of Object.keys(longest)) {
    longest[dim] = Math.min(Math.ceil(longest[dim]! / multiple) * multiple, most[dim] ?? Infinity);
  }
  return longest;
}

/** The sizes of an example's value along the axes of `shape`. A flat list will do for a shape of numbers. */
function sizesOf(value: Nested, shape: Shape, name: string, index: number): number[] {
  if (shape.length > 1 && isList(value) && !isList(value[0])) {
    const want = shape.reduce<number>((a, d) => a * (typeof d === 'number' ? d : NaN), 1);
    if (value.length === want) return shape as number[];
  }
  const sizes: number[] = [];
  let at: unknown = value;
  for (let axis = 0; axis < shape.length; axis++) {
    if (!isList(at))
      throw new DataError(
        index,
        name,
        `example ${index}: '${name}' is ${describe(value)}; the model wants [${shape.join(', ')}]`,
      );
    sizes.push(at.length);
    at = at[0] ?? [];
  }
  return sizes;
}

function fill(
  name: string,
  spec: InputSpec,
  values: readonly Nested[],
  shape: readonly number[],
  pad: number,
  indices: readonly number[],
): Data {
  const total = shape.reduce((a, b) => a * b, 1);
  const data = dataFor(spec.dtype, total).fill(pad);
  const stride = total / Math.max(1, shape[0]!);
  values.forEach((value, i) => {
    const put = (x: Nested, offset: number, size: number, axis: number): void => {
      if (!isList(x)) {
        data[offset] = element(x, name, spec, indices[i]!);
        return;
      }
      const flat = axis < shape.length && x.length === size && !isList(x[0]);
      const step = flat ? 1 : size / shape[axis]!;
      const wrong = x.length > shape[axis]! || (typeof spec.shape[axis] === 'number' && x.length !== shape[axis]);
      if (!flat && wrong)
        throw new DataError(indices[i]!, name, `example ${indices[i]}: '${name}' is ragged along axis ${axis - 1}`);
      for (let j = 0; j < x.length; j++) put(x[j] as Nested, offset + j * step, step, flat ? shape.length : axis + 1);
    };
    put(value, i * stride, stride, 1);
  });
  return data;
}

/** One number, checked against what the input may hold. */
function element(x: unknown, name: string, spec: InputSpec, index: number): number {
  const value = typeof x === 'bigint' ? Number(x) : typeof x === 'boolean' ? Number(x) : x;
  const wrong = (wants: string): DataError =>
    new DataError(index, name, `example ${index}: '${name}' has the value ${describe(x)}; it must be ${wants}`);
  if (typeof value !== 'number') throw wrong('a number');
  if (spec.dtype === 'f32' || spec.dtype === 'f16' || spec.dtype === 'bf16') {
    if (!Number.isFinite(value)) throw wrong('finite');
    return value;
  }
  if (!Number.isInteger(value)) throw wrong('a whole number');
  const { below, ignored } = spec;
  if (below !== undefined && (value < 0 || value >= below) && value !== ignored)
    throw wrong(`from 0 to ${below - 1}${ignored === undefined ? '' : `, or ${ignored} where it does not count`}`);
  return value;
}

function isList(x: unknown): x is ArrayLike<unknown> {
  return Array.isArray(x) || (ArrayBuffer.isView(x) && !(x instanceof DataView));
}

function describe(x: unknown): string {
  if (isList(x)) return `a list of ${x.length}`;
  return typeof x === 'string' ? JSON.stringify(x) : String(x);
}

/** How many tokens a batch holds, padding not counted; where there is no text, how many examples. */
export function tokensOf(batch: Batch): number {
  const { attention_mask, input_ids } = batch;
  if (attention_mask) return (attention_mask.data as Int32Array).reduce((count, x) => count + (x === 0 ? 0 : 1), 0);
  return input_ids ? input_ids.data.length : examplesOf(batch);
}

/** How many examples a batch holds. @throws TrainerError for a batch without tensors */
export function examplesOf(batch: Batch): number {
  const first = Object.values(batch)[0];
  if (first?.shape[0] === undefined) throw new TrainerError('the collator made a batch without tensors');
  return first.shape[0];
}
