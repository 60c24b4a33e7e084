/** Ends texts at given strings, as Hugging Face's `StopStringCriteria`: a text ends when its last token completes one of them. */
import { InputError } from '../errors.ts';

/** What is wanted of a tokenizer to know text from tokens. */
export interface Decoder {
  /** The text of token ids. */
  decode(ids: readonly number[]): string;
}

/** Tells whether the last of some tokens completes a string, which may begin before and end within it. @throws InputError without a tokenizer */
export function completes(
  strings: readonly string[],
  tokenizer: Decoder | undefined,
): (tokens: readonly number[]) => boolean {
  if (strings.length === 0) return () => false;
  if (!tokenizer) throw new InputError('generate: stop_strings needs the tokenizer too; give it as `tokenizer`');
  if (strings.some((text) => text === '')) throw new InputError('generate: stop_strings has an empty string');
  const longest = Math.max(...strings.map((text) => text.length));
  // A character is four tokens at most; one more, which may lose the space that it begins with.
  const tail = 4 * longest + 1;
  return (tokens) => {
    const text = tokenizer.decode(tokens.slice(-tail));
    // Where the last token begins: the end of a text may be a piece of a character, shown as U+FFFD.
    const before = tokenizer.decode(tokens.slice(-tail, -1)).replace(/\uFFFD+$/, '').length;
    return strings.some((end) => text.indexOf(end, Math.max(0, before - end.length + 1)) >= 0);
  };
}
