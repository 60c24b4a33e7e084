/** What goes wrong with tokenizers, as one error type. */

/**
 * A tokenizer file that is missing or malformed, or a call that cannot be carried out.
 * The message says what was asked, what was found, where, and what to do.
 */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
}

/** A step of `tokenizer.json` whose type is not among `known`. */
export function stepError(
  what: string,
  { type }: { readonly type?: unknown },
  known: Readonly<Record<string, unknown>>,
): TokenizerError {
  return new TokenizerError(
    `tokenizer.json has a ${what} '${String(type)}', which is not known here; these are: ${Object.keys(known).join(', ')}.`,
  );
}
