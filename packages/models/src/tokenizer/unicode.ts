/** Unicode's normal forms and lower case, character by character, so that each new character knows where it comes from. */
import { replace, rewrite } from './span.ts';
import type { Change, Span } from './span.ts';

/** Lower-cases letter by letter: a capital sigma is never a final one, unlike in `String.toLowerCase`. */
export function lowerCase(s: Span): Span {
  if (!s.tracked) return { ...s, text: s.text.replaceAll('Σ', 'σ').toLowerCase() };
  return replace(s, /\p{Changes_When_Lowercased}/gu, (letter) => letter.toLowerCase());
}

/** A normal form of https://unicode.org/reports/tr15. */
export function normalForm(s: Span, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Span {
  const text = s.text.normalize(form);
  if (text === s.text) return s;
  if (!s.tracked) return { ...s, text };
  const full = form.endsWith('C') ? form.replace('C', 'D') : form;
  const decomposed: Change[] = [];
  for (const character of s.text) {
    [...character.normalize(full)].forEach((part, i) => decomposed.push([part, i === 0 ? 0 : 1]));
  }
  const ordered = compose(s.text.normalize(full), decomposed);
  return rewrite(s, form === full ? ordered : compose(text, ordered));
}

/**
 * The characters of `text`, which are `parts` in another order, some of them composed. A composed one is the place of the first of
 * its parts and, for each of the others that is no additional one, of one more.
 */
function compose(text: string, parts: readonly Change[]): Change[] {
  const taken = new Uint8Array(parts.length);
  let first = 0;
  const take = (character: string): number => {
    while (taken[first]) first++;
    let i = first;
    while (taken[i] || parts[i]![0] !== character) i++;
    taken[i] = 1;
    return parts[i]![1];
  };
  return Array.from(text, (character) => {
    if (character === parts[first]?.[0] && !taken[first]) return [character, take(character)];
    let change = 1;
    for (const part of character.normalize('NFD')) change += take(part) - 1;
    return [character, change];
  });
}
