/** What goes wrong with tokenizers, as one error type. */

/**
 * A tokenizer file that is missing or malformed, or a call that cannot be carried out.
 * The message says what was asked, what was found, where, and what to do.
 */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
}
