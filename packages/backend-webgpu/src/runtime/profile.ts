/** How long each step of a run takes: by the device's own clock where it can be asked, else by ours, one step at a time. */
import type { Device } from './device.ts';
import { usage } from './device.ts';
import type { Dispatch } from './program.ts';
import { dispatch } from './program.ts';
import type { Store, Work } from './store.ts';

/** Queries in a set, at most (WebGPU's limit). */
const mostQueries = 4096;

type Transfers = Pick<Work, 'up' | 'down'>;

/** A run with the milliseconds of each dispatch. */
export async function timed(
  store: Store,
  who: string,
  dispatches: readonly Dispatch[],
  transfers: Transfers,
): Promise<{ readonly arrays: ArrayBuffer[]; readonly ms: readonly number[] }> {
  const { device } = store.on;
  return device.gpu.features.has('timestamp-query')
    ? byDeviceClock(store, device, who, dispatches, transfers)
    : byHostClock(store, device, who, dispatches, transfers);
}

/** A pass for every step, with the time at its beginning and end. */
async function byDeviceClock(
  store: Store,
  { gpu }: Device,
  who: string,
  dispatches: readonly Dispatch[],
  { up, down }: Transfers,
): Promise<{ readonly arrays: ArrayBuffer[]; readonly ms: readonly number[] }> {
  const count = 2 * dispatches.length;
  const sets = Array.from({ length: Math.ceil(count / mostQueries) }, (_, i) =>
    gpu.createQuerySet({ type: 'timestamp', count: Math.min(mostQueries, count - i * mostQueries) }),
  );
  const bytes = 8 * Math.max(1, count);
  const times = gpu.createBuffer({ label: 'times', size: bytes, usage: usage.resolve | usage.copyFrom });
  try {
    const { done } = await store.submit({
      who,
      up,
      down: [...down, { buffer: times, offset: 0, bytes }],
      encode: (encoder) => {
        dispatches.forEach((d, step) => {
          const querySet = sets[Math.floor((2 * step) / mostQueries)]!;
          const first = (2 * step) % mostQueries;
          const timestampWrites = { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
          const pass = encoder.beginComputePass({ timestampWrites });
          dispatch(pass, d);
          pass.end();
        });
        sets.forEach((set, i) => {
          encoder.resolveQuerySet(set, 0, set.count, times, 8 * i * mostQueries);
        });
      },
    });
    const arrays = await done;
    const nanoseconds = new BigUint64Array(arrays.pop()!);
    const ms = dispatches.map(({ y }, i) =>
      y === 0 ? 0 : Math.max(0, Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!) / 1e6),
    );
    return { arrays, ms };
  } finally {
    times.destroy();
    for (const set of sets) set.destroy();
  }
}

/** Steps one at a time: each counts with its way to the device and back. */
async function byHostClock(
  store: Store,
  { gpu }: Device,
  who: string,
  dispatches: readonly Dispatch[],
  { up, down }: Transfers,
): Promise<{ readonly arrays: ArrayBuffer[]; readonly ms: readonly number[] }> {
  const nothing = { who, up: [], down: [], encode: () => undefined };
  await (
    await store.submit({ ...nothing, up })
  ).done;
  const ms: number[] = [];
  for (const d of dispatches) {
    const start = performance.now();
    const encode = (encoder: GPUCommandEncoder): void => {
      const pass = encoder.beginComputePass();
      dispatch(pass, d);
      pass.end();
    };
    if (d.y > 0) {
      await (
        await store.submit({ ...nothing, encode })
      ).done;
      await gpu.queue.onSubmittedWorkDone();
    }
    ms.push(d.y > 0 ? performance.now() - start : 0);
  }
  return { arrays: await (await store.submit({ ...nothing, down })).done, ms };
}
