/** The sentences of the example: those of both texts with labels that rules made, and two hundred whose names were marked by hand. */
import { readFile } from 'node:fs/promises';
import { loadBook, loadSpeeches } from '@sinter/example-texts/documents.ts';
import { nameRules } from './distant.ts';
import type { NameRules } from './distant.ts';
import type { Labelled } from './split.ts';
import { inWords, wordsOf } from './words.ts';
import type { Span } from './words.ts';

/** A sentence of `checked.json`. */
export interface Checked {
  /** Where it is from: the id of the speech or the chapter. */
  readonly document: string;
  readonly text: string;
  /** Its names by characters, each with its text. */
  readonly names: readonly (Span & { readonly text: string })[];
}

/** What there is to learn from, and to be tested by. */
export interface Sentences {
  /** Labelled by rules; without those that were checked. */
  readonly labelled: readonly Labelled[];
  /** Labelled by hand. */
  readonly checked: readonly Labelled[];
  /** The rules. */
  readonly rules: NameRules;
}

/** Reads all sentences and labels them; takes some seconds. */
export async function loadSentences(): Promise<Sentences> {
  const checked = await loadChecked();
  const known = new Set(checked.map(({ text }) => text));
  const documents = [...(await loadSpeeches()), ...(await loadBook())];
  const all = documents.flatMap(({ paragraphs }) => paragraphs.flat()).filter((text) => !known.has(text));
  const words = all.map(wordsOf);
  const rules = await nameRules(words);
  return {
    labelled: words.map((sentence) => ({ words: sentence, spans: rules.find(sentence) })),
    checked: checked.map(({ text, names }) => {
      const own = wordsOf(text);
      return { words: own, spans: inWords(names, own) };
    }),
    rules,
  };
}

/** The sentences that were checked by hand, as they lie in the file. */
export async function loadChecked(): Promise<Checked[]> {
  return JSON.parse(await readFile(new URL('checked.json', import.meta.url), 'utf8')) as Checked[];
}
