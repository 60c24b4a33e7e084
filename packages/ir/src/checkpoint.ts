/**
 * Recomputing instead of storing (Chen et al., "Training deep nets with sublinear memory cost", 2016; `jax.checkpoint`,
 * `torch.utils.checkpoint`). A checkpointed function leaves its arguments and results marked in the graph; `gradients` then pulls back
 * through a second copy of what lies between, made from the arguments behind a barrier.
 */
import { topological } from './graph.ts';
import { barrier, checkpointOp } from './ops/barrier.ts';
import { Tensor } from './tensor.ts';

/** What a checkpointed function may return. `undefined` stays. */
export type Checkpointable = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor | undefined>>;

/**
 * The same function, of which a backward pass keeps the arguments alone: everything between them and the results is computed a
 * second time when its gradient is needed, random numbers included, which are the same because they depend on key and position
 * alone. Values and gradients do not change; memory falls by what `fn` would have kept, for the work of one more forward pass.
 * Checkpointed functions may call each other.
 *
 * Large tensors should be arguments: what `fn` takes from elsewhere (weights, masks) is not computed again but kept as it is.
 */
export function checkpoint<A extends readonly Tensor[], R extends Checkpointable>(
  fn: (...args: A) => R,
): (...args: A) => R {
  return (...args) => {
    const begin = args.map((x) => barrier(x));
    const close = <T extends Tensor | undefined>(t: T): T => t && (Tensor.make(checkpointOp, [t, ...begin], {}) as T);
    const result: Checkpointable = fn(...(begin as readonly Tensor[] as A));
    if (result instanceof Tensor) return close(result) as R;
    if (Array.isArray(result)) return (result as readonly Tensor[]).map(close) as readonly Tensor[] as R;
    return Object.fromEntries(Object.entries(result).map(([name, t]) => [name, close(t as Tensor | undefined)])) as R;
  };
}

/** A checkpointed call that is being computed again. */
interface Call {
  /** The copies, by what they are copies of. */
  readonly copies: Map<Tensor, Tensor>;
  /** What depends on the arguments. */
  readonly inside: Set<Tensor>;
}

/** The tensors that gradient rules read in place of those of the forward pass. */
export class Recomputed {
  readonly #copies = new Map<Tensor, Tensor>();
  /** By the first argument. */
  readonly #calls = new Map<Tensor, Call>();

  /** What stands for `t` in the backward pass: itself, unless it was computed again. */
  of(t: Tensor): Tensor {
    return this.#copies.get(t) ?? t;
  }

  /** Computes again what led from the arguments of a checkpointed call to its result `end`, not before `after` is there. */
  begin(end: Tensor, after: Tensor): void {
    const [result, ...args] = end.inputs as [Tensor, ...Tensor[]];
    const [first] = args;
    if (!first) return;
    const { copies, inside } = this.#calls.get(first) ?? { copies: new Map<Tensor, Tensor>(), inside: new Set(args) };
    this.#calls.set(first, { copies, inside });
    // In an outer call that was computed again, this one starts from the copy that was made there.
    const current = (x: Tensor): Tensor => copies.get(x) ?? this.of(x);
    const copyOf = (t: Tensor): Tensor | undefined => {
      if (args.includes(t) || t.op.kind === 'random')
        return Tensor.make(t.op, [barrier(current(t.inputs[0]!), after)], t.attrs);
      if (t.inputs.some((x) => inside.has(x))) inside.add(t);
      else if (!isFormula(t, copies)) return undefined;
      return Tensor.make(t.op, t.inputs.map(current), t.attrs);
    };
    for (const t of topological([result])) {
      const copy = copies.has(t) ? undefined : copyOf(t);
      if (copy) copies.set(t, copy);
    }
    for (const [t, copy] of copies) this.#copies.set(t, copy);
  }
}

/** Whether a tensor that depends on no argument is made of random numbers alone, like a dropout mask: never worth keeping. */
function isFormula(t: Tensor, copies: ReadonlyMap<Tensor, Tensor>): boolean {
  return (
    (t.op.kind === 'map' || t.op.kind === 'view') &&
    t.inputs.some((x) => copies.has(x)) &&
    t.inputs.every((x) => copies.has(x) || x.op.kind === 'source')
  );
}
