/** Event files on disk: how they are named, made and found. */
import { mkdirSync, openSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LogError, reason } from './log-error.ts';

/**
 * Makes a new, empty event file in `folder` (made too if need be): `events.out.tfevents.<secs>.<host>.<pid>.<n>.v2`.
 *
 * The file is created exclusively, so no two writers ever share one. TensorBoard reads the files of a run in name order and
 * does not come back to an earlier one; so `n` stays one digit, and after ten files in a second the next second is used.
 *
 * @returns the path, and the open file descriptor
 * @throws LogError `open`
 */
export function createEventFile(folder: string): { readonly path: string; readonly fd: number } {
  const host = hostname().replace(/[^\w.-]/g, '_') || 'localhost';
  let path = folder;
  try {
    mkdirSync(folder, { recursive: true });
    for (let tried = Math.floor(Date.now() / 1000) * 10; ; tried++) {
      const seconds = String(Math.floor(tried / 10)).padStart(10, '0');
      path = join(folder, `events.out.tfevents.${seconds}.${host}.${process.pid}.${tried % 10}.v2`);
      try {
        return { path, fd: openSync(path, 'wx') };
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
      }
    }
  } catch (thrown) {
    const message = `cannot make an event file in "${folder}": ${reason(thrown)}. Choose a folder that this process may create and write to.`;
    throw new LogError('open', message, { path }, thrown);
  }
}

/**
 * The event file that comes first at `path`: the file itself, or in a folder the first in name order whose name contains `tfevents`.
 *
 * @param after an event file; only later ones count
 * @returns its path, or `undefined` when there is none
 * @throws LogError `missing` when there is nothing at `path`
 */
export async function nextEventFile(path: string, after?: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isDirectory()) return after === undefined ? path : undefined;
    const names = (await readdir(path)).filter((name) => name.includes('tfevents')).sort();
    return names.map((name) => join(path, name)).find((file) => after === undefined || file > after);
  } catch (thrown) {
    const message = `cannot read events from "${path}": ${reason(thrown)}. Give an event file, or a folder that holds some.`;
    throw new LogError('missing', message, { path }, thrown);
  }
}
