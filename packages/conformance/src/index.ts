/**
 * The test suite of a backend, as one function.
 *
 * @packageDocumentation
 */
export type { TestBackendOptions } from './test-backend.ts';
export { testBackend } from './test-backend.ts';
export type { Runner } from './runner.ts';
export type { Compared, Tolerance } from './closeness.ts';
export { difference, exact, largest, ulps } from './closeness.ts';
