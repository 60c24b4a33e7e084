import { interpreter } from '@sinter/compiler';
import { describe, test } from 'vitest';
import { testBackend } from '../src/index.ts';

const small = { kind: 'gpu', maxWorkgroup: 16, maxBindings: 8 } as const;
const skip = {
  'limits > a map of 65537 × 256 elements': 'the interpreter is too slow for it',
  'limits > 65537 rows, columns, products and gathered rows': 'the interpreter is too slow for it',
};

// Plans for GPUs, their threads run one after the other in any order: the templates are checked before there is a GPU.
testBackend('the interpreter as a GPU', () => interpreter(small, { seed: 7, arena: true }), {
  describe,
  test,
  runs: 40,
  skip,
});
testBackend(
  'the interpreter as an emulated GPU',
  () => interpreter({ ...small, software: true }, { seed: 8, arena: true }),
  { describe, test, runs: 20, seed: 2, skip },
);
