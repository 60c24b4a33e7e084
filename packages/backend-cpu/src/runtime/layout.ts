/** Where a program's header keeps its words in linear memory: shared by the code generator and the runtime. */

import { aligned, alignment } from './heap.ts';

/** What the layout depends on. */
export interface HeaderShape {
  readonly steps: number;
  readonly dims: number;
  readonly buffers: number;
}

/** Byte offsets from the program's base; words are `i32` unless said otherwise. */
export interface HeaderLayout {
  /** Threads that have arrived at the barrier. */ readonly arrived: number;
  /** Barriers passed; what waiting threads watch. */ readonly generation: number;
  /** Non-zero: thread 0 records the time after each step. */ readonly profile: number;
  /** Non-zero: the steps that need to run once only are left out. */ readonly prepared: number;
  /** Per step: the next free grid iteration. Zeroed before each run. */ readonly counters: number;
  /** Per run-time size, in the order of `Object.keys(artifact.dims)`: its value. */ readonly dims: number;
  /** Per plan buffer: its byte address. */ readonly addresses: number;
  /** `f64` milliseconds: one before the first step, one after each step. */ readonly times: number;
  /** Size of the header. */ readonly bytes: number;
}

const line = alignment;

/** The layout of a program's header. Words that several threads write lie on cache lines of their own. */
export function headerLayout(shape: HeaderShape): HeaderLayout {
  const counters = 3 * line;
  const dims = aligned(counters + 4 * shape.steps);
  const addresses = aligned(dims + 4 * shape.dims);
  const times = aligned(addresses + 4 * shape.buffers);
  return {
    arrived: 0,
    generation: line,
    profile: 2 * line,
    prepared: 2 * line + 4,
    counters,
    dims,
    addresses,
    times,
    bytes: aligned(times + 8 * (shape.steps + 1)),
  };
}
