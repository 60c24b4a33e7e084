/**
 * What an event file holds, as plain data: the parts of TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`
 * that TensorBoard reads. `proto.ts` turns it into bytes and back.
 */

/** One entry of an event file. */
export type Event = {
  /** When it was logged: seconds since 1970, with fractions. */
  readonly wallTime: number;
  /** Training step: a whole number. */
  readonly step: number;
} & (
  | {
      /** The first event of every file; TensorBoard knows `brain.Event:2`. */
      readonly kind: 'version';
      readonly version: string;
      /** The program that wrote the file. */
      readonly writer?: string;
    }
  | {
      /** Values for the dashboards. */
      readonly kind: 'summary';
      readonly values: readonly Value[];
    }
  | {
      /** A model graph: a serialized `GraphDef`. */
      readonly kind: 'graph';
      readonly graphDef: Uint8Array;
    }
  | {
      /** Something that this package does not decode (session logs, meta graphs, run metadata). */
      readonly kind: 'other';
    }
);

/** A named value of a summary. It carries a `simpleValue` or a `tensor`; neither, if it is in a form not decoded here. */
export interface Value {
  /** The name under which TensorBoard shows it; `/` groups. */
  readonly tag: string;
  /** Which dashboard it belongs to. TensorBoard reads this from the first value of a tag only. */
  readonly metadata?: Metadata;
  /** A scalar, kept as float32. */
  readonly simpleValue?: number;
  /** Any other data. */
  readonly tensor?: Tensor;
}

/** How a dashboard is to take the values of a tag. */
export interface Metadata {
  /** Name of the dashboard's plugin: `scalars`, `text`, `histograms`, … */
  readonly plugin: string;
  /** The plugin's own message, serialized; default empty. */
  readonly content?: Uint8Array;
  /** Title to show instead of the tag. */
  readonly displayName?: string;
  /** Explanation in Markdown. */
  readonly description?: string;
  /** What TensorBoard stores for it. */
  readonly dataClass?: DataClass;
}

/** TensorBoard's three kinds of time series. */
export type DataClass = 'scalar' | 'tensor' | 'blobs';

/** A tensor in a summary: numbers or byte strings in row-major order. `other` stands for an element type not decoded here. */
export type Tensor = { readonly shape: readonly number[] } & (
  | { readonly dtype: NumericType; readonly values: ArrayLike<number> }
  | { readonly dtype: 'string'; readonly values: readonly Uint8Array[] }
  | { readonly dtype: 'other'; readonly values: readonly never[] }
);

/** Element types of numeric summary tensors. `int64` beyond ±2^53 is rounded. */
export type NumericType = 'float' | 'double' | 'int32' | 'uint8' | 'int64' | 'bool';

/** Optional words about a logged value. */
export interface ValueOptions {
  /** When it happened, in seconds since 1970; default now. */
  readonly wallTime?: number;
  /** Explanation in Markdown. TensorBoard takes it from the first value of a tag. */
  readonly description?: string;
  /** Title to show instead of the tag. TensorBoard takes it from the first value of a tag. */
  readonly displayName?: string;
}

/** The metadata of a value of dashboard `plugin`, with the words of `options`. */
export function metadataFor(plugin: string, dataClass: DataClass, options: ValueOptions = {}): Metadata {
  const { description, displayName } = options;
  return { plugin, dataClass, ...(description && { description }), ...(displayName && { displayName }) };
}
