/** A task for which labels are few: of which era a sentence is. */
import type { Document } from '@sinter/example-texts/documents.ts';
import { shuffled } from '@sinter/example-texts/random.ts';

/** The eras, by the year in which each begins: before the Civil War, up to the First World War, up to Kennedy, and since. */
export const eras = { '1790–1860': 1790, '1861–1913': 1861, '1914–1960': 1914, '1961–2021': 1961 };

/** A sentence and the number of its era. */
export interface Example {
  readonly text: string;
  readonly label: number;
}

/** Sentences of 8 to 60 words, `each` of every era, drawn from speeches. */
export function drawSentences(speeches: readonly Document[], each: number, random: () => number): Example[] {
  const begins = Object.values(eras);
  return begins.flatMap((_, label) => {
    const texts = speeches
      .filter(({ id }) => begins.findLastIndex((year) => year <= Number(id.slice(0, 4))) === label)
      .flatMap(({ paragraphs }) => paragraphs.flat())
      .filter((text) => isUsual(text.split(' ').length));
    return shuffled(texts, random)
      .slice(0, each)
      .map((text) => ({ text, label }));
  });
}

function isUsual(words: number): boolean {
  return words >= 8 && words <= 60;
}
