/** Reads one event file from its beginning to wherever it ends today, and on from there when it has grown. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Event } from './event.ts';
import { LogError, reason } from './log-error.ts';
import { decodeEvent } from './proto.ts';
import { findHeader, scanRecord } from './record.ts';

const chunkBytes = 1 << 18;

/**
 * Opens an event file for reading.
 *
 * @param onCorrupt told of every damaged stretch; reading then goes on with the next whole record. Without it, damage is thrown.
 * @throws LogError `missing`
 */
export async function openTail(path: string, onCorrupt?: (error: LogError) => void): Promise<Tail> {
  try {
    return new Tail(path, await open(path, 'r'), onCorrupt);
  } catch (thrown) {
    throw new LogError('missing', `cannot open event file "${path}": ${reason(thrown)}.`, { path }, thrown);
  }
}

/** A place in a growing event file. Made by {@link openTail}. */
export class Tail {
  /** Path of the file. */
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #onCorrupt: ((error: LogError) => void) | undefined;
  /** Bytes of the file from `#start` on; the first `#at` of them are done with. */
  #bytes = new Uint8Array(0);
  #start = 0;
  #at = 0;
  /** Inside a damaged stretch, looking for the next whole record. */
  #lost = false;

  constructor(path: string, handle: FileHandle, onCorrupt?: (error: LogError) => void) {
    this.path = path;
    this.#handle = handle;
    this.#onCorrupt = onCorrupt;
  }

  /** Where the next record begins: a byte offset in the file. What follows it, if anything, is not whole yet. */
  get offset(): number {
    return this.#start + this.#at;
  }

  /**
   * The next events, some at a time; none when the file ends here for now. A record cut off by the end of the file counts as not
   * written yet.
   *
   * @throws LogError `corrupt` at damage, with its `offset`, unless `onCorrupt` is there to be told
   */
  async read(): Promise<readonly Event[]> {
    const events: Event[] = [];
    while (events.length === 0) {
      this.#scan(events);
      if (events.length === 0 && !(await this.#more())) break;
    }
    return events;
  }

  /** Closes the file. */
  close(): Promise<void> {
    return this.#handle.close();
  }

  /** Takes the whole records out of `#bytes`. */
  #scan(events: Event[]): void {
    for (;;) {
      if (this.#lost) this.#at = findHeader(this.#bytes, this.#at);
      const scan = scanRecord(this.#bytes, this.#at);
      if (scan.kind === 'torn') return;
      let damage: string;
      if (scan.kind === 'corrupt') damage = `the checksum of its ${scan.what} is wrong`;
      else {
        try {
          events.push(decodeEvent(scan.data));
          this.#at = scan.end;
          this.#lost = false;
          continue;
        } catch (thrown) {
          damage = `it is no event (${reason(thrown)})`;
        }
      }
      if (!this.#lost) {
        const { path, offset } = this;
        const message = `the record at byte ${offset} of "${path}" is damaged: ${damage}. Read with onCorrupt to go on behind it.`;
        const error = new LogError('corrupt', message, { path, offset });
        if (this.#onCorrupt) this.#onCorrupt(error);
        else if (events.length > 0)
          return; // first hand out what is whole
        else throw error;
      }
      this.#lost = scan.kind === 'corrupt';
      this.#at = scan.kind === 'corrupt' ? this.#at + 1 : scan.end;
    }
  }

  /** Appends more of the file to `#bytes`; false at its end. */
  async #more(): Promise<boolean> {
    const kept = this.#bytes.subarray(this.#at);
    const bytes = new Uint8Array(kept.length + Math.max(chunkBytes, kept.length)); // doubling: long records in linear time
    bytes.set(kept);
    const position = this.offset + kept.length;
    const { bytesRead } = await this.#handle.read(bytes, kept.length, bytes.length - kept.length, position);
    this.#start += this.#at;
    this.#at = 0;
    this.#bytes = bytes.subarray(0, kept.length + bytesRead);
    return bytesRead > 0;
  }
}
