import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { nativeCompiler } from '../src/native/kernel.test.kit.ts';
import { cpu } from '../src/index.ts';

if (nativeCompiler())
  testBackend('cpu native', () => cpu({ target: 'native', threads: 2 }), { describe, test, runs: 100 });
else describe.skip('cpu native', () => test('conformance', () => undefined));
