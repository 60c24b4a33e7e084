/** The tour is printed as it stands in `walk.txt`, and its numbers are the same on every backend. */
import { cpu } from '@sinter/backend-cpu';
import { interpreter } from '@sinter/compiler';
import { expect, test } from 'vitest';
import { walk } from './walk.ts';

async function tour(backend = interpreter()): Promise<string[]> {
  const stages: string[] = [];
  await walk((text) => stages.push(text), backend);
  return stages;
}

test('the tour of the stages', async () => {
  await expect((await tour()).join('\n')).toMatchFileSnapshot('walk.txt');
});

test('ends with the same numbers on the CPU', async () => {
  expect((await tour(cpu({ threads: 1 }))).at(-1)).toBe((await tour()).at(-1));
});
