/** Scalars: what TensorBoard's scalars and time series dashboards draw as curves. */
import { metadataFor } from './event.ts';
import type { Value, ValueOptions } from './event.ts';

const plugin = 'scalars';

/**
 * A scalar as a summary value, kept as float32 by the format (NaN and infinities included).
 *
 * It is written as `simple_value`, the one form that every reader of event files takes for a scalar; a description or display
 * name travels as metadata of today's form beside it.
 */
export function scalarValue(tag: string, value: number, options: ValueOptions = {}): Value {
  const bare: Value = { tag, simpleValue: value };
  return options.description || options.displayName
    ? { ...bare, metadata: metadataFor(plugin, 'scalar', options) }
    : bare;
}

/** The number in a scalar value of either form (`simple_value`, or a tensor of plugin `scalars`); `undefined` for other values. */
export function scalarOf(value: Value): number | undefined {
  if (value.simpleValue !== undefined) return value.simpleValue;
  const { tensor, metadata } = value;
  if (metadata?.plugin !== plugin || !tensor || tensor.dtype === 'string') return undefined;
  return tensor.values.length === 1 ? tensor.values[0] : undefined;
}
