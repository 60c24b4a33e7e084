/**
 * Looking inside of a model, and changing what is there: any value can be asked for, replaced by that of another run (activation patching, Meng et al. 2022)
 * or taken out. The values have names because layers have places; nothing is exported for it, the graph is built with what is asked.
 */
import type { Backend } from '@sinter/compiler';
import { add, broadcastTo, constant, dimSize, full, graph as closeGraph, input, mean, mul, Tensor } from '@sinter/ir';
import type { Graph, Shape, TensorData } from '@sinter/ir';
import type { ModelOutputs } from '../architecture.ts';
import { sizesOf } from '../compiled.ts';
import type { ModelData } from '../compiled.ts';
import type { ModelConfig } from '../config.ts';
import { InputError } from '../errors.ts';
import type { PreTrainedModel } from '../model.ts';
import type { Values } from '../scope.ts';
import { edited } from './edit.ts';
import type { Edit } from './edit.ts';
import { findValues } from './names.ts';
import { ask } from './programs.ts';

/** A value that is taken out. */
export interface Ablation {
  /** Its name, see {@link TraceOptions.outputs}. */
  readonly value: string;
  /** Of attention probabilities `[batch, heads, …]`: these heads alone. Default: all of the value. */
  readonly heads?: readonly number[];
  /**
   * What takes its place: 0, or its mean over the texts and tokens of the run, padding counted (of attention probabilities over the texts alone). Default:
   * `'zero'`.
   */
  readonly by?: 'zero' | 'mean';
}

/** The options of {@link PreTrainedModel.trace}. */
export interface TraceOptions {
  /**
   * The values asked for. What stands before a name and parts inside of it may be left out, as long as one value is meant:
   * `encoder.layer.3.attention.probs`; `*` is any part: `encoder.layer.*.attention.probs`. `model.values()` lists all. Default: none.
   */
  readonly outputs?: readonly string[] | undefined;
  /**
   * What takes the place of values, by their names: data, in the shape of the value (sizes of 1 are repeated), or a function of the value. All that is computed
   * from the value is then computed of that.
   */
  readonly replace?: Readonly<Record<string, TensorData | Edit>> | undefined;
  /** The values that are taken out, after replacements. Default: none. */
  readonly ablate?: readonly (string | Ablation)[] | undefined;
  /** Where it runs. Default: `defaultBackend()`, the processor. */
  readonly backend?: Backend | undefined;
}

/** What {@link PreTrainedModel.trace} gives. */
export interface Traced {
  /** What the model gives, by name: `logits`, with labels `loss`. */
  readonly outputs: Readonly<Record<string, TensorData>>;
  /** The values asked for: under the name with which they were, or under their own where that was with `*`. */
  readonly values: Readonly<Record<string, TensorData>>;
}

/** A value of a model. */
export interface ValueInfo {
  readonly name: string;
  readonly shape: Shape;
}

/** All values of a model by name, in the order in which they are computed. */
export function valuesOf<C extends ModelConfig, O extends ModelOutputs>(model: PreTrainedModel<C, O>): ValueInfo[] {
  const names = Object.keys(model.inputs).filter((name) => !model.inputs[name]!.label);
  return [...built(model, names).values].map(([name, { shape }]) => ({ name, shape }));
}

/** See {@link PreTrainedModel.trace}. */
export async function trace<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  inputs: ModelData,
  options: TraceOptions = {},
): Promise<Traced> {
  const names = namesOf(model, inputs);
  const sizes = sizesOf(model.inputs, inputs);
  const { backend, outputs = [], replace = {}, ablate = [] } = options;
  const data = Object.entries(replace).filter((entry): entry is [string, TensorData] => typeof entry[1] !== 'function');
  const key = JSON.stringify([
    'trace',
    names,
    outputs,
    Object.entries(replace).map(([name, by]) => [name, typeof by === 'function' ? numberOf(by) : by.shape]),
    // Which sizes are repeated depends on the others.
    data.length > 0 && sizes,
    ablate,
  ]);
  const got = await ask(model, {
    backend,
    key,
    graph: () => traceGraph(model, names, options, sizes),
    inputs: { ...inputs, ...Object.fromEntries(data.map(([name, by]) => [`replace ${name}`, by])) },
  });
  const part = (prefix: string): Record<string, TensorData> =>
    Object.fromEntries(
      Object.entries(got).flatMap(([name, tensor]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
      ),
    );
  return { outputs: part('output '), values: part('value ') };
}

function traceGraph<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  names: readonly string[],
  { outputs = [], replace = {}, ablate = [] }: TraceOptions,
  sizes: Readonly<Record<string, number>>,
): Graph {
  const { values, made } = built(model, names);
  const edits = new Map<Tensor, Edit>();
  const change = (name: string, edit: Edit): void => {
    for (const tensor of findValues(values, name).values()) {
      const before = edits.get(tensor);
      edits.set(tensor, (value) => edit(before?.(value) ?? value));
    }
  };
  for (const [name, by] of Object.entries(replace))
    change(name, typeof by === 'function' ? by : (value) => handedIn(name, value, by, sizes));
  for (const what of ablate) {
    const { value, ...how } = typeof what === 'string' ? { value: what } : what;
    change(value, (tensor) => ablated(value, tensor, how));
  }
  const wanted = new Map<string, Tensor>();
  for (const [name, tensor] of Object.entries(made)) wanted.set(`output ${name}`, tensor);
  for (const name of outputs) {
    const found = findValues(values, name);
    for (const [full, tensor] of found) wanted.set(`value ${name.includes('*') ? full : name}`, tensor);
  }
  const now = edited([...wanted.values()], edits);
  return closeGraph(`${model.architecture.name} traced`, {
    outputs: Object.fromEntries([...wanted.keys()].map((name, i) => [name, now[i]!])),
  });
}

