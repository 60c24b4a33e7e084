/**
 * The test suite of a backend, as one function.
 *
 * @packageDocumentation
 */
export type { TestBackendOptions } from './test-backend.ts';
export { testBackend } from './test-backend.ts';
export type { ConformanceReport, GroupReport, Noted, OpReport } from './report.ts';
export { printReport, skippedOf } from './report.ts';
export type { DeclareTest, Failure, PlainRunner, PlainRunOptions, Runner } from './runner.ts';
export { plainRunner } from './runner.ts';
export type { Compared, Tolerance } from './closeness.ts';
export { difference, exact, largest, ulps } from './closeness.ts';
