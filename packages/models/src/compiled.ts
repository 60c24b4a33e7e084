/** A model that is compiled for inference: a function from data to data. */
import type { Program } from '@sinter/compiler';
import { dimSize } from '@sinter/ir';
import type { TensorData } from '@sinter/ir';
import { InputError } from './errors.ts';
import type { InputSpec } from './architecture.ts';

/** Inputs by name: the answer of a tokenizer called with `return_tensors: 'i32'` is one. */
export type ModelData = Readonly<Record<string, TensorData>>;

/** Call it with inputs; it gives the outputs it was compiled for. `await using` or {@link CompiledModel.close} frees its memory. */
export interface CompiledModel {
  /**
   * One run. Inputs with a usual value (`attention_mask`, `token_type_ids`) may be left out.
   * @throws InputError for values out of range; ShapeError for names and shapes that do not fit
   */
  (inputs: ModelData): Promise<Record<string, TensorData>>;
  /** The program, whose state holds the weights. */
  readonly program: Program;
  /** Frees the program and the weights that it holds. */
  close(): void;
  /** As {@link CompiledModel.close}, once the runs under way are done. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a program callable. `dims` are the most of each run-time size. */
export function compiledModel(
  program: Program,
  inputs: Readonly<Record<string, InputSpec>>,
  dims: Readonly<Record<string, number>>,
): CompiledModel {
  const call = async (given: ModelData): Promise<Record<string, TensorData>> => {
    checkInputs(inputs, dims, given);
    return program.run(withMissing(Object.keys(program.inputs), inputs, given));
  };
  return Object.assign(call, {
    program,
    close: () => program.close(),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  });
}

/**
 * Checks what shapes do not say: ids and labels out of range, more tokens than a model has positions.
 * @throws InputError that says which value, where, and the range
 */
export function checkInputs(
  specs: Readonly<Record<string, InputSpec>>,
  dims: Readonly<Record<string, number>>,
  given: ModelData,
): void {
  for (const [name, { data, shape }] of Object.entries(given)) {
    const spec = specs[name];
    if (spec === undefined) continue;
    spec.shape.forEach((dim, axis) => {
      const most = typeof dim === 'string' ? dims[dim] : undefined;
      if (most !== undefined && shape[axis]! > most)
        throw new InputError(
          `${name} is [${shape.join(', ')}]: ${shape[axis]} is more than the ${most} that '${dim}' may be; cut the texts (truncation: true)`,
        );
    });
    const { below, ignored } = spec;
    if (below === undefined) continue;
    const at = data.findIndex((value) => (value < 0 || value >= below) && value !== ignored);
    if (at < 0) continue;
    const position = shape.map((_, i) => Math.floor(at / shape.slice(i + 1).reduce((a, b) => a * b, 1)) % shape[i]!);
    const but = ignored === undefined ? '' : `, or ${ignored} for "does not count"`;
    throw new InputError(
      `${name}[${position.join(', ')}] is ${data[at]}; it must be a whole number from 0 to ${below - 1}${but}`,
    );
  }
}

/** The run-time sizes of a run, by the inputs that are given. */
export function sizesOf(specs: Readonly<Record<string, InputSpec>>, given: ModelData): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, { shape }] of Object.entries(given))
    specs[name]?.shape.forEach((dim, axis) => {
      if (typeof dim === 'string' && shape[axis] !== undefined) sizes[dim] = shape[axis];
    });
  return sizes;
}

/** What is given, with those of the inputs `names` that are left out, have a usual value, and are as large as others. */
export function withMissing(
  names: readonly string[],
  specs: Readonly<Record<string, InputSpec>>,
  given: ModelData,
): ModelData {
  const sizes = sizesOf(specs, given);
  const all: Record<string, TensorData> = { ...given };
  for (const name of names) {
    const { missing, shape: dims = [] } = specs[name] ?? {};
    if (missing === undefined || name in all || !dims.every((dim) => typeof dim === 'number' || dim in sizes)) continue;
    const shape = dims.map((dim) => dimSize(dim, sizes));
    all[name] = { shape, data: new Int32Array(shape.reduce((a, b) => a * b, 1)).fill(missing) };
  }
  return all;
}
