/** Words of a sentence, names in it, and the one as labels of the other: BIO as in CoNLL-2003. */

/** A word, a number or a mark, and where it stands in its sentence. */
export interface Word {
  readonly text: string;
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
}

/** What is found: people, and countries of today or of the past. */
export type NameType = 'PER' | 'COUNTRY';

/** A name, by characters of its sentence or by words, as is said where it is used. */
export interface Span {
  readonly type: NameType;
  readonly start: number;
  /** Behind its end. */
  readonly end: number;
}

/** The label of a word: outside, or the beginning or the inside of a name. */
export type Label = 'O' | `${'B' | 'I'}-${NameType}`;

/** All labels; a model's classes in this order. */
export const labels: readonly Label[] = ['O', 'B-PER', 'I-PER', 'B-COUNTRY', 'I-COUNTRY'];

/** Cuts a sentence into words. */
export function wordsOf(sentence: string): Word[] {
  return [...sentence.matchAll(/[\p{L}\p{M}]+|\p{N}+|[^\s\p{L}\p{M}\p{N}]/gu)].map(({ 0: text, index }) => ({
    text,
    start: index,
    end: index + text.length,
  }));
}

/** Whether a word begins with a capital. */
export function isCapitalised(word: string): boolean {
  return /^\p{Lu}/u.test(word);
}

/** Labels for `count` words out of names by words. */
export function labelsOf(spans: readonly Span[], count: number): Label[] {
  const out = new Array<Label>(count).fill('O');
  for (const { type, start, end } of spans)
    for (let i = start; i < end; i++) out[i] = `${i === start ? 'B' : 'I'}-${type}`;
  return out;
}

/** Names by words out of labels. An inside that continues nothing begins a name, as `conlleval` and seqeval have it. */
export function spansOf(labels: readonly Label[]): Span[] {
  const spans: Span[] = [];
  let open: { type: NameType; start: number } | undefined;
  [...labels, 'O' as const].forEach((label, i) => {
    const type = label === 'O' ? undefined : (label.slice(2) as NameType);
    if (open && (label[0] !== 'I' || type !== open.type)) {
      spans.push({ ...open, end: i });
      open = undefined;
    }
    if (type) open ??= { type, start: i };
  });
  return spans;
}

/** Names by characters as names by words; each has to begin and end where words do. @throws Error for one that does not */
export function inWords(spans: readonly Span[], words: readonly Word[]): Span[] {
  return spans.map(({ type, start, end }) => {
    const first = words.findIndex((word) => word.start === start);
    const last = words.findIndex((word) => word.end === end);
    if (first < 0 || last < first) throw new Error(`no words begin at ${start} and end at ${end}`);
    return { type, start: first, end: last + 1 };
  });
}
