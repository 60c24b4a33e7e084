/** Reads event files back: everything in them as events, or what the dashboards would show as points. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nextEventFile } from './event-file.ts';
import type { Event, Metadata } from './event.ts';
import { LogError } from './log-error.ts';
import { pointsOf } from './point.ts';
import type { Point } from './point.ts';
import { openTail } from './tail.ts';

/** Options of {@link readEvents} and {@link readPoints}. */
export interface ReadOptions {
  /**
   * Told of every damaged stretch of a file, with its `offset`; reading then goes on with the next whole record. Without it, damage
   * is thrown.
   */
  readonly onCorrupt?: (error: LogError) => void;
  /** Waits at the end for more, until this signal aborts. Default: stop at the end. */
  readonly follow?: AbortSignal;
  /** How often to look for more when following, in seconds; default 1. */
  readonly pollSeconds?: number;
}

/**
 * The events of a run, in the order in which they were logged.
 *
 * A record cut off by the end of the file was not finished (yet), and ends the reading without an error. The files of a folder
 * are read in name order, and never again after going on to the next, as TensorBoard does it.
 *
 * @param path an event file, or a folder that holds some
 * @throws LogError `missing`, or `corrupt` if there is no `onCorrupt`
 * @example
 * for await (const event of readEvents('./logs')) console.log(event.step, event.kind);
 */
export async function* readEvents(path: string, options: ReadOptions = {}): AsyncGenerator<Event, void, undefined> {
  const { onCorrupt, follow, pollSeconds = 1 } = options;
  /** False when it is time to stop. */
  const wait = async () => {
    if (!follow) return false;
    await sleep(pollSeconds * 1000, undefined, { signal: follow }).catch(() => {});
    return !follow.aborted;
  };

  let file = await nextEventFile(path);
  while (!file && (await wait())) file = await nextEventFile(path);
  if (!file && !follow) {
    const message = `the folder "${path}" holds no event file (a name with "tfevents" in it). Give the folder of one run.`;
    throw new LogError('missing', message, { path });
  }
  while (file) {
    const tail = await openTail(file, onCorrupt);
    let next: string | undefined;
    try {
      for (;;) {
        const events = await tail.read();
        yield* events;
        if (events.length > 0) continue;
        if (next) break;
        next = await nextEventFile(path, file);
        if (next) continue; // once more: the end of this file may have been written meanwhile
        if (!(await wait())) return;
      }
    } finally {
      await tail.close();
    }
    file = next;
  }
}

/**
 * What was logged to a run, decoded: one point per value of a summary.
 *
 * @param path an event file, or a folder that holds some
 * @throws LogError as {@link readEvents}
 * @example
 * for await (const point of readPoints('./logs')) {
 *   if (point.kind === 'scalar') console.log(point.tag, point.step, point.value);
 * }
 */
export async function* readPoints(path: string, options: ReadOptions = {}): AsyncGenerator<Point, void, undefined> {
  const metadata = new Map<string, Metadata>();
  for await (const event of readEvents(path, options)) yield* pointsOf(event, metadata);
}
