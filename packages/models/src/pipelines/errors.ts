/** What can be wrong with a pipeline: a task nobody knows, a model that cannot do it, an option that makes no sense. */

/** A pipeline that cannot be made, or a call of one that cannot be answered: says what was asked, what was found, and what to do. */
export class PipelineError extends Error {
  override readonly name: string = 'PipelineError';
}
