/**
 * Bodies of real mails with their subjects. Answers repeat the subject of their thread, and forwarded mails their text, so a thread with all that is
 * nearly the same as one of its mails is one group, and groups are held out whole.
 */
import { readCorpus } from '@sinter/example-spam/data/corpus.ts';
import { groupDuplicates } from '@sinter/example-spam/data/duplicates.ts';
import { parseMail } from '@sinter/example-spam/data/parse.ts';

/** A mail and what its writer called it. */
export interface SubjectPair {
  readonly body: string;
  readonly subject: string;
}

/** The pairs; of each thread that is held out, the first mail alone. */
export interface Subjects {
  readonly train: readonly SubjectPair[];
  readonly test: readonly SubjectPair[];
  /** Mails in the corpus that are no spam, and threads among those that are kept. */
  readonly read: number;
  readonly threads: number;
}

/** How to choose. */
export interface SubjectsOptions {
  /** The share of threads that is held out. Default 0.15. */
  readonly test?: number;
  /** Mails to learn from of one thread at most. Default 4. */
  readonly perThread?: number;
  /** Default 42. */
  readonly seed?: number;
}

/** Reads and splits the corpus; takes some seconds. The same options give the same pairs. */
export async function loadSubjects({ test = 0.15, perThread = 4, seed = 42 }: SubjectsOptions = {}): Promise<Subjects> {
  const pairs: SubjectPair[] = [];
  let read = 0;
  for await (const { label, bytes } of readCorpus()) {
    if (label === 1) continue;
    read++;
    const mail = await parseMail(bytes);
    const pair = { body: ownWords(mail.body), subject: plainSubject(mail.subject) };
    if (isSensible(pair)) pairs.push(pair);
  }
  const threads = [...groupThreads(pairs).values()];
  const kept = { train: [] as SubjectPair[], test: [] as SubjectPair[] };
  threads.forEach((mails, i) => {
    if (draw(i, seed) < test) kept.test.push(mails[0]!);
    else kept.train.push(...mails.slice(0, perThread));
  });
  return { ...kept, read, threads: threads.length };
}

/** A subject without what mail programs and lists put before it. */
export function plainSubject(subject: string): string {
  return subject
    .replace(/^(?:(?:re|fwd?|aw|sv)(?:\[\d+\])?: *|\[[^\]]*\] *)+/i, '')
    .replace(/\s*\(fwd\)$/i, '')
    .trim();
}

/** A body without the lines that it quotes and those that say whose they are. */
export function ownWords(body: string): string {
  return body
    .replace(/^.*\b(?:wrote|writes|said):?$/gim, '')
    .replace(/^[ \t]*[>|:}].*$/gm, '')
    .replace(/^-+ ?(?:Original|Forwarded) Message[^]*/im, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Enough text for a summary, and a subject of some words. */
function isSensible({ body, subject }: SubjectPair): boolean {
  const words = subject.match(/\p{L}{2,}/gu)?.length ?? 0;
  return words >= 2 && subject.split(' ').length <= 12 && body.split(' ').length >= 20;
}

/** Pairs by thread: the same subject, or nearly the same body, directly or through others. */
function groupThreads(pairs: readonly SubjectPair[]): Map<number, SubjectPair[]> {
  const parent = pairs.map((_, i) => i);
  const find = (i: number): number => (parent[i] === i ? i : (parent[i] = find(parent[i]!)));
  const first = new Map<string, number>();
  const alike = groupDuplicates(
    pairs.map(({ body }) => body),
    { similarity: 0.5 },
  );
  pairs.forEach(({ subject }, i) => {
    const key = subject.toLowerCase().replace(/[^\p{L}]+/gu, '');
    for (const other of [first.get(key) ?? i, alike[i]!])
      parent[Math.max(find(i), find(other))] = Math.min(find(i), find(other));
    first.set(key, first.get(key) ?? i);
  });
  const groups = new Map<number, SubjectPair[]>();
  pairs.forEach((pair, i) => {
    const group = find(i);
    groups.set(group, [...(groups.get(group) ?? []), pair]);
  });
  return groups;
}

/** A number from 0 to 1 that depends on the thread and the seed alone. */
function draw(thread: number, seed: number): number {
  let h = Math.imul(thread + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
