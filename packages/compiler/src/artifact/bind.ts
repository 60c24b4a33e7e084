/** From the data handed to a run to the run-time sizes: everything about it is checked before memory is touched. */
import type { Data, DType, Shape, Sizes, TensorData } from '@sinter/ir';
import { bindSizes, dataFor, dimNames, holds, sameShape, ShapeError, shapeSize, showShape } from '@sinter/ir';
import { BackendError } from './errors.ts';
import type { Artifact, DimRange, Port, Ports } from './format.ts';

/** What the checks of a run's inputs need to know of a program. */
export type Signature = Pick<Artifact, 'name' | 'dims' | 'inputs'>;

/**
 * The run-time sizes that the shapes of a program's inputs imply.
 *
 * @throws ShapeError that says which input or size does not fit: a name, rank, size, dtype, or a size out of its range.
 */
export function bindInputs(
  program: Signature,
  given: Readonly<Record<string, TensorData>>,
): Readonly<Record<string, number>> {
  const { name, dims, inputs } = program;
  const sizes = bindSizes(inputs, given, { known: fixedSizes(dims) });
  checkSizes(name, dims, sizes);
  for (const [key, { dtype, shape }] of Object.entries(inputs)) {
    const { data } = given[key]!;
    const wrong = misfit(data, dtype, data.length);
    if (wrong !== undefined) throw new ShapeError(`input '${key}' is ${dtype}${showShape(shape)}: ${wrong}`);
  }
  return sizes;
}

/** An output of a run: its sizes, the number of its elements, and the array that it is to be written into, if there is one. */
export interface BoundOutput {
  readonly name: string;
  readonly port: Port;
  readonly shape: readonly number[];
  readonly count: number;
  readonly data: Data | undefined;
}

/**
 * The outputs of a run, with the arrays that were handed in for them.
 *
 * @throws ShapeError for an array of another dtype or length.
 */
export function bindOutputs(outputs: Ports, sizes: Sizes, given: Readonly<Record<string, Data>> = {}): BoundOutput[] {
  return Object.entries(outputs).map(([name, port]) => {
    const shape = shapeSize(port.shape, sizes);
    const count = shape.reduce((a, b) => a * b, 1);
    const data = given[name];
    const wrong = data && misfit(data, port.dtype, count);
    if (wrong !== undefined) throw new ShapeError(`output '${name}' is ${port.dtype}${showShape(shape)}: ${wrong}`);
    return { name, port, shape, count, data };
  });
}

/** Throws a `ShapeError` unless every run-time size has a value within its range. */
export function checkSizes(program: string, dims: Artifact['dims'], sizes: Sizes): void {
  for (const [dim, range] of Object.entries(dims)) {
    const size = sizes[dim];
    if (size === undefined) {
      throw new ShapeError(
        `program '${program}': the size '${dim}' has no value; known: ${Object.keys(sizes).join(', ') || '(none)'}`,
      );
    }
    if (!Number.isInteger(size) || size < range.min || size > range.max) {
      throw new ShapeError(
        `program '${program}': '${dim}' is ${size}, but it was built for ${showRange(range)}; build it for a wider range`,
      );
    }
  }
}

/** The sizes that have only one possible value. */
export function fixedSizes(dims: Artifact['dims']): Record<string, number> {
  return Object.fromEntries(Object.entries(dims).flatMap(([dim, { min, max }]) => (min === max ? [[dim, min]] : [])));
}

/** Run-time sizes that `shape` depends on and that are not fixed. */
export function freeDims(shape: Shape, dims: Artifact['dims']): string[] {
  const fixed = fixedSizes(dims);
  return shape.flatMap(dimNames).filter((dim) => !(dim in fixed));
}

/**
 * What is wrong with `data` for a tensor of `dtype` with `count` elements, or `undefined` if it fits: as the whole tensor,
 * or, where `at` is given, as the piece of it that begins with element `at`.
 */
export function misfit(data: Data, dtype: DType, count: number, at?: number): string | undefined {
  if (!holds(data, dtype)) {
    const wanted = dataFor(dtype, 0).constructor.name;
    return `its data must be ${wanted.startsWith('I') ? 'an' : 'a'} ${wanted}, not ${data.constructor.name}`;
  }
  if (at === undefined) return data.length === count ? undefined : `it has ${count} elements, the data ${data.length}`;
  const fits = Number.isInteger(at) && at >= 0 && at + data.length <= count;
  return fits ? undefined : `it has ${count} elements, which ${data.length} from element ${at} on do not fit into`;
}

function showRange({ min, max }: DimRange): string {
  return min === max ? `${min} only` : `${min} to ${max}`;
}

/**
 * The state of a program that `held` (what programs share already) lacks, with sizes as numbers.
 *
 * @throws BackendError where a state depends on a run-time size, or is held with another dtype or shape.
 */
export function newState(program: Pick<Artifact, 'name' | 'dims' | 'state'>, held: Ports): Ports {
  const fresh = Object.entries(program.state).flatMap(([name, port]): [string, Port][] => {
    const what = `program '${program.name}': state '${name}' is ${port.dtype}${showShape(port.shape)}`;
    const free = freeDims(port.shape, program.dims);
    if (free.length > 0)
      throw new BackendError(
        `${what}, but state cannot depend on a run-time size; fix ${free.join(', ')} when compiling`,
      );
    const shape = shapeSize(port.shape, fixedSizes(program.dims));
    const known = Object.hasOwn(held, name) ? held[name] : undefined;
    if (!known) return [[name, { ...port, shape }]];
    if (known.dtype !== port.dtype || !sameShape(known.shape, shape)) {
      throw new BackendError(
        `${what}, but the shared state of that name is ${known.dtype}${showShape(known.shape)}; rename one of them, or do not share`,
      );
    }
    return [];
  });
  return Object.fromEntries(fresh);
}
