/** What is compiled, wherever it comes from: graphs that share state, and what goes into the artifact with them. */
import type { Data, DType, Graph } from '@sinter/ir';
import { graphDims } from '@sinter/ir';
import type { InputSpec } from '@sinter/models';
import type { Dims } from '../../arguments/dims.ts';
import { showDim } from '../../arguments/dims.ts';
import { UsageError } from '../../errors.ts';

/** The value of a tensor. */
export interface StateValue {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Data;
}

/** Entry points, the first values of their state, and files that go along. */
export interface Source {
  /** The name of the artifact, if nobody gives another. */
  readonly name: string;
  readonly entries: Readonly<Record<string, Graph>>;
  /** First values of state, by name; `f16` where the state is `f32` is widened when it is loaded. State that is not here begins at zero. */
  readonly weights: ReadonlyMap<string, StateValue>;
  /** The most that run-time sizes may be. */
  readonly limits: Readonly<Record<string, number>>;
  /** What is known of the values of inputs. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Files by name: configuration and tokenizer. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** What the artifact says of where it comes from. */
  readonly about: Readonly<Record<string, unknown>>;
}

/** Given sizes, completed by the limits of the source. @throws UsageError for a size that no entry has, or that is above its limit */
export function dimsOf(source: Source, given: Dims): Dims {
  const names = new Set(Object.values(source.entries).flatMap(graphDims));
  for (const name of Object.keys(given))
    if (!names.has(name))
      throw new UsageError(
        `--dims: there is no run-time size '${name}'; there are: ${[...names].join(', ') || '(none)'}`,
      );
  return Object.fromEntries(
    [...names].sort().map((name) => {
      const [dim, limit = Infinity] = [given[name] ?? {}, source.limits[name]];
      const most = typeof dim === 'number' ? dim : dim.max;
      if (most !== undefined && most > limit)
        throw new UsageError(`--dims: '${name}=${showDim(dim)}': ${source.name} takes at most ${name}=${limit}`);
      if (typeof dim === 'number') return [name, dim];
      return [name, { ...dim, ...(limit < Infinity && { max: Math.min(dim.max ?? limit, limit) }) }];
    }),
  );
}

/** The part of the sizes that a graph has. */
export function dimsFor(g: Graph, dims: Dims): Dims {
  return Object.fromEntries(graphDims(g).flatMap((name) => (dims[name] === undefined ? [] : [[name, dims[name]]])));
}
