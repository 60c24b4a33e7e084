/** The rows that address by data: gather, scatter and update. Indices outside of the range are clamped into it. */
import { dataFor, decoder, encoder } from '../dtype.ts';
import { ShapeError } from '../errors.ts';
import type { StructuredOp } from '../op.ts';
import type { Dim } from '../shape.ts';
import { sameShape, showShape } from '../shape.ts';
import { Tensor } from '../tensor.ts';

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const clamp = (i: number, size: number): number => Math.max(0, Math.min(size - 1, i));

/** Rows of a table: `out[i…, r…] = table[indices[i…], r…]`. */
export const gatherOp: StructuredOp<object> = {
  name: 'gather',
  kind: 'gather',
  infer([table, indices]) {
    if (indices!.dtype !== 'i32') throw new ShapeError(`gather: indices must be i32, got ${indices!.dtype}`);
    if (table!.shape.length === 0) throw new ShapeError('gather: the table is a scalar; it needs at least one axis');
    return { shape: [...indices!.shape, ...table!.shape.slice(1)], dtype: table!.dtype };
  },
  vjp: (n, g) => [Tensor.make(scatterOp, [n.inputs[1]!, g], { size: n.inputs[0]!.shape[0]! }), undefined],
  evaluate(node, [table, indices], shape) {
    const out = dataFor(node.dtype, count(shape));
    const row = count(table!.shape.slice(1));
    indices!.data.forEach((index: number, i: number) => {
      const from = clamp(index, table!.shape[0]!) * row;
      out.set(table!.data.subarray(from, from + row), i * row);
    });
    return out;
  },
};

/** Rows added up where their index says, in order: `out[indices[i…], r…] += updates[i…, r…]`, from zeros with `size` rows. */
export const scatterOp: StructuredOp<{ readonly size: Dim }> = {
  name: 'scatterAdd',
  kind: 'scatter',
  infer([indices, updates], { size }) {
    if (indices!.dtype !== 'i32') throw new ShapeError(`scatterAdd: indices must be i32, got ${indices!.dtype}`);
    const rank = indices!.shape.length;
    if (!sameShape(updates!.shape.slice(0, rank), indices!.shape)) {
      throw new ShapeError(
        `scatterAdd: updates ${showShape(updates!.shape)} must begin with the shape of the indices ${showShape(indices!.shape)}`,
      );
    }
    return { shape: [size, ...updates!.shape.slice(rank)], dtype: updates!.dtype };
  },
  vjp: (n, g) => [undefined, Tensor.make(gatherOp, [g, n.inputs[0]!], {})],
  evaluate(node, [indices, updates], shape) {
    const out = dataFor(node.dtype, count(shape));
    const row = count(shape.slice(1));
    const [get, put] = [decoder(node.dtype), encoder(node.dtype)];
    indices!.data.forEach((index: number, i: number) => {
      const to = clamp(index, shape[0]!) * row;
      for (let j = to; j < to + row; j++) out[j] = put(get(out[j]!) + get(updates!.data[i * row + j - to]!));
    });
    return out;
  },
};

/** `base` with the block `value` written over it at `start` (one `i32` per axis); done in place where `base` dies. */
export const updateOp: StructuredOp<object> = {
  name: 'updateSlice',
  kind: 'update',
  infer([base, value, start]) {
    const rank = base!.shape.length;
    if (
      value!.shape.length !== rank ||
      value!.dtype !== base!.dtype ||
      start!.dtype !== 'i32' ||
      !sameShape(start!.shape, [rank])
    ) {
      throw new ShapeError(
        `updateSlice: wants a base, a block of the same rank and dtype and i32[${rank}] starts, got ${[base, value, start].map(String).join(', ')}`,
      );
    }
    return { shape: base!.shape, dtype: base!.dtype };
  },
  vjp: () => {
    throw new ShapeError('updateSlice: has no gradient; build the differentiable part with concat or where');
  },
  evaluate(node, [base, value, start], shape) {
    const out = base!.data.slice();
    const total = count(value!.shape);
    for (let i = 0; i < total; i++) {
      let [rest, to, step, inside] = [i, 0, 1, true];
      for (let d = shape.length - 1; d >= 0; d--) {
        const at = (rest % value!.shape[d]!) + start!.data[d]!;
        rest = Math.floor(rest / value!.shape[d]!);
        inside &&= at >= 0 && at < shape[d]!;
        to += at * step;
        step *= shape[d]!;
      }
      if (inside) out[to] = value!.data[i]!;
    }
    return out;
  },
};
