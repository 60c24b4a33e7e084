/**
 * Text of tokens that come one after the other. A token is no character: byte-level and byte-fallback tokens cut characters, and
 * whether a piece begins with a space depends on whether it is the first. So new tokens are decoded behind those before them,
 * and text is given out when its last character is whole.
 */
import type { DecodeOptions, PreTrainedTokenizer } from './tokenizer.ts';

/** Takes tokens, gives text. What it gave, one after the other, is the text of all tokens. */
export interface TextStream {
  /** The text that further tokens make whole; often empty. */
  push(ids: Iterable<number>): string;
  /** The rest: what never became whole is U+FFFD. Afterwards the stream begins anew. */
  end(): string;
}

/** What a text of tokens ends with where bytes of its last character are still to come. */
const broken = '\ufffd';

/**
 * A stream of the text that `tokenizer.decode` makes, with the spaces as the tokens have them (no
 * `clean_up_tokenization_spaces`, which looks at what comes later).
 */
export function createTextStream(
  tokenizer: Pick<PreTrainedTokenizer, 'decode'>,
  { skip_special_tokens = false }: Pick<DecodeOptions, 'skip_special_tokens'> = {},
): TextStream {
  const decode = (ids: readonly number[]): string =>
    tokenizer.decode(ids, { skip_special_tokens, clean_up_tokenization_spaces: false });
  /** The tokens of the last text that was given out, and that text as it stands at the beginning of a text. */
  let context: readonly number[] = [];
  let before = '';
  let pending: number[] = [];

  const give = (last: boolean): string => {
    if (pending.length === 0) return '';
    const whole = decode([...context, ...pending]);
    if (whole.endsWith(broken) && !last) return '';
    // Bytes that never became a character may spoil those before them, which are out already.
    const text = whole.startsWith(before) ? whole.slice(before.length) : decode(pending);
    // Tokens without text (special ones, or a space that no text begins with) are no context by themselves.
    context = text === '' ? [...context, ...pending] : pending;
    before = decode(context);
    pending = [];
    return text;
  };

  return {
    push(ids) {
      pending.push(...ids);
      return give(false);
    },
    end() {
      const text = give(true);
      [context, before] = [[], ''];
      return text;
    },
  };
}
