/** The error of a backend. */

/** A program cannot be built, loaded or run: says which kernel or tensor, what was found, and what to do. */
export class BackendError extends Error {
  override readonly name: string = 'BackendError';
}
