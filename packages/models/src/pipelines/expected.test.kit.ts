/** What Python's pipelines answer, as tools/goldens/pipelines.py wrote it, and how answers are compared with it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { TaskName } from './types.ts';

/** Where the models are. */
export const folder = fileURLToPath(new URL('../../goldens/pipelines/', import.meta.url));

/** One call of a pipeline in Python. */
export interface Case {
  readonly task: TaskName;
  /** A folder beside the answers. */
  readonly model: string;
  readonly input: never;
  readonly options: never;
  readonly result: unknown;
}

/** All cases of a task, those of each model together. */
export async function casesOf(task: string): Promise<ReadonlyMap<string, readonly Case[]>> {
  const all = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as readonly Case[];
  return groupBy(
    all.filter((each) => each.task === task),
    ({ model }) => model,
  );
}

/** What has the same key, together. */
export function groupBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** Numbers are within 1e-4, all else is the same. `text` is what positions in Python's answer count the characters of. */
export function expectLike(got: unknown, want: unknown, text = ''): void {
  expect(alike(got, want, text), `${JSON.stringify(got)}\nshould be\n${JSON.stringify(want)}`).toBe(true);
}

function alike(got: unknown, want: unknown, text: string): boolean {
  if (typeof want === 'number')
    return typeof got === 'number' && Math.abs(got - want) < 1e-4 * Math.max(1, Math.abs(want));
  if (typeof want !== 'object' || want === null || typeof got !== 'object' || got === null) return got === want;
  const keys = Object.keys(want);
  const values = want as Readonly<Record<string, unknown>>;
  return (
    keys.length === Object.keys(got).length &&
    keys.every((key) => {
      const value = key === 'start' || key === 'end' ? unitsBefore(text, values[key] as number) : values[key];
      return key in got && alike((got as typeof values)[key], value, text);
    })
  );
}

/** Python counts characters where JavaScript counts UTF-16 units. */
function unitsBefore(text: string, characters: number): number {
  return [...text].slice(0, characters).join('').length;
}
