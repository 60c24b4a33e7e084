/**
 * A part of a text on its way to tokens, which knows where in the text it comes from. Every normalizer is made of two ways to
 * change it: `replace` matches, or `rewrite` all of it; every pre-tokenizer of one way to cut it: `split`. Which place in the text a new
 * character gets is as in the Rust `tokenizers` library (`tokenizer/normalizer.rs`), in UTF-16 code units.
 */

/** A part of a text, normalized or not. */
export interface Span {
  readonly text: string;
  /** Where in the original the part begins. */
  readonly at: number;
  /** Whether places are wanted at all: without, changes cost no more than the new string. */
  readonly tracked: boolean;
  /** Where in the original each code unit begins and ends; `undefined`: nothing has changed, unit `i` stands at `at + i`. */
  readonly places: Places | undefined;
}

/** Both units of a surrogate pair begin and end where their character does. */
interface Places {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** A whole text. */
export function span(text: string, tracked: boolean): Span {
  return { text, at: 0, tracked, places: undefined };
}

/** The part of `s` from unit `from` to before unit `to`. */
export function slice(s: Span, from: number, to: number): Span {
  if (from === 0 && to === s.text.length) return s;
  const { text, at, tracked, places } = s;
  return {
    text: text.slice(from, to),
    at: places === undefined ? at + from : from < to ? places.starts[from]! : at,
    tracked,
    places: places && { starts: places.starts.subarray(from, to), ends: places.ends.subarray(from, to) },
  };
}

/** Where in the original the units from `from` to before `to`, of which there is one at least, begin and end. */
export function placeOf({ at, places }: Span, from: number, to: number): readonly [start: number, end: number] {
  return places ? [places.starts[from]!, places.ends[to - 1]!] : [at + from, at + to];
}

/** Replaces every match of a global `pattern`; what comes in its place stands where the last character of the match stood. */
export function replace(s: Span, pattern: RegExp, by: (match: string) => string): Span {
  if (!s.tracked) {
    const text = s.text.replace(pattern, by);
    return text === s.text ? s : { ...s, text };
  }
  const old = placesOf(s);
  const parts: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const copy = (from: number, to: number): void => {
    parts.push(s.text.slice(from, to));
    for (let i = from; i < to; i++) {
      starts.push(old.starts[i]!);
      ends.push(old.ends[i]!);
    }
  };
  let done = 0;
  for (const { 0: match, index } of s.text.matchAll(pattern)) {
    copy(done, index);
    done = index + match.length;
    const text = by(match);
    parts.push(text);
    for (let i = 0; i < text.length; i++) {
      starts.push(old.starts[done - 1]!);
      ends.push(old.ends[done - 1]!);
    }
  }
  if (done === 0) return s;
  copy(done, s.text.length);
  return { ...s, text: parts.join(''), places: { starts: Int32Array.from(starts), ends: Int32Array.from(ends) } };
}

/** `text` before all else, in the place of the first character; nothing before nothing. */
export function prepend(s: Span, text: string): Span {
  if (!s.tracked) return s.text === '' ? s : { ...s, text: text + s.text };
  return replace(s, /(?<![^])[^]/gu, (first) => text + first);
}

/**
 * A character of a new text: 0 takes the place of the next old character, −n of the next and of n more behind it; 1 is additional and
 * stands where the last old character stood.
 */
export type Change = readonly [character: string, change: number];

/** The text that `changes` spell, each character in the place of the old one that it comes from. */
export function rewrite(s: Span, changes: readonly Change[]): Span {
  const text = changes.map(([character]) => character).join('');
  if (!s.tracked) return { ...s, text };
  const old = placesOf(s);
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  let next = 0;
  let unit = 0;
  const pass = (): void => void (next += (s.text.codePointAt(next) ?? 0) > 0xffff ? 2 : 1);
  for (const [character, change] of changes) {
    const from = change > 0 ? next - 1 : next;
    for (let i = 0; i < character.length; i++, unit++) {
      starts[unit] = old.starts[from] ?? s.at;
      ends[unit] = old.ends[from] ?? s.at;
    }
    for (let i = change; i <= 0; i++) pass();
  }
  return { ...s, text, places: { starts, ends } };
}

function placesOf({ text, at, places }: Span): Places {
  if (places) return places;
  const starts = new Int32Array(text.length);
  const ends = new Int32Array(text.length);
  for (let i = 0; i < text.length;) {
    const width = text.codePointAt(i)! > 0xffff ? 2 : 1;
    starts.fill(at + i, i, i + width);
    ends.fill(at + i + width, i, i + width);
    i += width;
  }
  return { starts, ends };
}

/** What becomes of the matches when a text is cut at them, by the names of `tokenizer.json`. */
export type SplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

/** Cuts at the matches of a global `pattern` (with `invert`: at what lies between them); nothing empty comes out. */
export function split(s: Span, pattern: RegExp, behavior: SplitBehavior, invert = false): Span[] {
  const parts: Part[] = [];
  const add = (from: number, to: number, matches: boolean): void => {
    if (from < to) parts.push({ from, to, matches: matches !== invert });
  };
  let done = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(s.text); match !== null; match = pattern.exec(s.text)) {
    const end = match.index + match[0].length;
    if (match[0] === '') pattern.lastIndex += (s.text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
    add(done, match.index, false);
    add(match.index, end, true);
    done = end;
  }
  add(done, s.text.length, false);
  return joinParts(parts, behavior).map(({ from, to }) => slice(s, from, to));
}

/** A stretch of a text that is a match, or lies between matches. */
interface Part {
  readonly from: number;
  to: number;
  readonly matches: boolean;
}

function joinParts(parts: readonly Part[], behavior: SplitBehavior): readonly Part[] {
  if (behavior === 'Isolated') return parts;
  if (behavior === 'Removed') return parts.filter(({ matches }) => !matches);
  /** Whether `part` becomes one with the part before it. */
  const joins = (before: Part, part: Part): boolean => {
    if (behavior === 'Contiguous') return before.matches === part.matches;
    return behavior === 'MergedWithPrevious' ? part.matches && !before.matches : before.matches && !part.matches;
  };
  const out: Part[] = [];
  parts.forEach((part, i) => {
    if (i > 0 && joins(parts[i - 1]!, part)) out.at(-1)!.to = part.to;
    else out.push({ ...part });
  });
  return out;
}
