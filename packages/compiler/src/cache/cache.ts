/** Where compiled programs, and what was measured of them, are kept between runs: bytes by key. */

/**
 * Keeps bytes. It holds only what can be made again, so it never makes its user fail: what it cannot read is not there, and
 * what it cannot write is not kept. `diskCache` of `@sinter/compiler/cache` is one for Node; a `Map` is one for a test, and
 * the browser's `Cache` one for a page.
 */
export interface Cache {
  /**
   * What was written under a key, byte for byte; `undefined` where there is nothing (any more).
   *
   * @param key Any text. Whoever uses a cache begins it with a word of its own, so that kinds of entries do not meet.
   */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Keeps bytes under a key, in place of what was there. */
  write(key: string, bytes: Uint8Array): Promise<void>;
}
