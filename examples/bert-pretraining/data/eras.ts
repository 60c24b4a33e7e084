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

/** All sentences of 8 to 60 words. */
export function sentencesWithEra(speeches: readonly Document[]): Example[] {
  const begins = Object.values(eras);
  return speeches.flatMap(({ id, paragraphs }) => {
    const label = begins.findLastIndex((year) => year <= Number(id.slice(0, 4)));
    const usual = paragraphs.flat().filter((text) => isUsual(text.split(' ').length));
    return usual.map((text) => ({ text, label }));
  });
}

/** `each` sentences of every era, by chance. */
export function drawEach(sentences: readonly Example[], each: number, random: () => number): Example[] {
  return Object.keys(eras).flatMap((_, label) =>
    shuffled(
      sentences.filter((sentence) => sentence.label === label),
      random,
    ).slice(0, each),
  );
}

function isUsual(words: number): boolean {
  return words >= 8 && words <= 60;
}
