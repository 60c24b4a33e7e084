/**
 * Histograms, for TensorBoard's histogram and distribution dashboards (plugin `histograms`): a double tensor [buckets, 3] of
 * left edge, right edge, count, bucketed as TensorBoard's `histogram_pb` does it.
 */
import { metadataFor } from './event.ts';
import type { Value, ValueOptions } from './event.ts';

const plugin = 'histograms';

/** `count` of the values lie in [`left`, `right`); the last bucket of a histogram includes its right edge. */
export interface Bucket {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** Options of a histogram. */
export interface HistogramOptions extends ValueOptions {
  /** Number of buckets of equal width between the smallest and the largest value; default 30. */
  readonly buckets?: number;
}

/**
 * Counts `values` into buckets of equal width. NaN and infinities fit no bucket and are left out. When all values are equal the last
 * bucket holds them; without values every bucket is 0, 0, 0.
 */
export function bucketize(values: ArrayLike<number>, buckets = 30): readonly Bucket[] {
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (least > most) return Array.from({ length: buckets }, () => ({ left: 0, right: 0, count: 0 }));
  const halfWidth = (most / 2 - least / 2) / buckets; // halves, because most - least may overflow
  const counts = new Float64Array(buckets);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    const at = halfWidth > 0 ? Math.floor((value / 2 - least / 2) / halfWidth) : buckets - 1;
    counts[Math.min(at, buckets - 1)]!++;
  }
  // Halving rounds among subnormals: no edge may pass the last one.
  const edge = (i: number) => (i === buckets ? most : Math.min((least / 2 + halfWidth * i) * 2, most));
  return Array.from(counts, (count, i) => ({ left: edge(i), right: edge(i + 1), count }));
}

/** A histogram of `values` as a summary value. */
export function histogramValue(tag: string, values: ArrayLike<number>, options: HistogramOptions = {}): Value {
  const rows = bucketize(values, options.buckets);
  return {
    tag,
    metadata: metadataFor(plugin, 'tensor', options),
    tensor: { dtype: 'double', shape: [rows.length, 3], values: rows.flatMap((b) => [b.left, b.right, b.count]) },
  };
}

/** The buckets in a histogram value; `undefined` for other values. */
export function histogramOf(value: Value): readonly Bucket[] | undefined {
  const { tensor, metadata } = value;
  if (metadata?.plugin !== plugin || !tensor || tensor.dtype === 'string' || tensor.shape[1] !== 3) return undefined;
  const { values, shape } = tensor;
  return Array.from({ length: shape[0]! }, (_, i) => ({
    left: values[3 * i]!,
    right: values[3 * i + 1]!,
    count: values[3 * i + 2]!,
  }));
}
