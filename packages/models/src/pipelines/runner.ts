/**
 * What all pipelines share: inputs become rows of tokens, rows of like length share a batch so that little of it is padding, and results come in
 * the order of the inputs. Of a stream no more than a window is held at a time.
 */
import { PipelineError } from './errors.ts';

/** One text, or two, as a model reads them. */
export interface Row {
  readonly input_ids: readonly number[];
  readonly token_type_ids?: readonly number[] | undefined;
}

/** One task, in pure steps around {@link Task.run}. */
export interface Task<Input, Options, R extends Row, Reading, Result> {
  /** The rows of an input: one, or some where it is long or has many parts. */
  rows(input: Input, options: Options): readonly R[];
  /** What the model says of each row of a batch. */
  run(rows: readonly R[], options: Options): Promise<readonly Reading[]>;
  /** What that means for the input. */
  result(input: Input, readings: readonly Reading[], rows: readonly R[], options: Options): Result;
  /** Whether a batch may have so many rows, between so many tokens. One row always may. */
  fits(rows: number, longest: number, shortest: number, options: Options): boolean;
}

/** The results of a stream of inputs, in order. `window` inputs at a time are sorted by length. */
export async function* results<Input, Options, R extends Row, Reading, Result>(
  task: Task<Input, Options, R, Reading, Result>,
  inputs: Iterable<Input> | AsyncIterable<Input>,
  options: Options,
  window: number,
): AsyncGenerator<Result, void> {
  for await (const some of windows(inputs, window)) {
    const rows = some.map((input) => task.rows(input, options));
    const readings = await byLength(
      rows.flat(),
      (count, longest, shortest) => task.fits(count, longest, shortest, options),
      (batch) => task.run(batch, options),
    );
    let at = 0;
    for (const [i, input] of some.entries()) {
      const own = rows[i]!;
      yield task.result(input, readings.slice(at, (at += own.length)), own, options);
    }
  }
}

/** Runs rows in batches, the longest first, so that rows of like length share one; readings come in the order of the rows. */
export async function byLength<R extends Row, Reading>(
  rows: readonly R[],
  fits: (rows: number, longest: number, shortest: number) => boolean,
  run: (batch: readonly R[]) => Promise<readonly Reading[]>,
): Promise<Reading[]> {
  const length = (row: number): number => rows[row]!.input_ids.length;
  const order = Array.from(rows.keys()).sort((a, b) => length(b) - length(a));
  const readings = new Array<Reading>(rows.length);
  for (let from = 0, to = 1; from < order.length; from = to++) {
    const longest = length(order[from]!);
    while (to < order.length && fits(to + 1 - from, longest, length(order[to]!))) to++;
    const batch = order.slice(from, to);
    const read = await run(batch.map((row) => rows[row]!));
    batch.forEach((row, i) => (readings[row] = read[i]!));
  }
  return readings;
}

/** Up to `size` at a time, as they come. */
async function* windows<T>(inputs: Iterable<T> | AsyncIterable<T>, size: number): AsyncGenerator<T[], void> {
  let window: T[] = [];
  for await (const input of inputs) {
    window.push(input);
    if (window.length < size) continue;
    yield window;
    window = [];
  }
  if (window.length > 0) yield window;
}

/** @throws PipelineError unless it is a whole number of at least 1 */
export function checkCount(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new PipelineError(`${name} is ${value}; it must be a whole number from 1 on`);
}
