import { interpreter } from '@sinter/compiler';
import { describe, test } from 'vitest';
import { testBackend } from '../src/index.ts';

testBackend('the interpreter', () => interpreter({}, { seed: 7, arena: true }), { describe, test });
