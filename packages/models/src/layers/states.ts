/** States of single tokens of each text, as heads look at them. */
import { add, dimProduct, dimValue, gather, iota, mul, reshape, slice } from '@sinter/ir';
import type { Dim, Shape, Tensor } from '@sinter/ir';

/** The state `[batch, size]` of one token of each text `[batch, seq, size]`: `at` is its place, one for all or `[batch]`. */
export function statesAt(states: Tensor, at: Tensor<Shape, 'i32'>): Tensor {
  const [batch, seq, size] = states.shape as readonly [Dim, Dim, number];
  const rows = add(mul(iota([batch], 0), dimValue(seq, 'i32')) as Tensor, at as Tensor) as Tensor<Shape, 'i32'>;
  return gather(reshape(states, [dimProduct([batch, seq]), size]), rows);
}

/** The state `[batch, size]` of the first token of each text `[batch, seq, size]`. */
export function firstState(states: Tensor): Tensor {
  const [batch, , size] = states.shape as readonly [Dim, Dim, number];
  return reshape(slice(states, { starts: [0, 0, 0], ends: [undefined, 1, undefined] }), [batch, size]);
}
