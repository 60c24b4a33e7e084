/**
 * BERT's text clean-up and its inverse, exactly as in the Rust `tokenizers` library (`normalizers/bert.rs`,
 * `decoders/wordpiece.rs`).
 */
import { replace } from './span.ts';
import type { Span } from './span.ts';
import { lowerCase, normalForm } from './unicode.ts';

/** The settings of a `BertNormalizer` in `tokenizer.json`. */
export interface BertNormalizer {
  readonly type: 'BertNormalizer';
  readonly clean_text?: boolean;
  readonly handle_chinese_chars?: boolean;
  readonly strip_accents?: boolean | null;
  readonly lowercase?: boolean;
}

const invisible = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const space = /\p{White_Space}/gu;
const chinese =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const accent = /\p{Mn}/gu;
const beyondAscii = /[^\0-\x7f]/;
const remove = (): string => '';

/** Removes what is not text, sets Chinese characters apart, removes accents, lower-cases: each as `rules` say. */
export function normalizeBert(
  text: Span,
  { clean_text, handle_chinese_chars, strip_accents, lowercase }: Omit<BertNormalizer, 'type'>,
): Span {
  let s = text;
  if (clean_text) s = replace(replace(s, invisible, remove), space, () => ' ');
  if (beyondAscii.test(s.text)) {
    if (handle_chinese_chars) s = replace(s, chinese, (letter) => ` ${letter} `);
    if (strip_accents ?? lowercase) s = replace(normalForm(s, 'NFD'), accent, remove);
  }
  return lowercase ? lowerCase(s) : s;
}

/** Puts pieces together: `prefix` marks one that continues the word before it. */
export function joinWordPieces(tokens: readonly string[], prefix: string, cleanup: boolean): string {
  return tokens
    .map((token, i) => {
      const piece = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return cleanup ? cleanUpSpaces(piece) : piece;
    })
    .join('');
}

/** Removes the spaces that tokenizing puts before punctuation and English contractions. */
export function cleanUpSpaces(text: string): string {
  return text
    .replace(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, '$1');
}
