/** What each group of tests is given. */
import type { Backend } from '@sinter/compiler';
import type { OpReport } from './report.ts';
import type { Runner } from './runner.ts';

/** A runner, the backend under test, and how much to try. */
export interface Suite extends Runner {
  readonly backend: () => Promise<Backend>;
  /** Random graphs, fused and not together. */
  readonly runs: number;
  readonly seed: number;
  /** Notes what became of an op in a dtype. */
  readonly note: (found: OpReport) => void;
}
