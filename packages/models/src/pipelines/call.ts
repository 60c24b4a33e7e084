/** How a pipeline is called: with one input, with several, or with a stream of them. */
import { checkCount, results } from './runner.ts';
import type { Row, Task } from './runner.ts';

/** The options that calls of every task have. */
export interface CallOptions {
  /**
   * How many inputs are read before any is answered, so that those of like length can share a batch; of a stream no more are held at a time.
   * Default: 16 × `batch_size`.
   */
  readonly window?: number | undefined;
}

/** An argument that may be left out where none of its keys is needed. */
type Options<O> = object extends O ? [options?: O & CallOptions] : [options: O & CallOptions];

/** What a call gives: `One` for one input; for several `Each`, in their order. */
export interface Call<Input, O, One, Each = One> {
  /** One input. */
  (input: Input, ...options: Options<O>): Promise<One>;
  /** Several inputs: as many results, in their order. */
  (inputs: readonly Input[], ...options: Options<O>): Promise<Each[]>;
  /** A stream of inputs: a stream of results, in their order, as they come. */
  (inputs: Iterable<Input> | AsyncIterable<Input>, ...options: Options<O>): AsyncGenerator<Each, void>;
}

/** A chat is one input, though it is an array. */
function isOne(input: unknown): boolean {
  if (typeof input !== 'object' || input === null) return true;
  if (Array.isArray(input)) return typeof input[0] === 'object' && 'role' in (input[0] as object);
  return !(Symbol.iterator in input || Symbol.asyncIterator in input);
}

/** The function that a task is to its callers. `alone` makes the result of one input of the result that it has among others. */
export function callable<Input, O, R extends Row, Reading, Each>(
  task: Task<Input, O, R, Reading, Each>,
  window: number,
  alone: (each: Each) => unknown = (each) => each,
): Call<Input, O, unknown, Each> {
  const answer = (given: unknown, options = {} as O & CallOptions): unknown => {
    const stream = (inputs: unknown) =>
      results(task, inputs as AsyncIterable<Input>, options, checkCount('window', options.window ?? window));
    if (isOne(given))
      return stream([given])
        .next()
        .then(({ value }) => alone(value as Each));
    return Array.isArray(given) ? all(stream(given)) : stream(given);
  };
  return answer as Call<Input, O, unknown, Each>;
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
