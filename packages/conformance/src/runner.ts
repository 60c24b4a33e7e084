/** What the suite asks of a test runner: the two functions that Vitest, Jest, Mocha, Bun and `node:test` have in common. */

/** Declares one test. */
export interface DeclareTest {
  /** `timeout` is in milliseconds (a runner may ignore it). */
  (name: string, body: () => Promise<void>, timeout?: number): unknown;
  /** Declares a test that is not run. Default: it is left out. */
  readonly skip?: (name: string, body: () => Promise<void>) => unknown;
}

/** Groups and declares tests. `{ describe, test }` of Vitest or of `node:test` is one. */
export interface Runner {
  /** Declares a group; `body` declares its tests, at once or before any test runs. */
  readonly describe: (name: string, body: () => void) => unknown;
  /** Declares a test. */
  readonly test: DeclareTest;
}

/** A test that failed under a {@link plainRunner}. */
export interface Failure {
  readonly test: string;
  readonly error: unknown;
}

/** Options of {@link PlainRunner} `run`. */
export interface PlainRunOptions {
  /** Hears of each test when it begins. */
  readonly onTest?: (test: string) => void;
  /** Ends with the first failure. Default `false`. */
  readonly bail?: boolean;
}

/** A runner with nothing around it. */
export interface PlainRunner extends Runner {
  /** Runs the declared tests, one after the other, and gives those that failed. */
  run(options?: PlainRunOptions): Promise<readonly Failure[]>;
}

/** A runner for where there is none: a page, a worker, a script. */
export function plainRunner(): PlainRunner {
  const tests: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  const path: string[] = [];
  return {
    describe(name, body) {
      path.push(name);
      body();
      path.pop();
    },
    test: (name, body) => tests.push({ name: [...path, name].join(' > '), body }),
    async run({ onTest, bail = false } = {}) {
      const failures: Failure[] = [];
      for (const { name, body } of tests) {
        onTest?.(name);
        await body().catch((error: unknown) => failures.push({ test: name, error }));
        if (bail && failures.length > 0) break;
      }
      return failures;
    },
  };
}
