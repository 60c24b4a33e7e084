/** What an optimizer is: two pure functions on one parameter, as in optax. State is what it asks for, nothing else. */
import type { Tensor, Tensors, TensorType } from '@sinter/ir';

/** Scalars that an update may use. */
export interface StepScalars {
  /** The number of this step, from 1 (`f32 []`). */
  readonly step: Tensor;
  /** The learning rate of this step (`f32 []`). */
  readonly lr: Tensor;
}

/** An optimizer as a pair of pure functions on graphs. */
export interface Optimizer {
  /** The tensors kept for a parameter between steps, by name; zeros at first. */
  slots(param: TensorType): Readonly<Record<string, TensorType>>;
  /** The parameter and its slots after a step, from the gradient and from what they were before. */
  update(
    gradient: Tensor,
    param: Tensor,
    slots: Tensors,
    at: StepScalars,
  ): { readonly param: Tensor; readonly slots: Tensors };
}

/** Chooses the optimizer of a parameter; `undefined` leaves the parameter as it is. */
export type OptimizerFor = (name: string, param: TensorType) => Optimizer | undefined;
