/**
 * BERT's text clean-up and its inverse, exactly as in the Rust `tokenizers` library
 * (`normalizers/bert.rs`, `decoders/wordpiece.rs`), from which `@huggingface/tokenizers` 0.2.0 departs for Chinese
 * characters outside the basic plane, for a capital sigma at the end of a word, and in the spaces around apostrophes.
 */

/** The settings of a `BertNormalizer` in `tokenizer.json`. */
export interface BertNormalizer {
  readonly type: 'BertNormalizer';
  readonly clean_text?: boolean;
  readonly handle_chinese_chars?: boolean;
  readonly strip_accents?: boolean | null;
  readonly lowercase?: boolean;
}

const invisible = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
const space = /\s/g;
const chinese =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const accent = /\p{Mn}/gu;
const beyondAscii = /[^\0-\x7f]/;

/** Removes what is not text, sets Chinese characters apart, removes accents, lower-cases: each as `rules` say. */
export function normalizeBert(
  text: string,
  { clean_text, handle_chinese_chars, strip_accents, lowercase }: Omit<BertNormalizer, 'type'>,
): string {
  let out = text;
  if (clean_text) out = out.replace(invisible, '').replace(space, ' ');
  if (beyondAscii.test(out)) {
    if (handle_chinese_chars) out = out.replace(chinese, ' $& ');
    if (strip_accents ?? lowercase) out = out.normalize('NFD').replace(accent, '');
    // JavaScript writes a final sigma at the end of a word; Rust lower-cases letter by letter.
    if (lowercase) out = out.replaceAll('Σ', 'σ');
  }
  return lowercase ? out.toLowerCase() : out;
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
