/** The memory of a run's tensors, which whichever program runs has for itself; more is allocated when larger sizes come. */
import type { Device } from './device.ts';
import { showBytes, tensorUsage } from './device.ts';

/** Pages that lie one after the other as the arena's bytes; all but the last are as large as a buffer can be. */
export interface Arena {
  /** Bytes of a page. */
  readonly page: number;
  /** The pages: another array after every change, when what was made for these is void. */
  pages(): readonly GPUBuffer[];
  /** Makes the arena reach so many bytes; `who` asks. */
  reach(bytes: number, who: string): Promise<void>;
  close(): void;
}

/** An arena without memory. */
export function makeArena(device: Device): Arena {
  const { maxBufferSize } = device.gpu.limits;
  const page = maxBufferSize - (maxBufferSize % 256);
  let pages: GPUBuffer[] = [];
  let reached = 0;
  const close = (): void => {
    // What was submitted still has them; they go when it is done.
    for (const buffer of pages) buffer.destroy();
    pages = [];
    reached = 0;
  };
  return {
    page,
    close,
    pages: () => pages,
    async reach(bytes, who) {
      if (bytes <= reached) return;
      close();
      await device.checked(`${who}: ${showBytes(bytes)} for the tensors of one run`, () => {
        for (let at = 0; at < bytes; at += page)
          pages.push(device.buffer('arena', Math.min(page, bytes - at), tensorUsage));
      });
      reached = bytes;
    },
  };
}
