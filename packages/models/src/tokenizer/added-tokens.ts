/**
 * Tokens outside the model's own rules, found in a text before anything else looks at it: those that are not to be normalized in the
 * text itself, the others in what the normalizer leaves (`tokenizer/added_vocabulary.rs` of the Rust `tokenizers`).
 */
import type { AddedTokenJson } from './files.ts';
import { slice, span } from './span.ts';
import type { Span } from './span.ts';
import type { Normalizer } from './normalize.ts';

/** A part of a text: an added token, with its id, or what lies between such. */
export interface Section {
  readonly span: Span;
  readonly id: number | undefined;
}

/** Cuts a text into added tokens and normalized parts between them, none of them empty. */
export function addedTokens(tokens: readonly AddedTokenJson[], normalize: Normalizer): (text: Span) => Section[] {
  const find = (normalized: boolean) => {
    const wanted = tokens.filter((token) => token.normalized === normalized && token.content !== '');
    return finder(wanted, (content) => (normalized ? normalize(span(content, false)).text : content));
  };
  const [raw, cooked] = [find(false), find(true)];
  return (text) =>
    raw(text).flatMap((section) => {
      if (section.id !== undefined) return [section];
      const normalized = normalize(section.span);
      return normalized.text === '' ? [] : cooked(normalized);
    });
}

function finder(tokens: readonly AddedTokenJson[], written: (content: string) => string): (s: Span) => Section[] {
  const byText = new Map(tokens.map((token) => [written(token.content), token]));
  byText.delete('');
  if (byText.size === 0) return (s) => (s.text === '' ? [] : [{ span: s, id: undefined }]);
  // The longest of those that begin at the leftmost place.
  const texts = [...byText.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|'), 'gu');
  return (s) => {
    const { text } = s;
    const out: Section[] = [];
    let done = 0;
    const add = (from: number, to: number, id?: number): void => {
      if (from < to) out.push({ span: slice(s, from, to), id });
    };
    for (const { 0: match, index } of text.matchAll(pattern)) {
      const token = byText.get(match)!;
      let [from, to] = [index, index + match.length];
      // Two units hold the character beside the token, whatever it is.
      const beside = [text.slice(Math.max(0, from - 2), from), text.slice(to, to + 2)] as const;
      if (token.single_word && (wordEnd.test(beside[0]) || wordStart.test(beside[1]))) continue;
      // Spaces that the token before has taken are no longer there.
      if (token.lstrip) while (from > done && isSpace(text[from - 1])) from--;
      if (token.rstrip) while (isSpace(text[to])) to++;
      add(done, from);
      add(from, to, token.id);
      done = to;
    }
    add(done, text.length);
    return out;
  };
}

const wordEnd = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const wordStart = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const isSpace = (unit: string | undefined): boolean => unit !== undefined && /\p{White_Space}/u.test(unit);
