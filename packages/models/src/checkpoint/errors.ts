/** The error of everything that reads, writes or fetches checkpoints. */

/**
 * What went wrong, for programs:
 * - `bad-header`: a header or index that is not well formed or contradicts itself or the file
 * - `truncated`: a file shorter than its own header says
 * - `unknown-tensor`: a name that the checkpoint does not have
 * - `bad-tensor`: a tensor whose dtype, shape and data do not agree, or whose values do not fit the dtype asked for
 * - `shape-mismatch`: a tensor of another shape than the model's parameter of that name
 * - `unsafe-pickle`: a pickle that names a Python object other than those that weights are made of
 * - `unsupported`: a format, or a way of storing weights, that is not read
 * - `missing-file`: no place has the file
 * - `bad-name`: a model id, revision, file or package name that cannot be one
 * - `offline`: the network would be needed, and its use is turned off
 * - `unreachable`: the network does not answer, or answers with a server error
 * - `unauthorized`: the hub refuses access (401, 403)
 * - `unknown-repo`: the hub has no such model or revision (404)
 * - `bad-response`: what answers is not a hub, or contradicts itself
 * - `hash-mismatch`: the downloaded bytes are not the ones that were announced
 * - `interrupted`: the connection broke off again and again; what arrived is kept for the next try
 * - `bad-package`: a package that does not hold a model
 */
export type CheckpointErrorCode =
  | 'bad-header'
  | 'truncated'
  | 'unknown-tensor'
  | 'bad-tensor'
  | 'shape-mismatch'
  | 'unsafe-pickle'
  | 'unsupported'
  | 'missing-file'
  | 'bad-name'
  | 'offline'
  | 'unreachable'
  | 'unauthorized'
  | 'unknown-repo'
  | 'bad-response'
  | 'hash-mismatch'
  | 'interrupted'
  | 'bad-package';

/** The parts of a {@link CheckpointError}'s message. */
export interface CheckpointProblem {
  /** What was asked for. */
  readonly asked: string;
  /** What was found instead. */
  readonly found: string;
  /** The file, folder or URL. */
  readonly where: string;
  /** What to do about it, as a sentence. */
  readonly fix: string;
  /** The tensor concerned, if it is one. */
  readonly tensor?: string;
}

/** A checkpoint that cannot be read, written or fetched: says what was asked, what was found, where, and what to do. */
export class CheckpointError extends Error {
  override readonly name: string = 'CheckpointError';
  /** What went wrong, for programs. */
  readonly code: CheckpointErrorCode;
  /** The file, folder or URL concerned. */
  readonly where: string;
  /** The tensor concerned, if it is one. */
  readonly tensor: string | undefined;

  constructor(code: CheckpointErrorCode, problem: CheckpointProblem, options?: ErrorOptions) {
    const tensor = problem.tensor === undefined ? '' : `tensor "${problem.tensor}" in `;
    super(`${problem.asked}: ${problem.found} (${tensor}${problem.where}). ${problem.fix}`, options);
    this.code = code;
    this.where = problem.where;
    this.tensor = problem.tensor;
  }
}
