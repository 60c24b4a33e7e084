/**
 * The step as graphs: forward, backward, clipping, schedule and optimizer are one computation whose state is the weights
 * (under their own names), `optimizer.<slot>.<weight>`, `optimizer.step` and `rng`. Accumulation cuts it in two.
 */
import {
  abs,
  add,
  and,
  cast,
  div,
  full,
  gradients,
  graph,
  input,
  iota,
  lessEqual,
  mul,
  sourceName,
  state,
  stateOp,
  topological,
  where,
} from '@sinter/ir';
import type { Graph, Tensor, Tensors } from '@sinter/ir';
import { TrainerError } from './errors.ts';
import type { TrainableModel } from './model.ts';
import { clip, globalNorm } from './optimizers/clip.ts';
import type { OptimizerFor } from './optimizers/optimizer.ts';
import type { Schedule } from './schedules.ts';

/** What a step does with gradients. */
export interface StepOptions {
  readonly optimizer: OptimizerFor;
  /** The learning rate after warm-up. */
  readonly learning_rate: number;
  readonly schedule: Schedule;
  /** Gradients are scaled down to this norm; 0 leaves them. */
  readonly max_grad_norm: number;
  /** The model's layers are computed again in the backward pass. Default: no. */
  readonly gradient_checkpointing?: boolean;
  /** The model's inputs that are read. Default: all. */
  readonly inputs?: readonly string[];
}

/** A weight that the loss depends on, and its gradient. */
export interface Trained {
  readonly name: string;
  readonly param: Tensor;
  readonly gradient: Tensor;
}

/**
 * One whole step. Outputs `loss`, `grad_norm` (before clipping) and `learning_rate`, all `f32 []`. If loss or gradient are
 * not finite, the updates leave everything as it was.
 */
export function trainStep(model: TrainableModel, options: StepOptions): Graph {
  const { loss, trained, rng } = backward(model, options);
  const { outputs, updates } = optimize(trained, options, loss);
  return graph('train_step', { outputs: { loss, ...outputs }, updates: { ...updates, ...rng } });
}

/** The first half of a step with accumulation: adds gradients and loss of a batch to `accumulated.<weight>` and `accumulated.loss`. */
export function accumulateStep(
  model: TrainableModel,
  options: StepOptions,
): { readonly graph: Graph; readonly trained: readonly Trained[] } {
  const { loss, trained, rng } = backward(model, options);
  const sums = trained.map(({ name, gradient }) => [
    `accumulated.${name}`,
    add(state(`accumulated.${name}`, gradient.shape), gradient),
  ]);
  const updates = {
    ...Object.fromEntries(sums),
    'accumulated.loss': add(state('accumulated.loss', []), loss),
    'accumulated.batches': add(state('accumulated.batches', []), 1),
    ...rng,
  };
  return { graph: graph('accumulate_step', { outputs: {}, updates }), trained };
}

/** The second half: applies the mean of what was accumulated, and begins anew. Outputs as {@link trainStep}. */
export function applyStep(accumulated: readonly Trained[], options: StepOptions): Graph {
  const batches = state('accumulated.batches', []);
  const sums = accumulated.map(
    ({ name, gradient }) => [`accumulated.${name}`, state(`accumulated.${name}`, gradient.shape)] as const,
  );
  const trained = accumulated.map(({ name, param }, i) => ({
    name,
    param,
    gradient: div(sums[i]![1], batches) as Tensor,
  }));
  const loss = div(state('accumulated.loss', []), batches) as Tensor;
  const { outputs, updates } = optimize(trained, options, loss);
  const zeros = sums.map(([name, sum]) => [name, full(sum.shape, 0)]);
  return graph('apply_step', {
    outputs: { loss, ...outputs },
    updates: {
      ...updates,
      ...Object.fromEntries(zeros),
      'accumulated.loss': full([], 0),
      'accumulated.batches': full([], 0),
    },
  });
}

/** A step of evaluation: outputs `logits` where the model gives them, and `loss` where there are labels among the inputs. */
export function evaluateStep(model: TrainableModel, inputs: readonly string[]): Graph {
  const { loss, logits } = model.build(symbols(model, inputs));
  return graph('evaluate_step', { outputs: { ...(loss && { loss }), ...(logits && { logits }) } });
}

