/** What a run of the suite found, as data that can be written as JSON, and as the table that is printed at its end. */
import type { DType } from '@sinter/ir';
import { dtypes } from '@sinter/ir';

/** A test that did not pass, or was not run, and why. */
export interface Noted {
  readonly test: string;
  readonly why: string;
}

/** What became of the tests of a group. */
export interface GroupReport {
  readonly name: string;
  readonly passed: number;
  /** The first line of each error. */
  readonly failed: readonly Noted[];
  /** The reasons that `skip` gives. */
  readonly skipped: readonly Noted[];
  /** How long its tests took, in milliseconds. */
  readonly ms: number;
}

/**
 * What became of one op in one dtype. `refused`: the backend said with a `BackendError` that it cannot, which it may
 * where a dtype is optional (`f16` and `bf16`).
 */
export interface OpReport {
  readonly op: string;
  /** Of the result; of the operands where the result is always `bool`. */
  readonly dtype: DType;
  readonly outcome: 'passed' | 'failed' | 'refused';
  /** Why not. */
  readonly why?: string;
}

/** What a run of the suite found. Plain data: `JSON.stringify` keeps it. */
export interface ConformanceReport {
  /** The name that `testBackend` was given. */
  readonly name: string;
  /** The version of the contract that was tested. */
  readonly contract: number;
  readonly groups: readonly GroupReport[];
  /** Every op in every dtype that it has; a pair is missing where its group was skipped. */
  readonly ops: readonly OpReport[];
}

/** The report as a table for people. */
export function printReport({ name, contract, groups, ops }: ConformanceReport): string {
  const count = (xs: readonly unknown[], what: string): string[] => (xs.length === 0 ? [] : [`${xs.length} ${what}`]);
  const row = (
    title: string,
    passed: number,
    failed: readonly Noted[],
    skipped: readonly Noted[],
    ms: number,
  ): string =>
    `  ${title.padEnd(width)}  ${[`${passed} passed`, ...count(failed, 'failed'), ...count(skipped, 'skipped')].join(', ').padEnd(36)}  ${(ms / 1000).toFixed(1)} s`;
  const width = Math.max(...groups.map((g) => g.name.length), 'all'.length);
  const all = <K extends 'failed' | 'skipped'>(key: K): Noted[] =>
    groups.flatMap((g) => g[key].map(({ test, why }) => ({ test: `${g.name} > ${test}`, why })));
  const sum = (f: (g: GroupReport) => number): number => groups.reduce((total, g) => total + f(g), 0);
  const lines = [
    `conformance of ${name}, contract ${contract}`,
    ...groups.map((g) => row(g.name, g.passed, g.failed, g.skipped, g.ms)),
    row(
      'all',
      sum((g) => g.passed),
      all('failed'),
      all('skipped'),
      sum((g) => g.ms),
    ),
    ...groups.flatMap((g) => skippedOf(g).map(({ test, why }) => `  skipped: ${test}: ${why}`)),
    ...refusals(ops),
    ...all('failed').map(({ test, why }) => `  failed: ${test}: ${why}`),
  ];
  return lines.join('\n');
}

/** What a group left out: in one line where that is all of it, for one reason. */
export function skippedOf({ name, passed, failed, skipped }: GroupReport): readonly Noted[] {
  const whole = passed + failed.length === 0 && skipped.every(({ why }) => why === skipped[0]!.why);
  if (whole && skipped.length > 0) return [{ test: `${name} (${skipped.length} tests)`, why: skipped[0]!.why }];
  return skipped.map(({ test, why }) => ({ test: `${name} > ${test}`, why }));
}

/** One line for each dtype of which ops were refused. */
function refusals(ops: readonly OpReport[]): string[] {
  return dtypes.flatMap((dtype) => {
    const all = ops.filter((o) => o.dtype === dtype);
    const refused = all.filter((o) => o.outcome === 'refused');
    return refused.length === 0
      ? []
      : [`  refused: ${dtype} by ${refused.length} of ${all.length} ops: ${refused[0]!.why}`];
  });
}
