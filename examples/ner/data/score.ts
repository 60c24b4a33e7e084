/** How many names are found: precision, recall and F1 of whole names, as CoNLL counts them. */
import type { NameType, Span } from './words.ts';

/** What names are worth that were found. */
export interface Score {
  /** The share of found names that are right. */
  readonly precision: number;
  /** The share of names that are found. */
  readonly recall: number;
  /** The harmonic mean of both. */
  readonly f1: number;
  /** How many names there are. */
  readonly names: number;
}

/** Scores found names against the true ones, sentence by sentence; a name is right if type, start and end are. */
export function score(
  found: readonly (readonly Span[])[],
  truth: readonly (readonly Span[])[],
  type?: NameType,
): Score {
  let [right, given, names] = [0, 0, 0];
  truth.forEach((spans, i) => {
    const key = (span: Span): string => `${span.type} ${span.start} ${span.end}`;
    const wanted = (span: Span): boolean => type === undefined || span.type === type;
    const there = new Set(spans.filter(wanted).map(key));
    const mine = found[i]!.filter(wanted).map(key);
    right += mine.filter((name) => there.has(name)).length;
    given += mine.length;
    names += there.size;
  });
  const precision = given === 0 ? 0 : right / given;
  const recall = names === 0 ? 0 : right / names;
  return { precision, recall, f1: right === 0 ? 0 : (2 * precision * recall) / (precision + recall), names };
}
