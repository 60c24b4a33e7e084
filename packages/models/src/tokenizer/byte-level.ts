/**
 * Byte-level text, as GPT-2 has it (Radford et al. 2019, https://github.com/openai/gpt-2/blob/master/src/encoder.py): each byte of
 * UTF-8 is written as one visible character, so that a vocabulary of 256 letters knows every text and none is unknown.
 */
import { replace } from './span.ts';
import type { Span } from './span.ts';

/** How GPT-2 cuts text into words: contractions, letters, digits and signs with the space before them, other white space. */
export const byteLevelWords =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The character that stands for byte `i`: itself where it is visible in Latin-1, else one from U+0100 on. */
export const byteLetters: readonly string[] = (() => {
  const visible = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : next++));
})();

const letterBytes = new Map(byteLetters.map((letter, byte) => [letter, byte]));
const encoder = new TextEncoder();

/** The bytes of a text as letters; half a surrogate pair counts as U+FFFD. */
export function toByteLetters(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += byteLetters[byte]!;
  return out;
}

const known = new Map<string, string>([[' ', byteLetters[0x20]!]]);
const lettersOfOne = (character: string): string => {
  let letters = known.get(character);
  if (letters === undefined) known.set(character, (letters = toByteLetters(character)));
  return letters;
};

/** A part of a text as byte letters, each in the place of its character. */
export const byteLettersOf = (s: Span): Span => replace(s, /[^!-~]/gu, lettersOfOne);

/** The bytes that letters stand for; a token with other characters (one that was added) is its own UTF-8. */
export function fromByteLetters(token: string): Iterable<number> {
  const bytes: number[] = [];
  for (const letter of token) {
    const byte = letterBytes.get(letter);
    if (byte === undefined) return encoder.encode(token);
    bytes.push(byte);
  }
  return bytes;
}
