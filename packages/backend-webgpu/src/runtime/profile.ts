/** How long each step of a run takes: by the device's own clock where it can be asked, else by ours, one step at a time. */
import type { Dispatch } from './program.ts';
import type { Store, Work } from './store.ts';

/** Queries in a set, at most (WebGPU's limit). */
const mostQueries = 4096;
/** `GPUBufferUsage.QUERY_RESOLVE | COPY_SRC`. */
const resolved = 0x204;

/** Encodes a step. */
type Encode = (pass: GPUComputePassEncoder, step: Dispatch) => void;

/** What came back, and the milliseconds of each step. */
export interface Timed {
  readonly arrays: ArrayBuffer[];
  readonly times: readonly number[];
}

/** A run whose steps are timed. */
export async function timed(store: Store, work: Work, steps: readonly Dispatch[], encode: Encode): Promise<Timed> {
  const byDevice = store.on.device.gpu.features.has('timestamp-query');
  return byDevice ? byDeviceClock(store, work, steps, encode) : byHostClock(store, work, steps, encode);
}

/** A pass for every step, with the time at its beginning and end. */
async function byDeviceClock(store: Store, work: Work, steps: readonly Dispatch[], encode: Encode): Promise<Timed> {
  const { gpu } = store.on.device;
  const count = 2 * steps.length;
  const sets = Array.from({ length: Math.ceil(count / mostQueries) }, (_, i) =>
    gpu.createQuerySet({ type: 'timestamp', count: Math.min(mostQueries, count - i * mostQueries) }),
  );
  const size = 8 * Math.max(1, count);
  const buffer = gpu.createBuffer({ label: 'times', size, usage: resolved });
  try {
    const { done } = await store.submit({
      ...work,
      down: [...work.down!, { buffer, offset: 0, size }],
      encode(encoder) {
        steps.forEach((step, i) => {
          const querySet = sets[Math.floor((2 * i) / mostQueries)]!;
          const first = (2 * i) % mostQueries;
          const timestampWrites = { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
          const pass = encoder.beginComputePass({ timestampWrites });
          encode(pass, step);
          pass.end();
        });
        sets.forEach((set, i) => {
          encoder.resolveQuerySet(set, 0, set.count, buffer, 8 * i * mostQueries);
        });
      },
    });
    const arrays = await done;
    const nanoseconds = new BigUint64Array(arrays.pop()!);
    const times = steps.map(({ y }, i) =>
      y === 0 ? 0 : Math.max(0, Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!) / 1e6),
    );
    return { arrays, times };
  } finally {
    buffer.destroy();
    for (const set of sets) set.destroy();
  }
}

/** Steps one at a time: each counts with its way to the device and back. */
async function byHostClock(store: Store, work: Work, steps: readonly Dispatch[], encode: Encode): Promise<Timed> {
  const { who, up, down } = work;
  await (
    await store.submit({ who, up: up! })
  ).done;
  const times: number[] = [];
  for (const step of steps) {
    const start = performance.now();
    const { done } = await store.submit({
      who,
      encode(encoder) {
        const pass = encoder.beginComputePass();
        encode(pass, step);
        pass.end();
      },
    });
    await done;
    times.push(step.y > 0 ? performance.now() - start : 0);
  }
  return { arrays: await (await store.submit({ who, down: down! })).done, times };
}
