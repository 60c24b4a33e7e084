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
  /** Per run-time size, in the order of `Object.keys(artifact.dims)`: its value. */ readonly dims: number;
  /** Per plan buffer: its byte address. */ readonly addresses: number;
  /** `f64` milliseconds: one before the first step, one after each step. */ readonly times: number;
  /** Per thread, `stride` bytes apart, and per step: how many grid iterations of that thread's share are taken. Zeroed before each run. */
  readonly counters: number;
  readonly stride: number;
}

const line = alignment;

/** The layout of a program's header, whose counters are as many as there are threads. Words of several threads lie on cache lines of their own. */
export function headerLayout(shape: HeaderShape): HeaderLayout {
  const dims = 3 * line;
  const addresses = aligned(dims + 4 * shape.dims);
  const times = aligned(addresses + 4 * shape.buffers);
  return {
    arrived: 0,
    generation: line,
    profile: 2 * line,
    prepared: 2 * line + 4,
    dims,
    addresses,
    times,
    counters: aligned(times + 8 * (shape.steps + 1)),
    stride: aligned(4 * shape.steps),
  };
}
