import { testBackend } from '@sinter/conformance';
import { describe, test } from 'vitest';
import { javascript } from './backend.js';

testBackend('plain JavaScript', () => javascript(), { describe, test });
