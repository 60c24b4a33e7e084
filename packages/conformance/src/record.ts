/** A runner that keeps count of what the tests do which are declared with it. */
import type { ConformanceReport, GroupReport, Noted, OpReport } from './report.ts';
import type { Runner } from './runner.ts';

/** What to leave out: names of groups, or of tests as `'group > test'`, each with the reason. */
export type Skip = Readonly<Record<string, string>>;

interface Group {
  readonly name: string;
  passed: number;
  readonly failed: Noted[];
  readonly skipped: Noted[];
  ms: number;
}

/** A runner that also hears what became of an op in a dtype. */
export interface Recorder extends Runner {
  note(found: OpReport): void;
}

/** Records the tests that are declared with a runner; `done` gets the report after the last of them. */
export function recorder(
  runner: Runner,
  options: {
    readonly name: string;
    readonly contract: number;
    readonly skip: Skip;
    readonly done: (report: ConformanceReport) => void | Promise<void>;
  },
): Recorder {
  const { skip } = options;
  const groups: Group[] = [];
  const ops: OpReport[] = [];
  const unused = new Set(Object.keys(skip));
  let pending = 0;
  const finish = async (): Promise<void> => {
    await options.done({ name: options.name, contract: options.contract, groups: groups satisfies GroupReport[], ops });
    if (unused.size === 0) return;
    const unknown = [...unused].map((name) => `'${name}'`).join(', ');
    throw new RangeError(`skip: there is no ${unknown}; the groups are ${groups.map((g) => `'${g.name}'`).join(', ')}`);
  };
  const reasonFor = (...names: readonly string[]): string | undefined => {
    const found = names.find((name) => Object.hasOwn(skip, name));
    if (found !== undefined) unused.delete(found);
    return found === undefined ? undefined : skip[found];
  };

  return {
    describe: (name, body) =>
      runner.describe(name, () => {
        groups.push({ name, passed: 0, failed: [], skipped: [], ms: 0 });
        body();
      }),
    test: (name, body, timeout) => {
      const group = groups.at(-1)!;
      const why = reasonFor(group.name, `${group.name} > ${name}`);
      if (why !== undefined) {
        group.skipped.push({ test: name, why });
        return runner.test.skip?.(`${name} (skipped: ${why})`, body);
      }
      pending++;
      const recorded = async (): Promise<void> => {
        const start = performance.now();
        try {
          await body();
          group.passed++;
        } catch (error) {
          group.failed.push({ test: name, why: firstLine(error) });
          throw error;
        } finally {
          group.ms += performance.now() - start;
          // Runners declare all tests before they run the first.
          if (--pending === 0) await finish();
        }
      };
      return runner.test(name, recorded, timeout);
    },
    note: (found) => ops.push(found),
  };
}

/** The first line of an error, for a table. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
}
