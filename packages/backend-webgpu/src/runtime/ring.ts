/**
 * Buffers that both sides can see, for inputs on their way up and outputs on their way down. A buffer is used again when the
 * device is done with it, so that a run allocates nothing, and so many are in use at most that one run computes while another is read.
 */
import type { Device } from './device.ts';
import { downUsage, mapWrite, showBytes, upUsage } from './device.ts';

/** Buffers of a ring that are in use at once: runs that may be under way. */
const slots = 3;
const smallest = 4096;

/** The buffers for one direction. Those on the way `up` are mapped while they are free. */
export interface Ring {
  /** A free buffer of at least `bytes`; waits where too many are in use. */
  take(bytes: number, who: string): Promise<GPUBuffer>;
  /** Gives a buffer back. `ready` tells when the device is done with it; if that fails, it is not used again. */
  give(buffer: GPUBuffer, ready: Promise<unknown>): Promise<void>;
  /** Frees what nobody uses. */
  close(): void;
}

/** A ring without buffers; they are made when they are needed. */
export function makeRing(device: Device, up: boolean): Ring {
  let used = 0;
  let wake = (): void => undefined;
  const free: GPUBuffer[] = [];
  const close = (): void => {
    for (const buffer of free.splice(0)) buffer.destroy();
  };
  return {
    close,
    async take(bytes, who) {
      while (used >= slots) await new Promise<void>((resolve) => (wake = resolve));
      used++;
      const fits = free.findIndex(({ size }) => size >= bytes);
      if (fits >= 0) return free.splice(fits, 1)[0]!;
      close();
      const size = Math.min(Math.max(smallest, 2 ** Math.ceil(Math.log2(bytes))), device.gpu.limits.maxBufferSize);
      const use = up ? upUsage : downUsage;
      return device
        .checked(`${who}: ${showBytes(size)} to copy`, () =>
          device.gpu.createBuffer({ size, usage: use, mappedAtCreation: up }),
        )
        .catch((error: unknown) => {
          used--;
          throw error;
        });
    },
    async give(buffer, ready) {
      try {
        await ready;
        if (up) await buffer.mapAsync(mapWrite);
        free.push(buffer);
      } catch (error) {
        buffer.destroy();
        throw error;
      } finally {
        used--;
        wake();
      }
    },
  };
}
