/** What the suite asks of a test runner: the two functions that Vitest, Jest, Mocha, Bun and `node:test` have in common. */

/** Groups and declares tests. `{ describe, test }` of Vitest or of `node:test` is one. */
export interface Runner {
  /** Declares a group; `body` declares its tests at once. */
  readonly describe: (name: string, body: () => void) => unknown;
  /** Declares a test; `timeout` is in milliseconds (a runner may ignore it). */
  readonly test: (name: string, body: () => Promise<void>, timeout?: number) => unknown;
}
