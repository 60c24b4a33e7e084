/**
 * Where a model function stands in the model: it declares parameters by the names of the checkpoint at the point of use, so
 * that loading weights is a lookup. After the `VarBuilder` of candle (`vb.pp("layer").pp(0)`).
 */
import { checkpoint, dropout, sameShape, ShapeError, showShape, state, Tensor } from '@sinter/ir';
import type { Checkpointable } from '@sinter/ir';
import type { Init } from './init.ts';

/** A parameter as a model declares it. */
export interface Parameter {
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  readonly init: Init;
}

/** A place in a model, such as `bert.encoder.layer.0`. */
export interface Scope {
  /** The place: names joined by dots; empty at the root. */
  readonly path: string;
  /** Whether the graph is for training, in which case {@link Scope.dropout} drops. */
  readonly training: boolean;
  /** The place below this one: `scope.at('layer', 0)` or `scope.at('layer').at(0)`. */
  at(...names: readonly (string | number)[]): Scope;
  /**
   * The parameter `name` of this place as an `f32` state of the graph. Asking twice gives the same tensor, which is how weights are
   * shared. @throws ShapeError if it was declared with another shape
   */
  param<const S extends readonly number[]>(name: string, shape: S, init: Init): Tensor<S, 'f32'>;
  /** Each element zeroed with probability `p` and the others scaled up while training; `x` itself otherwise. */
  dropout<T extends Tensor>(x: T, p: number): T;
  /**
   * A part of the model whose inside a backward pass may compute again instead of keeping it: `checkpoint` of `@sinter/ir` where
   * gradient checkpointing is on, `fn` itself otherwise. Parts are a layer each, as in Hugging Face's models.
   */
  checkpoint<A extends readonly Tensor[], R extends Checkpointable>(fn: (...args: A) => R): (...args: A) => R;
  /** The parameters declared so far, here and below, by full name in the order of declaration. */
  parameters(): ReadonlyMap<string, Parameter>;
  /** Gives what a layer made its names; {@link layer} calls it. */
  name(made: unknown): void;
}

/**
 * The values of a model by name. A tensor that a layer makes is called after the layer's place, unless a layer inside of it has named it already;
 * of a record of tensors each is called after the place and its key: `bert.encoder.layer.0.attention.self.probs`. Where a name is taken by another
 * value, the later ones are `NAME#2`, `NAME#3`, in the order in which they are built.
 */
export type Values = Map<string, Tensor>;

/** The options of {@link scope}. */
export interface ScopeOptions {
  /**
   * A graph for training; `key` is `u32[2]` (seed, step), which dropout is drawn from. With `gradient_checkpointing` (default: no)
   * {@link Scope.checkpoint} is in effect.
   */
  readonly training?: { readonly key: Tensor; readonly gradient_checkpointing?: boolean | undefined } | undefined;
  /** Filled with what the layers make. Default: nobody keeps it. */
  readonly values?: Values | undefined;
}

/** The root of a model. */
export function scope(options: ScopeOptions = {}): Scope {
  const parameters = new Map<string, Parameter>();
  const { values } = options;
  const { key, gradient_checkpointing } = options.training ?? {};
  const named = new Set<Tensor>();
  const put = (name: string, tensor: Tensor): void => {
    if (!values || values.get(name) === tensor) return;
    let free = name;
    for (let i = 2; values.has(free) && values.get(free) !== tensor; i++) free = `${name}#${i}`;
    values.set(free, tensor);
    named.add(tensor);
  };
  // Every call site of dropout draws from a stream of its own.
  let streams = 0;
  const place = (path: string): Scope => ({
    path,
    training: key !== undefined,
    at: (...names) => place(join(path, ...names)),
    param(name, shape, init) {
      const full = join(path, name);
      const known = parameters.get(full);
      if (known && !sameShape(known.shape, shape))
        throw new ShapeError(
          `the parameter '${full}' is ${showShape(known.shape)} and is asked for as ${showShape(shape)}; give one of them another name`,
        );
      const tensor = known?.tensor ?? state(full, shape);
      if (!known) parameters.set(full, { tensor, shape, init });
      return tensor as Tensor<typeof shape, 'f32'>;
    },
    dropout: (x, p) => (key === undefined || p === 0 ? x : dropout(x, p, key, streams++)),
    checkpoint: (fn) => (gradient_checkpointing ? checkpoint(fn) : fn),
    parameters: () =>
      path === '' ? parameters : new Map([...parameters].filter(([name]) => name.startsWith(`${path}.`))),
    name(made) {
      if (!values || typeof made !== 'object' || made === null) return;
      if (made instanceof Tensor) {
        if (!named.has(made)) put(path, made);
      } else
        for (const [key, tensor] of Object.entries(made)) if (tensor instanceof Tensor) put(join(path, key), tensor);
    },
  });
  return place('');
}

/**
 * Makes a function that builds a part of a model, whose result has a name (see {@link Values}). When the parts do not fit, its `ShapeError`
 * says where in the model: `in bert.encoder.layer.0.attention.self.query: linear: inner sizes differ: …`.
 */
export function layer<A extends readonly unknown[], R>(
  build: (scope: Scope, ...args: A) => R,
): (scope: Scope, ...args: A) => R {
  return (scope, ...args) => {
    try {
      const made = build(scope, ...args);
      scope.name(made);
      return made;
    } catch (error) {
      if (!(error instanceof ShapeError) || located.has(error) || scope.path === '') throw error;
      const here = new ShapeError(`in ${scope.path}: ${error.message}`, { cause: error });
      located.add(here);
      throw here;
    }
  };
}
/** Errors that already name the innermost place. */
const located = new WeakSet<ShapeError>();

function join(...names: readonly (string | number)[]): string {
  return names.filter((name) => name !== '').join('.');
}
