/** What the runner and an engine's process say to each other over Node's IPC channel (JSON, one message a line). */

import type { GpuCounts } from './gpu-counter.ts';

/** Sent by the engine once, after its first runs. */
export interface Ready {
  readonly kind: 'ready';
  /** Name and version of what really runs. */
  readonly version: string;
  /** Of the first run, and of one after the warm-up: a work that trains must have learnt the same by then. */
  readonly outputs: readonly Sample[];
  /** The adapter it runs on and what one run asks of it, for engines on a GPU. */
  readonly gpu?: { readonly adapter: string; readonly counts: GpuCounts };
  /** What makes its figures doubtful, if anything. */
  readonly note?: string;
}

/** A few thousand evenly spaced elements of an output: enough to see that two engines computed the same. */
export interface Sample {
  readonly length: number;
  readonly values: readonly number[];
}

/** Asks for one round: runs until both limits are reached. */
export interface Measure {
  readonly minRuns: number;
  readonly budgetMs: number;
}

/** The answer to `Measure`. */
export interface Round {
  readonly kind: 'round';
  /** Milliseconds of each run. */
  readonly times: readonly number[];
  /** Cores kept busy while measuring (processor time ÷ wall time): what "threads" really were. */
  readonly busyCores: number;
  /** Cores kept busy while waiting for this request: should be near 0, or this engine disturbs the others. */
  readonly idleCores: number;
  readonly peakRssBytes: number;
}

/** Sent instead of either, when the engine cannot go on. */
export interface Failed {
  readonly kind: 'failed';
  readonly message: string;
}

/** Sent instead of `Ready` by an engine that was started to be timed from its start, after its first run; it then ends. */
export interface First {
  readonly kind: 'first';
  readonly version: string;
  readonly output: Sample;
  readonly peakRssBytes: number;
}

/** Sent by engines/compile-time.ts: milliseconds until the graph, the artifact and the loaded program were there. */
export interface Compiled {
  readonly kind: 'compiled';
  readonly graphMs: number;
  readonly buildMs: number;
  readonly loadMs: number;
}

export type Reply = Ready | Round | First | Compiled | Failed;

const SAMPLES = 4096;

/** Takes the sample of an output. */
export function sample(output: ArrayLike<number>): Sample {
  const step = Math.max(1, Math.floor(output.length / SAMPLES));
  const values = Array.from({ length: Math.ceil(output.length / step) }, (_, i) => output[i * step] ?? NaN);
  return { length: output.length, values };
}

/** The largest difference between outputs, relative to the largest element of `expected`; NaN when they don't compare. */
export function difference(actual: readonly Sample[], expected: readonly Sample[]): number {
  if (actual.length !== expected.length || actual.some(({ length }, i) => length !== expected[i]?.length)) return NaN;
  const [ours, theirs] = [actual, expected].map((samples) => samples.flatMap(({ values }) => values));
  if (!ours || !theirs) return NaN;
  const scale = Math.max(...theirs.map(Math.abs));
  return Math.max(...theirs.map((value, i) => Math.abs((ours[i] ?? NaN) - value) / scale));
}
