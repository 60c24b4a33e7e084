/** The data set of the example: real mails as subject and text, near-duplicates dropped, split by a seed. */
import { readCorpus } from './corpus.ts';
import type { Label } from './corpus.ts';
import { groupDuplicates } from './duplicates.ts';
import { parseMail } from './parse.ts';
import type { MailText } from './parse.ts';
import { trainTestSplit } from './split.ts';
import type { SplitOptions } from './split.ts';

/** A mail as its reader sees it. */
export interface Mail extends MailText {
  /** Folder and number in the corpus, such as `easy-ham-1/00001`. */
  readonly id: string;
  readonly label: Label;
  /** What a model reads: the subject, a line break, the body. */
  readonly text: string;
}

/** How many mails there were, and why some are not in the sets. */
export interface MailCounts {
  readonly read: number;
  /** Without a word in subject and body, such as mails of one picture. */
  readonly empty: number;
  /** Nearly the same text as an earlier mail with the same label. */
  readonly duplicates: number;
  /** Mails whose near-duplicates are labelled ham here and spam there; all of them are dropped. */
  readonly contradictory: number;
}

/** The data set. */
export interface MailData {
  readonly train: readonly Mail[];
  readonly test: readonly Mail[];
  readonly counts: MailCounts;
}

/** Reads, cleans, thins and splits the corpus; takes some seconds. The same options give the same data set. */
export async function loadMails(options: SplitOptions = {}): Promise<MailData> {
  const mails: Mail[] = [];
  let read = 0;
  for await (const { id, label, bytes } of readCorpus()) {
    read++;
    const { subject, body } = await parseMail(bytes);
    const text = mailText({ subject, body });
    if (/\p{L}/u.test(text)) mails.push({ id, label, subject, body, text });
  }
  const { kept, duplicates, contradictory } = dropDuplicates(mails);
  return { ...trainTestSplit(kept, options), counts: { read, empty: read - mails.length, duplicates, contradictory } };
}

/** The text of a mail as a model reads it. */
export function mailText({ subject, body }: MailText): string {
  return `${subject}\n${body}`.trim();
}

/** The first mail of each group of near-duplicates; none of a group whose labels contradict each other. */
export function dropDuplicates<T extends { readonly text: string; readonly label: Label }>(
  mails: readonly T[],
): { kept: T[]; duplicates: number; contradictory: number } {
  const group = groupDuplicates(mails.map(({ text }) => text));
  const torn = new Set(group.filter((first, i) => mails[first]!.label !== mails[i]!.label));
  const contradictory = group.filter((first) => torn.has(first)).length;
  const kept = mails.filter((_, i) => group[i] === i && !torn.has(i));
  return { kept, duplicates: mails.length - contradictory - kept.length, contradictory };
}
