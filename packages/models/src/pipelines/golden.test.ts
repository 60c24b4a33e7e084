/** Every task gives what Python's pipeline gives on the same folder, one input at a time, and the same among others of other lengths. */
import { join } from 'node:path';
import { cpu } from '@sinter/backend-cpu';
import { describe, expect, test } from 'vitest';
import { casesOf, expectLike, folder, groupBy } from './expected.test.kit.ts';
import { pipeline } from './pipeline.ts';
import type { TokenFeatures } from './feature-extraction.ts';
import type { TaskName } from './types.ts';

type AnyCall = (input: unknown, options?: unknown) => Promise<unknown>;

/** The texts that positions in a result are of. */
const textOf = (input: unknown): string => (typeof input === 'string' ? input : ((input as { context?: string }).context ?? ''));

/** Python's features have a batch of one; ours are flat. */
const shaped = (result: unknown): unknown => {
  if (!(typeof result === 'object' && result !== null && 'data' in result && 'shape' in result)) return result;
  const { data, shape } = result as TokenFeatures;
  return [Array.from({ length: shape[0] }, (_, i) => [...data.subarray(i * shape[1], (i + 1) * shape[1])])];
};

const tasks: readonly TaskName[] = [
  'text-classification',
  'token-classification',
  'question-answering',
  'feature-extraction',
  'fill-mask',
  'zero-shot-classification',
  'text-generation',
  'text2text-generation',
  'summarization',
  'translation',
  'translation_en_to_de',
];

describe.each(tasks)('%s', async (task) => {
  test.each([...(await casesOf(task))])('%s', async (model, cases) => {
    await using answer = await pipeline(task, join(folder, model), { backend: cpu({ threads: 1 }), cache: false });
    const call = answer as unknown as AnyCall;
    expect(cases.length).toBeGreaterThan(2);
    for (const { input, options, result } of cases) {
      // Python puts the one class of a text into a list, of a pair not.
      const want = task === 'text-classification' ? [result].flat() : result;
      expectLike(shaped(await call(input, options)), want, textOf(input));
    }

    const together = groupBy(cases, ({ options }) => JSON.stringify(options));
    for (const group of together.values()) {
      const { options } = group[0]!;
      const inputs = group.map(({ input }) => input);
      const among = (await call(inputs, options)) as unknown[];
      expect(among.length).toBe(inputs.length);
      for (const [i, { input, result }] of group.entries()) {
        const each = shaped(among[i]);
        const alone = Array.isArray(result) && !Array.isArray(each) ? (result as unknown[])[0] : result;
        expectLike(each, alone, textOf(input));
      }
    }
  });
});
