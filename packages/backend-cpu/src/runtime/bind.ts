/** From the data handed to a run to the run-time sizes: everything about it is checked before memory is touched. */
import type { Data, DType, Sizes, TensorData } from '@sinter/ir';
import { bindSizes, dimNames, holds, ShapeError, showShape } from '@sinter/ir';
import type { Artifact, DimRange } from '@sinter/compiler/artifact';

/** What the checks need to know of a program. */
export type Signature = Pick<Artifact, 'name' | 'dims' | 'inputs'>;

/** The run-time sizes that `given` implies, or a `ShapeError` that says which input or size does not fit. */
export function sizesOf(program: Signature, given: Readonly<Record<string, TensorData>>): Sizes {
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
      throw new ShapeError(`program '${program}': '${dim}' is ${size}, but it was compiled for ${showRange(range)}`);
    }
  }
}

/** The sizes that have only one possible value. */
export function fixedSizes(dims: Artifact['dims']): Record<string, number> {
  return Object.fromEntries(Object.entries(dims).flatMap(([dim, { min, max }]) => (min === max ? [[dim, min]] : [])));
}

/** Run-time sizes that `shape` depends on and that are not fixed. */
export function freeDims(shape: readonly (number | string)[], dims: Artifact['dims']): string[] {
  const fixed = fixedSizes(dims);
  return shape.flatMap(dimNames).filter((dim) => !(dim in fixed));
}

/** The name of the typed array that holds elements of `dtype`. */
function arrayOf(dtype: DType): string {
  switch (dtype) {
    case 'f32':
      return 'a Float32Array';
    case 'f16':
    case 'bf16':
      return 'a Uint16Array (the bits)';
    case 'i32':
      return 'an Int32Array';
    case 'u32':
      return 'a Uint32Array';
    case 'i8':
      return 'an Int8Array';
    case 'u8':
    case 'bool':
      return 'a Uint8Array';
    default:
      return dtype satisfies never;
  }
}

/** Whether `data` fits a tensor of `dtype` with `count` elements; if not, what is wrong with it. */
export function misfit(data: Data, dtype: DType, count: number): string | undefined {
  if (!holds(data, dtype)) return `its data must be ${arrayOf(dtype)}, not ${data.constructor.name}`;
  return data.length === count ? undefined : `it has ${count} elements, the data ${data.length}`;
}

function showRange({ min, max }: DimRange): string {
  return min === max ? `${min} only` : `${min} to ${max}`;
}
