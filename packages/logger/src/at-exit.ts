/**
 * Last words: writers with unwritten events register here and are asked to write them synchronously when the process exits
 * (also after an uncaught error or `process.exit()`). One listener serves all writers, and there is none while nothing is unwritten.
 */
import { reason } from './log-error.ts';

/** Something that can write what it still holds without waiting. */
export interface Unwritten {
  writeNow(): void;
}

const unwritten = new Set<Unwritten>();

function onExit(): void {
  for (const writer of unwritten) {
    try {
      writer.writeNow();
    } catch (thrown) {
      console.error(reason(thrown)); // too late for a process warning
    }
  }
}

/** From now on `writer` has something to lose. */
export function holdForExit(writer: Unwritten): void {
  if (unwritten.size === 0) process.on('exit', onExit);
  unwritten.add(writer);
}

/** `writer` has written everything. */
export function releaseFromExit(writer: Unwritten): void {
  if (unwritten.delete(writer) && unwritten.size === 0) process.off('exit', onExit);
}
