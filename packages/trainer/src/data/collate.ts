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
  /** What `input_ids` and `decoder_input_ids` are padded with. Default 0. Labels are padded with −100, all else with 0. */
  readonly pad_token_id?: number | null | undefined;
  /** Padded sizes are rounded up to a multiple of this. Default 1. */
  readonly pad_to_multiple_of?: number | undefined;
}

/** The inputs that are padded with the padding token. */
const tokenInputs = new Set(['input_ids', 'decoder_input_ids']);

/** Fields that have another name as a model input. */
const renamed: Readonly<Record<string, readonly string[]>> = { labels: ['label', 'label_ids'] };

/**
 * A collator in the manner of `DataCollatorWithPadding`: lists are padded at the end to the longest of the batch, `label`
 * becomes `labels`, an `attention_mask` that is not there is made. Fields that are no inputs are left out, and so are inputs
 * that no example of the batch has. Sizes of another name are padded by themselves: a source and the text to write of it
 * (`DataCollatorForSeq2Seq`) have each the longest of its kind.
 * @throws DataError (from the collator) naming the example that lacks a field, is ragged, or has a value out of range
 */
export function dataCollatorWithPadding(options: CollatorOptions): DataCollator {
  const { inputs, dims = {}, pad_token_id, pad_to_multiple_of = 1 } = options;
  return (features, indices) => {
    const columns = Object.entries(inputs).flatMap(
      ([name, spec]) => column(name, spec, inputs, features, indices) ?? [],
    );
    const sizes = batchSizes(columns, indices, pad_to_multiple_of, dims);
    return Object.fromEntries(
      columns.map(({ name, spec, values, padding }) => {
        const shape = spec.shape.map((d, axis) =>
          axis === 0 ? features.length : typeof d === 'number' ? d : sizes[d]!,
        );
        const pad = tokenInputs.has(name) ? (pad_token_id ?? 0) : padding;
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
  inputs: Readonly<Record<string, InputSpec>>,
  features: readonly Feature[],
  indices: readonly number[],
): Column | undefined {
  const missing = spec.optional ? undefined : (spec.missing ?? (name === 'attention_mask' ? 1 : undefined));
  const found = features.map((feature) => {
    const fields = feature as Readonly<Record<string, unknown>>;
    const key = [name, ...(renamed[name] ?? [])].find((k) => fields[k] !== undefined && fields[k] !== null);
    return key !== undefined
      ? (fields[key] as Nested)
      : missing === undefined
        ? undefined
        : usual(fields, missing, spec, inputs);
  });
  if (found.every((value) => value === undefined)) return undefined;
  const values = found.map((value, i) => value ?? fail(lacking(indices[i]!, name, features[i]!)));
  return { name, spec, values, padding: (spec.label ?? name === 'labels') ? (spec.ignored ?? -100) : 0 };
}

function fail(error: Error): never {
  throw error;
}

/** What stands for a field that is left out: `value`, as long as a field of the same shape. */
function usual(
  fields: Readonly<Record<string, unknown>>,
  value: number,
  { shape }: InputSpec,
  inputs: Readonly<Record<string, InputSpec>>,
): Nested | undefined {
  if (shape.length === 1) return value;
  const like = Object.keys(inputs).find((name) => isList(fields[name]) && inputs[name]!.shape.join() === shape.join());
  const filled = (x: unknown): Nested => (isList(x) ? Array.from(x, filled) : value);
  return like === undefined ? undefined : filled(fields[like]);
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
  indices: readonly number[],
  multiple: number,
  most: Readonly<Record<string, number>>,
): Record<string, number> {
  const longest: Record<string, number> = {};
  for (const [i, index] of indices.entries()) {
    const own: Record<string, { size: number; name: string }> = {};
    for (const { name, spec, values } of columns) {
      const wrong = (what: string): DataError => new DataError(index, name, `example ${index}${what}`);
      const sizes = sizesOf(values[i]!, spec.shape.slice(1), (what) => wrong(`: '${name}' ${what}`));
      for (const [axis, dim] of spec.shape.slice(1).entries()) {
        const size = sizes[axis]!;
        if (typeof dim === 'number') {
          if (size !== dim) throw wrong(`: '${name}' has ${size} elements along axis ${axis}, the model wants ${dim}`);
          continue;
        }
        const known = (own[dim] ??= { size, name });
        if (known.size !== size)
          throw wrong(
            ` is ragged: '${known.name}' has length ${known.size} and '${name}' length ${size}; both are '${dim}'`,
          );
        if (size > (most[dim] ?? Infinity))
          throw wrong(
            `: '${name}' has length ${size}, the model takes at most ${most[dim]}; cut it (truncation: true)`,
          );
        longest[dim] = Math.max(longest[dim] ?? 1, size);
      }
    }
  }
  for (const dim of Object.keys(longest)) {
    longest[dim] = Math.min(Math.ceil(longest[dim]! / multiple) * multiple, most[dim] ?? Infinity);
  }
  return longest;
}

/** The sizes of an example's value, which is as deep as `shape` and even. A flat list will do for a shape of numbers. */
function sizesOf(value: Nested, shape: Shape, wrong: (what: string) => DataError): number[] {
  if (isFlat(value, shape)) return shape as number[];
  const sizes: number[] = [];
  const measure = (x: unknown, axis: number): void => {
    if (isList(x) !== axis < shape.length)
      throw wrong(`is ${describe(value)}${axis > 0 ? ' of lists' : ''}; the model wants ${wanted(shape)}`);
    if (!isList(x)) return;
    if ((sizes[axis] ??= x.length) !== x.length)
      throw wrong(`is ragged: along axis ${axis} there are ${sizes[axis]} and ${x.length} elements`);
    // All elements of the last axis are looked at later, one by one.
    if (axis === shape.length - 1) measure(x[0] ?? 0, axis + 1);
    else for (let i = 0; i < x.length; i++) measure(x[i], axis + 1);
  };
  measure(value, 0);
  return shape.map((_, axis) => sizes[axis] ?? 0);
}

function isFlat(value: Nested, shape: Shape): boolean {
  const total = shape.reduce<number>((a, d) => a * (typeof d === 'number' ? d : NaN), 1);
  return shape.length > 1 && isList(value) && !isList(value[0]) && value.length === total;
}

function wanted(shape: Shape): string {
  return shape.length === 0 ? 'one number' : `a list of shape [${shape.join(', ')}]`;
}

function fill(
  name: string,
  spec: InputSpec,
  values: readonly Nested[],
  shape: readonly number[],
  pad: number,
  indices: readonly number[],
): Data {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const data = dataFor(spec.dtype, shape[0]! * strides[0]!).fill(pad);
  values.forEach((value, i) => {
    const put = (x: unknown, at: number, axis: number): void => {
      if (axis === shape.length || !isList(x)) data[at] = element(x, name, spec, indices[i]!);
      else for (let j = 0; j < x.length; j++) put(x[j], at + j * strides[axis]!, axis + 1);
    };
    put(value, i * strides[0]!, isFlat(value, spec.shape.slice(1)) ? shape.length - 1 : 1);
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
