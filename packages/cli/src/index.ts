/**
 * The `sinter` command as a function, for scripts and tests.
 *
 * @packageDocumentation
 */
export { sinter } from './sinter.ts';
export type { Io } from './output/io.ts';
