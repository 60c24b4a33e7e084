/** Tensors that lie in a file in another order than row by row: transposed, permuted, or one element for many. */
import type { StoredDtype } from './stored-tensor.ts';
import { elementCount } from './stored-tensor.ts';
import { allocate } from './weights-file.ts';
import type { SourceTensor } from './weights-file.ts';

/** An order of elements: `shape[i]` of them along axis i, `strides[i]` elements apart. */
export interface Order {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** How many elements an order reaches over. */
export function spanOf({ shape, strides }: Order): number {
  if (shape.includes(0)) return 0;
  return 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 0);
}

/** Whether elements lie in row-major order without holes; strides of axes of one element mean nothing. */
export function isRowMajor({ shape, strides }: Order): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/**
 * The tensor of `shape` whose elements, row by row, are those of `order`. What the order spans is read at once by `read` and kept until
 * the last element is taken.
 */
export function stridedTensor(
  dtype: StoredDtype,
  shape: readonly number[],
  order: Order,
  read: SourceTensor['fill'],
): SourceTensor {
  const total = elementCount(shape);
  let spanned: Promise<ReturnType<typeof allocate>> | undefined;
  const span = async () => {
    const data = allocate(dtype, spanOf(order));
    await read(data, 0);
    return data;
  };
  return {
    dtype,
    shape,
    async fill(into, begin) {
      spanned ??= span();
      gather(await spanned, into, begin, order);
      if (begin + into.length >= total) spanned = undefined;
    },
  };
}

/** The elements of an order from the `begin`-th on. */
function gather(
  from: ReturnType<typeof allocate>,
  into: ReturnType<typeof allocate>,
  begin: number,
  { shape, strides }: Order,
): void {
  const index = shape.map(() => 0);
  let rest = begin;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  let at = index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);
  for (let i = 0; i < into.length; i++) {
    into[i] = from[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
}
