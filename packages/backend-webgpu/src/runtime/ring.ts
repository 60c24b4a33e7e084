/**
 * Buffers that both sides can see, for inputs on their way up and outputs on their way down. A buffer is used again when the
 * device is done with it, so that a run allocates nothing, and so many runs may be under way that one computes while another is read.
 */
import type { Device } from './device.ts';
import { mapMode, usage } from './device.ts';

/** Buffers of a ring: runs that may be under way at once. */
const slots = 3;
const smallest = 4096;

/** A buffer of a ring that is in use. */
export interface Slot {
  readonly buffer: GPUBuffer;
}

/** The buffers for one direction. Those on the way `up` are mapped while they are free. */
export class Ring {
  readonly #device: Device;
  readonly #direction: 'up' | 'down';
  readonly #free: GPUBuffer[] = [];
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(device: Device, direction: 'up' | 'down') {
    this.#device = device;
    this.#direction = direction;
  }

  /** A free buffer of at least `bytes`; waits where all are in use. */
  async take(bytes: number, who: string): Promise<Slot> {
    for (;;) {
      const fits = this.#free.findIndex((b) => b.size >= bytes);
      if (fits >= 0) return { buffer: this.#free.splice(fits, 1)[0]! };
      if (this.#count < slots || this.#free.length > 0) {
        // One that is too small makes place for one that is not.
        const small = this.#count < slots ? undefined : this.#free.shift();
        if (small) small.destroy();
        else this.#count++;
        try {
          return { buffer: await this.#make(Math.max(smallest, 2 ** Math.ceil(Math.log2(bytes))), who) };
        } catch (error) {
          this.#count--;
          throw error;
        }
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #make(wanted: number, who: string): Promise<GPUBuffer> {
    const size = Math.min(wanted, this.#device.gpu.limits.maxBufferSize);
    const up = this.#direction === 'up';
    return this.#device.checked(`${who} needs ${size} bytes for its ${up ? 'inputs' : 'outputs'}`, () =>
      this.#device.gpu.createBuffer({
        label: up ? 'inputs' : 'outputs',
        size,
        usage: up ? usage.mapWrite | usage.copyFrom : usage.mapRead | usage.copyTo,
        mappedAtCreation: up,
      }),
    );
  }

  /** Gives a buffer back; it is free once the device is done with what was submitted. */
  async give(slot: Slot): Promise<void> {
    try {
      if (this.#direction === 'up') await slot.buffer.mapAsync(mapMode.write);
    } catch (error) {
      this.drop(slot);
      throw error;
    }
    this.#free.push(slot.buffer);
    this.#waiting.shift()?.();
  }

  /** Gives up a buffer of which nobody knows what became of it. */
  drop({ buffer }: Slot): void {
    buffer.destroy();
    this.#count--;
    this.#waiting.shift()?.();
  }

  /** Frees what nobody uses. */
  close(): void {
    for (const buffer of this.#free.splice(0)) buffer.destroy();
  }
}