function symbols(model: TrainableModel, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    names.map((name) => [name, input(name, model.inputs[name]!.shape, model.inputs[name]!.dtype)]),
  );
}

/** Loss and gradients of all weights that have an optimizer and that the loss depends on. */
export function backward(
  model: TrainableModel,
  { optimizer, gradient_checkpointing = false, inputs = Object.keys(model.inputs) }: StepOptions,
): { readonly loss: Tensor; readonly trained: Trained[]; readonly rng: Tensors } {
  const key = state('rng', [2], 'u32');
  const { loss } = model.build(symbols(model, inputs), { key, gradient_checkpointing });
  if (!loss)
    throw new TrainerError(`the model gives no loss for the inputs ${inputs.join(', ')}; does it have one for labels?`);
  const nodes = topological([loss]);
  if (gradient_checkpointing && !nodes.some((t) => t.op.name === 'checkpoint'))
    throw new TrainerError(
      'gradient_checkpointing is on, but the model wraps no part of itself in checkpoint; leave it off, or wrap its layers',
    );
  // A model may ask for a weight more than once; each time it gets a tensor of its own, and the gradients add up.
  const uses = nodes.filter((t) => t.op === stateOp && model.parameters.has(sourceName(t)));
  const byName = new Map<string, Trained>();
  gradients(loss, uses).forEach((gradient, i) => {
    const [param, name] = [uses[i]!, sourceName(uses[i]!)];
    if (isZero(gradient) || !optimizer(name, param)) return;
    const known = byName.get(name);
    byName.set(name, { name, param, gradient: known ? add(known.gradient, gradient) : gradient });
  });
  const trained = [...byName.values()];
  if (trained.length === 0)
    throw new TrainerError(
      'the loss depends on none of the weights that are trained; does the model build its parameters as state of their names?',
    );
  // The key is (seed, step): the next batch draws other numbers. A model without dropout has no use for it.
  const rng = nodes.includes(key) ? { rng: add(key, cast(iota([2], 0), 'u32')) } : {};
  return { loss, trained, rng };
}

/** No path leads from the weight to the loss: its gradient is a constant 0. */
function isZero(gradient: Tensor): boolean {
  return gradient.op.kind === 'source' && (gradient.attrs as { readonly value?: number }).value === 0;
}

function optimize(
  trained: readonly Trained[],
  options: StepOptions,
  loss: Tensor,
): { readonly outputs: Tensors; readonly updates: Tensors } {
  const counter = state('optimizer.step', [], 'i32');
  const done = cast(counter, 'f32');
  const at = { step: add(done, 1), lr: mul(options.schedule(done), options.learning_rate) };
  const grad_norm = globalNorm(trained.map((t) => t.gradient));
  const clipped =
    options.max_grad_norm > 0
      ? clip(
          trained.map((t) => t.gradient),
          grad_norm,
          options.max_grad_norm,
        )
      : trained.map((t) => t.gradient);
  const sound = and(finite(loss), finite(grad_norm));
  const updates: Record<string, Tensor> = { 'optimizer.step': where(sound, add(counter, 1), counter) };
  trained.forEach(({ name, param }, i) => {
    const { slots, update } = options.optimizer(name, param)!;
    const slotName = (slot: string): string => `optimizer.${slot}.${name}`;
    const before = Object.fromEntries(
      Object.entries(slots(param)).map(([slot, type]) => [slot, state(slotName(slot), type.shape, type.dtype)]),
    );
    const after = update(clipped[i]!, param, before, at);
    updates[name] = where(sound, after.param, param);
    for (const [slot, tensor] of Object.entries(after.slots))
      updates[slotName(slot)] = where(sound, tensor, before[slot]!);
  });
  return { outputs: { grad_norm, learning_rate: at.lr }, updates };
}

/** Whether a scalar is neither NaN nor infinite. */
function finite(x: Tensor): Tensor<[], 'bool'> {
  return lessEqual(abs(x), 3.4028234663852886e38) as Tensor<[], 'bool'>;
}
