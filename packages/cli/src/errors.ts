/** What goes wrong in a command, and the exit code that it has. */

/** The exit codes of the command. */
export const exitCodes = {
  /** Done. */ ok: 0,
  /** The thing asked for could not be done, or a file is not what it should be. */ failed: 1,
  /** The command was not written as it must be; nothing was tried. */ usage: 2,
} as const;

/** Something that was asked for cannot be done: says what, what was found, and what to do. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
}

/** An argument that does not say what it must: nothing was tried. */
export class UsageError extends CliError {
  override readonly name: string = 'UsageError';
}
