/** The one error type of this package: what was asked, where, and what to do about it. */

/**
 * What kind of thing went wrong.
 *
 * - `open`: the log folder or file cannot be made
 * - `write`: the file cannot be written (full disk, quota); what was logged is kept in memory and tried again
 * - `argument`: a tag, step, value or wall time that an event file cannot hold
 * - `closed`: something was logged to a writer after `close()`
 * - `missing`: there is no event file to read
 * - `corrupt`: bytes that are not a whole, valid record
 */
export type LogErrorCode = 'open' | 'write' | 'argument' | 'closed' | 'missing' | 'corrupt';

/** Where it went wrong: every part that is known. */
export interface LogErrorPlace {
  /** File or folder. */
  readonly path?: string;
  /** Tag of the value that was logged. */
  readonly tag?: string;
  /** Step of the value that was logged. */
  readonly step?: number;
  /** Byte offset in the file. */
  readonly offset?: number;
}

/** Thrown by everything here; `code` says which case it is, `path`, `tag`, `step` and `offset` where, `cause` the system's error. */
export class LogError extends Error implements LogErrorPlace {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;
  declare readonly path?: string;
  declare readonly tag?: string;
  declare readonly step?: number;
  declare readonly offset?: number;

  constructor(code: LogErrorCode, message: string, place: LogErrorPlace = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, place);
  }
}

/** The message of whatever was thrown. */
export function reason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
