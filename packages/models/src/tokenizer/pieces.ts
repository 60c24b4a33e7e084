/** What models make of words. */
import type { TokenizerJson } from './files.ts';

/** The pieces of a word: their ids, and where in the word each begins and ends. */
export interface Pieces {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Cuts a word, which is not empty, into pieces. */
export type PieceModel = (word: string) => Pieces;

/** The contents of `model` in `tokenizer.json`. */
export type ModelJson = TokenizerJson['model'];

/** The pieces of a model with their ids. */
export function modelVocabulary({ vocab }: ModelJson): (readonly [piece: string, id: number])[] {
  if (Array.isArray(vocab)) return (vocab as [string, number][]).map(([piece], id) => [piece, id]);
  return Object.entries(vocab as Record<string, number>);
}
