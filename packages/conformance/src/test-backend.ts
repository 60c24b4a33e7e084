/** The whole suite as one function. */
import type { Backend } from '@sinter/compiler';
import { contractVersion } from '@sinter/compiler/artifact';
import { addressingTests } from './groups/addressing.ts';
import { attentionTests } from './groups/attention.ts';
import { contractionTests } from './groups/contractions.ts';
import { dtypeTests } from './groups/dtypes.ts';
import { goldenTests } from './groups/goldens.ts';
import { gradientTests } from './groups/gradients.ts';
import { limitTests } from './groups/limits.ts';
import { programTests } from './groups/programs.ts';
import { randomGraphTests } from './groups/random-graphs.ts';
import { shapeTests } from './groups/shapes.ts';
import { sizeTests } from './groups/sizes.ts';
import { stateTests } from './groups/state.ts';
import type { Skip } from './record.ts';
import { recorder } from './record.ts';
import type { ConformanceReport } from './report.ts';
import { printReport } from './report.ts';
import type { Runner } from './runner.ts';
import type { Suite } from './suite.ts';

/** The groups in the order in which they run: what is small and fails clearly comes first. */
const groups: readonly ((suite: Suite) => void)[] = [
  dtypeTests,
  goldenTests,
  gradientTests,
  shapeTests,
  contractionTests,
  addressingTests,
  attentionTests,
  sizeTests,
  stateTests,
  programTests,
  limitTests,
  randomGraphTests,
];

/** Where the tests are declared, how much is tried, and who hears of it. */
export interface TestBackendOptions extends Runner {
  /** Random graphs, half of them compiled without fusion. Default 500. */
  readonly runs?: number;
  /** Where the random graphs begin; a failure prints the seed. Default 1, so that every run tries the same graphs. */
  readonly seed?: number;
  /**
   * What is known not to work: names of groups, or of tests as `'group > test'`, each with the reason, which is printed and
   * stands in the report. A `RangeError` where there is no such group or test. Default: nothing.
   */
  readonly skip?: Readonly<Record<string, string>>;
  /** Is given the report after the last test; what it throws fails that test. Nothing where a filter leaves tests out. */
  readonly report?: (report: ConformanceReport) => void | Promise<void>;
  /** Prints the table at the end. Default `console.log`. */
  readonly print?: (table: string) => void;
}

/**
 * Declares the tests that every backend must pass. `make` is called once, when the first test runs.
 *
 * ```ts
 * import { testBackend } from '@sinter/conformance';
 * import { describe, test } from 'vitest';
 * import { cpu } from '@sinter/backend-cpu';
 *
 * testBackend('cpu', () => cpu(), { describe, test });
 * ```
 */
export function testBackend(name: string, make: () => Backend | Promise<Backend>, options: TestBackendOptions): void {
  const { runs = 500, seed = 1, skip = {}, print = console.log } = options;
  let made: Promise<Backend> | undefined;
  const backend = (): Promise<Backend> => (made ??= Promise.resolve().then(make));
  const record = recorder(options, {
    name,
    contract: contractVersion,
    skip: skip satisfies Skip,
    async done(report) {
      print(printReport(report));
      await options.report?.(report);
    },
  });
  options.describe(`conformance of ${name}`, () => {
    for (const group of groups) group({ ...record, backend, runs, seed });
  });
}
