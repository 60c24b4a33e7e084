/** The whole suite as one function. */
import type { Backend } from '@sinter/compiler';
import { addressingTests } from './groups/addressing.ts';
import { contractionTests } from './groups/contractions.ts';
import { goldenTests } from './groups/goldens.ts';
import { gradientTests } from './groups/gradients.ts';
import { programTests } from './groups/programs.ts';
import { randomGraphTests } from './groups/random-graphs.ts';
import { shapeTests } from './groups/shapes.ts';
import { sizeTests } from './groups/sizes.ts';
import { stateTests } from './groups/state.ts';
import type { Runner } from './runner.ts';
import type { Suite } from './suite.ts';

/** The groups in the order in which they run: what is small and fails clearly comes first. */
const groups: readonly ((suite: Suite) => void)[] = [
  goldenTests,
  gradientTests,
  shapeTests,
  contractionTests,
  addressingTests,
  sizeTests,
  stateTests,
  programTests,
  randomGraphTests,
];

/** Where the tests are declared, and how much is tried. */
export interface TestBackendOptions extends Runner {
  /** Random graphs, half of them compiled without fusion. Default 500. */
  readonly runs?: number;
  /** Where the random graphs begin; a failure prints the seed. Default 1, so that every run tries the same graphs. */
  readonly seed?: number;
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
  const { describe, test, runs = 500, seed = 1 } = options;
  let made: Promise<Backend> | undefined;
  const backend = (): Promise<Backend> => (made ??= Promise.resolve().then(make));
  describe(`conformance of ${name}`, () => {
    for (const group of groups) group({ describe, test, backend, runs, seed });
  });
}
