/** Puts the outputs of batches together. Where they differ in length, shorter rows are padded, as transformers does it. */
import { dataFor } from '@sinter/ir';
import type { DType, TensorData } from '@sinter/ir';

/** The parts one after the other along the first axis; gaps hold `padding` (−100). */
export function concatBatches(parts: readonly TensorData[], dtype: DType, padding = -100): TensorData {
  const rank = parts[0]?.shape.length ?? 1;
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const row = Array.from({ length: rank - 1 }, (_, axis) => Math.max(...parts.map(({ shape }) => shape[axis + 1]!)));
  const strideOf = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  const data = dataFor(dtype, rows * strideOf(row)).fill(padding);
  let first = 0;
  for (const part of parts) {
    // Innermost runs are copied whole; `at` walks over the axes outside of them.
    const copy = (axis: number, from: number, to: number): void => {
      if (axis === rank - 1 || rank === 1) {
        const run = rank === 1 ? 1 : part.shape[axis]!;
        data.set(part.data.subarray(from, from + run), to);
        return;
      }
      const [step, wide] = [strideOf(part.shape.slice(axis + 1)), strideOf(row.slice(axis))];
      for (let i = 0; i < part.shape[axis]!; i++) copy(axis + 1, from + i * step, to + i * wide);
    };
    if (strideOf(part.shape.slice(1)) === strideOf(row)) data.set(part.data, first * strideOf(row));
    else copy(0, 0, first * strideOf(row));
    first += part.shape[0]!;
  }
  return { data, shape: [rows, ...row] };
}
