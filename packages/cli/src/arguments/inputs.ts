/** `--input name=VALUE`: tensors as JSON, on the command line or in a file. */
import { readFileSync } from 'node:fs';
import type { TensorInfo } from '@sinter/compiler/artifact';
import type { DType, TensorData } from '@sinter/ir';
import { dataFrom, showShape } from '@sinter/ir';
import { CliError, UsageError } from '../errors.ts';

/** What was given for each input, as JSON values. */
export type GivenInputs = Readonly<Record<string, unknown>>;

/**
 * Reads `name=JSON` or `name=@file.json`; a name that was said `before` is an error.
 * @throws UsageError if it is neither; CliError if the file cannot be read
 */
export function parseInput(text: string, before: GivenInputs = {}): GivenInputs {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new UsageError(`--input: '${text}': write name=[[1, 2]] or name=@file.json`);
  if (Object.hasOwn(before, name)) throw new UsageError(`--input: '${name}' is given twice`);
  const file = value.startsWith('@') ? value.slice(1) : undefined;
  const json = file === undefined ? value : readText(file);
  try {
    return { ...before, [name]: JSON.parse(json) as unknown };
  } catch (cause) {
    throw new UsageError(`--input: '${name}': ${file ?? `'${value}'`} is not JSON (${(cause as Error).message})`, {
      cause,
    });
  }
}

/**
 * The tensors of a run. A value is a number, nested lists of numbers, or `{ "shape": […], "data": […] }`.
 * @throws UsageError for a name that there is no input of, and for what is no tensor
 */
export function tensorsOf(given: GivenInputs, ports: Readonly<Record<string, TensorInfo>>): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const port = ports[name];
      if (!port)
        throw new UsageError(
          `--input: there is no input '${name}'; the inputs are ${Object.keys(ports).join(', ') || '(none)'}`,
        );
      return [name, tensorOf(name, value, port)];
    }),
  );
}

function tensorOf(name: string, value: unknown, { dtype, shape }: TensorInfo): TensorData {
  const fail = (why: string): never => {
    throw new UsageError(`--input: '${name}' is ${dtype}${showShape(shape)}: ${why}`);
  };
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { shape: at, data } = value as { readonly shape?: unknown; readonly data?: unknown };
    if (!isNumbers(at) || !isNumbers(data)) return fail('an object must be { "shape": […], "data": […] }');
    return { shape: at, data: typed(data, dtype, fail) };
  }
  const sizes: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0] as unknown) sizes.push(at.length);
  const flat: number[] = [];
  const walk = (at: unknown, axis: number): void => {
    if (axis === sizes.length) {
      if (typeof at !== 'number' && typeof at !== 'boolean') fail(`${JSON.stringify(at)} is no number`);
      flat.push(Number(at));
    } else if (Array.isArray(at) && at.length === sizes[axis]) at.forEach((item) => walk(item, axis + 1));
    else fail(`lists of one level must have one length, here ${sizes[axis]}`);
  };
  walk(value, 0);
  return { shape: sizes, data: typed(flat, dtype, fail) };
}

function typed(values: readonly number[], dtype: DType, fail: (why: string) => never): TensorData['data'] {
  const real = dtype === 'f32' || dtype === 'f16' || dtype === 'bf16';
  const odd = real ? undefined : values.find((x) => !Number.isInteger(x));
  if (odd !== undefined) fail(`${odd} is no whole number`);
  return dataFrom(dtype, values);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => typeof x === 'number');
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CliError(`--input: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
