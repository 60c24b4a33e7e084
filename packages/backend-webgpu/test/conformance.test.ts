import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { webgpu } from '../src/index.ts';

testBackend('webgpu', () => webgpu(), { describe, test, runs: 60 });
