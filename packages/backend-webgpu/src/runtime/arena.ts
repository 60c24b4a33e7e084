/** The memory of a run's tensors, which whichever program runs has for itself; more is allocated when larger sizes come. */
import { showBytes } from './bytes.ts';
import type { Device } from './device.ts';
import { usage } from './device.ts';

/** Pages that lie one after the other as the arena's bytes; all but the last are as large as a buffer can be. */
export class Arena {
  readonly #device: Device;
  /** Bytes of a page. */
  readonly page: number;
  #pages: GPUBuffer[] = [];
  #bytes = 0;
  /** Goes up with every change: what was made for other pages is void. */
  generation = 0;

  constructor(device: Device) {
    this.#device = device;
    const { maxBufferSize } = device.gpu.limits;
    this.page = maxBufferSize - (maxBufferSize % 256);
  }

  /** Makes the arena reach so many bytes. `who` asks, and `advice` is what can be done if there is not enough. */
  async reach(bytes: number, who: string, advice: string): Promise<void> {
    if (bytes <= this.#bytes) return;
    const { gpu } = this.#device;
    const old = this.#pages;
    this.#pages = [];
    this.#bytes = 0;
    this.generation++;
    // What was submitted still has them; they go when it is done.
    for (const page of old) page.destroy();
    try {
      await this.#device.checked(`${who} needs ${showBytes(bytes)} for the tensors of one run; ${advice}`, () => {
        for (let at = 0; at < bytes; at += this.page) {
          this.#pages.push(
            gpu.createBuffer({
              label: 'arena',
              size: Math.min(this.page, bytes - at),
              usage: usage.storage | usage.copyFrom | usage.copyTo,
            }),
          );
        }
      });
      this.#bytes = bytes;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The buffer and offset of a byte. */
  at(offset: number): { readonly buffer: GPUBuffer; readonly offset: number } {
    return { buffer: this.#pages[Math.floor(offset / this.page)]!, offset: offset % this.page };
  }

  close(): void {
    for (const page of this.#pages) page.destroy();
    this.#pages = [];
    this.#bytes = 0;
    this.generation++;
  }
}
