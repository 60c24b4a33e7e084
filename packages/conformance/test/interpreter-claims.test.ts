/** A backend that claims every contraction and then runs what it was given: the bodies of regions say what they mean. */
import { interpreter } from '@sinter/compiler';
import { describe, test } from 'vitest';
import { testBackend } from '../src/index.ts';

const without = (why: string, ...groups: readonly string[]): Record<string, string> =>
  Object.fromEntries(groups.map((group) => [group, why]));

testBackend(
  'the interpreter, claiming contractions',
  () => ({ ...interpreter({}, { seed: 3, arena: true }), claims: () => true }),
  {
    describe,
    test,
    runs: 100,
    seed: 3,
    skip: without(
      'has no contractions',
      'every op in every dtype',
      'values and gradients from torch',
      'addressing by data',
      'integers and flags',
      'random numbers',
      'limits',
    ),
  },
);
