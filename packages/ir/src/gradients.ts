/** Reverse-mode differentiation as a graph transformation: it only adds nodes. */
import { Recomputed } from './checkpoint.ts';
import { isFloat } from './dtype.ts';
import { GraphError, ShapeError } from './errors.ts';
import { topological } from './graph.ts';
import { checkpointOp } from './ops/barrier.ts';
import { add } from './ops/map.ts';
import { full } from './ops/source.ts';
import { unbroadcast } from './ops/view.ts';
import { sameShape, showShape } from './shape.ts';
import { Tensor } from './tensor.ts';

/**
 * The gradient of a scalar `loss` in each of `wrt`, as new tensors of the same shapes.
 * A tensor that the loss does not depend on (through differentiable ops) has a gradient of zeros.
 */
export function gradients<const T extends readonly Tensor[]>(loss: Tensor, wrt: T): { [K in keyof T]: T[K] } {
  if (loss.shape.length > 0)
    throw new ShapeError(`gradients: the loss must be a scalar, got ${String(loss)}; take its mean or sum`);
  return vjp([loss], [full([], 1, loss.dtype)], wrt);
}

/** The vector–Jacobian product: cotangents of `outputs` pulled back to `wrt`. */
export function vjp<const T extends readonly Tensor[]>(
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  wrt: T,
): { [K in keyof T]: T[K] } {
  const order = topological(outputs);
  const wanted = new Set<Tensor>(wrt);
  const matters = new Set<Tensor>();
  for (const t of order) {
    if (isFloat(t.dtype) && (wanted.has(t) || t.inputs.some((x) => matters.has(x)))) matters.add(t);
  }
  const grads = new Map<Tensor, Tensor>();
  const recomputed = new Recomputed();
  const accumulate = (t: Tensor, ct: Tensor): void => {
    const sum = grads.get(t);
    grads.set(t, sum ? Tensor.make(add, [sum, ct], {}) : ct);
  };
  outputs.forEach((t, i) => accumulate(t, cotangents[i]!));
  for (const t of order.reverse()) {
    const ct = grads.get(t);
    if (!ct || !matters.has(t) || t.inputs.length === 0) continue;
    if (t.op === checkpointOp) recomputed.begin(t, ct);
    const back = t.op.vjp(recomputed.of(t), ct);
    if (back.length !== t.inputs.length)
      throw new GraphError(
        `${t.op.name}: its gradient rule gave ${back.length} cotangents for ${t.inputs.length} operands`,
      );
    t.inputs.forEach((x, i) => {
      if (back[i] && matters.has(x))
        accumulate(x, sameShape(back[i].shape, x.shape) ? back[i] : unbroadcast(back[i], x.shape));
    });
  }
  const result = wrt.map((t) => {
    if (!isFloat(t.dtype)) throw new GraphError(`gradients: ${String(t)} is not a float and has no gradient`);
    const g = grads.get(t) ?? full(t.shape, 0, t.dtype);
    if (!sameShape(g.shape, t.shape))
      throw new GraphError(`gradients: the rule of an op gave ${showShape(g.shape)} for ${String(t)}`);
    return g;
  });
  return result as { [K in keyof T]: T[K] };
}
