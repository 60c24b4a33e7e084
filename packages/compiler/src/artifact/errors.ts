/** The errors of backends and of the artifacts that they load. */

/** A program cannot be built, loaded or run: says which kernel or tensor, what was found, and what to do. */
export class BackendError extends Error {
  override readonly name: string = 'BackendError';
}

/**
 * Why an artifact was refused.
 *
 * * `not-sinter`: the bytes are something else.
 * * `truncated`: there are fewer bytes than the header or the manifest says.
 * * `damaged`: a byte is not what was written (a hash differs, padding is not zero, bytes follow that belong to nothing), or a part is missing.
 * * `newer`: of a later format or contract than this version knows.
 * * `backend`: built for another backend.
 * * `requires`: the machine lacks a feature, or a limit of it is too low.
 * * `unknown-entry`, `unknown-file`: no entry point or file of that name.
 * * `weights`: weights are missing, or of another shape or dtype than the state that they are for.
 * * `check`: the stored case gave another answer.
 * * `source`: the bytes could not be read.
 */
export type ArtifactFault =
  | 'not-sinter'
  | 'truncated'
  | 'damaged'
  | 'newer'
  | 'backend'
  | 'requires'
  | 'unknown-entry'
  | 'unknown-file'
  | 'weights'
  | 'check'
  | 'source';

/** An artifact is refused: `fault` says why, the message what was asked, what was found, and what to do. */
export class ArtifactError extends BackendError {
  override readonly name: string = 'ArtifactError';
  /** Why. */
  readonly fault: ArtifactFault;

  constructor(fault: ArtifactFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}