/** A model with symbolic inputs: its values and its outputs that are tensors. */
export function built<C extends ModelConfig, O extends ModelOutputs>(
  model: PreTrainedModel<C, O>,
  names: readonly string[],
): { readonly values: Values; readonly made: Readonly<Record<string, Tensor>> } {
  const values: Values = new Map();
  const symbols = names.map((name) => {
    const { shape, dtype } = model.inputs[name]!;
    return [name, input(name, shape, dtype)] as const;
  });
  const made = Object.entries(model.build(Object.fromEntries(symbols), { values }));
  return {
    values,
    made: Object.fromEntries(made.filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor)),
  };
}

/** The inputs to build a model with: those that are given, and those that have a usual value. @throws InputError for unknown ones */
export function namesOf(model: Pick<PreTrainedModel, 'inputs'>, given: ModelData): string[] {
  const unknown = Object.keys(given).find((name) => !(name in model.inputs));
  if (unknown !== undefined)
    throw new InputError(`there is no input '${unknown}'; the inputs are ${Object.keys(model.inputs).join(', ')}`);
  const sizes = sizesOf(model.inputs, given);
  return Object.entries(model.inputs).flatMap(([name, { missing, shape }]) => {
    const usual = missing !== undefined && shape.every((dim) => typeof dim === 'number' || dim in sizes);
    return name in given || usual ? [name] : [];
  });
}

function handedIn(name: string, value: Tensor, { shape }: TensorData, sizes: Readonly<Record<string, number>>): Tensor {
  const wanted = value.shape.map((dim) => dimSize(dim, sizes));
  const fits = shape.length === wanted.length && shape.every((size, i) => size === wanted[i] || size === 1);
  if (!fits)
    throw new InputError(
      `replace '${name}': the value is [${wanted.join(', ')}] in this run, the data [${shape.join(', ')}]; sizes must be the same, or 1`,
    );
  const given = value.shape.map((dim, i) => (shape[i] === wanted[i] ? dim : 1));
  return broadcastTo(input(`replace ${name}`, given, value.dtype), value.shape);
}

function ablated(name: string, value: Tensor, { heads, by = 'zero' }: Omit<Ablation, 'value'>): Tensor {
  const { shape } = value;
  // Attention probabilities are one map for each text and head; states are alike for all texts and tokens.
  const axes = shape.length === 4 ? [0] : shape.map((_, i) => i).slice(0, -1);
  const instead = broadcastTo(
    by === 'zero' ? (full([], 0, value.dtype) as Tensor) : mean(value, { axes, keepdims: true }),
    shape,
  );
  if (!heads) return instead;
  const count = shape[1];
  if (shape.length !== 4 || typeof count !== 'number')
    throw new InputError(
      `ablate '${name}': it is [${shape.join(', ')}] and has no heads; name probabilities of attention`,
    );
  const wrong = heads.find((head) => !Number.isInteger(head) || head < 0 || head >= count);
  if (wrong !== undefined) throw new InputError(`ablate '${name}': it has heads 0 to ${count - 1}, not ${wrong}`);
  const gone = Float32Array.from({ length: count }, (_, head) => (heads.includes(head) ? 1 : 0));
  const kept = gone.map((x) => 1 - x);
  const mask = (data: Float32Array): Tensor => constant(data, [1, count, 1, 1]);
  return add(mul(value, mask(kept)), mul(instead, mask(gone))) as Tensor;
}

/** A number for each function, for keys. */
function numberOf(edit: Edit): number {
  const known = numbers.get(edit) ?? ++functions;
  numbers.set(edit, known);
  return known;
}
const numbers = new WeakMap<Edit, number>();
let functions = 0;
