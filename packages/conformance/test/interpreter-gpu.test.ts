import { interpreter } from '@sinter/compiler';
import { describe, test } from 'vitest';
import { testBackend } from '../src/index.ts';

const runner = { describe, test };

// Plans for GPUs, run one thread after the other in any order: what a GPU backend prints is checked before there is a GPU.
testBackend(
  'the interpreter as a GPU',
  () => interpreter({ kind: 'gpu', maxWorkgroup: 64, maxBindings: 8 }, { seed: 7, arena: true }),
  { ...runner, runs: 60 },
);
