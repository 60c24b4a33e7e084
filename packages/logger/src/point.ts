/** Points: what summary values mean, decoded by one row per dashboard. */
import type { Event, Metadata, Value } from './event.ts';
import { histogramOf } from './histogram.ts';
import type { Bucket } from './histogram.ts';
import { scalarOf } from './scalar.ts';
import { textOf } from './text.ts';

/** One value of one tag at one step. */
export type Point = {
  readonly tag: string;
  readonly step: number;
  /** Seconds since 1970. */
  readonly wallTime: number;
} & (
  | { readonly kind: 'scalar'; readonly value: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'histogram'; readonly buckets: readonly Bucket[] }
  /** A value of a dashboard that is not decoded here. */
  | { readonly kind: 'other'; readonly raw: Value }
);

/**
 * The points of an event.
 *
 * @param metadata what the tags of this run have said so far; a tag may state its dashboard with its first value only, so keep
 *   one map for all events of a run
 */
export function pointsOf(event: Event, metadata: Map<string, Metadata>): readonly Point[] {
  if (event.kind !== 'summary') return [];
  return event.values.map((raw) => {
    const { tag } = raw;
    if (raw.metadata && !metadata.has(tag)) metadata.set(tag, raw.metadata);
    const known = metadata.get(tag);
    return { tag, step: event.step, wallTime: event.wallTime, ...meaningOf(known ? { ...raw, metadata: known } : raw) };
  });
}

function meaningOf(value: Value) {
  const scalar = scalarOf(value);
  if (scalar !== undefined) return { kind: 'scalar', value: scalar } as const;
  const text = textOf(value);
  if (text !== undefined) return { kind: 'text', text } as const;
  const buckets = histogramOf(value);
  if (buckets !== undefined) return { kind: 'histogram', buckets } as const;
  return { kind: 'other', raw: value } as const;
}
