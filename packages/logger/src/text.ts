/** Text: Markdown for TensorBoard's text dashboard (plugin `text`: a string tensor, its content message empty). */
import { metadataFor } from './event.ts';
import type { Value, ValueOptions } from './event.ts';

const plugin = 'text';

/** Markdown as a summary value: a string tensor of rank 0. */
export function textValue(tag: string, markdown: string, options: ValueOptions = {}): Value {
  return {
    tag,
    metadata: metadataFor(plugin, 'tensor', options),
    tensor: { dtype: 'string', shape: [], values: [new TextEncoder().encode(markdown)] },
  };
}

/** The Markdown in a text value; the cells of a table (rank 1 or 2) joined by newlines. `undefined` for other values. */
export function textOf(value: Value): string | undefined {
  const { tensor, metadata } = value;
  if (metadata?.plugin !== plugin || tensor?.dtype !== 'string') return undefined;
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return tensor.values.map((bytes) => decoder.decode(bytes)).join('\n');
}
