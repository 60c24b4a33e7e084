import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { cpu } from '../src/index.ts';

testBackend('cpu, 2 threads', () => cpu({ threads: 2 }), { describe, test });
testBackend('cpu, 1 thread without fused multiply-add', () => cpu({ threads: 1, fma: false }), {
  describe,
  test,
  runs: 100,
  seed: 2,
});
