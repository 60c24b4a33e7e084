/**
 * Writes docs/coverage.md: what every backend of this repository does with every op in every dtype, and with the rest of the
 * suite. `npm run coverage -- [--only NAME] [--out FILE] [REPORT.json…]`; reports of backends that run elsewhere are given as files.
 * With `--only` the others are taken as they were found last time: reports are kept in `.cache/coverage`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Backend } from '@sinter/compiler';
import { interpreter } from '@sinter/compiler';
import type { ConformanceReport, GroupReport, OpReport } from '@sinter/conformance';
import { plainRunner, skippedOf, testBackend } from '@sinter/conformance';
import { dtypes } from '@sinter/ir';

/** A backend under the name that the table gives it. */
interface Candidate {
  readonly name: string;
  readonly make: () => Promise<Backend>;
}

/** Backends are imported when they run: one that is not there, or has no device here, leaves the others alone. */
const candidates: readonly Candidate[] = [
  { name: 'cpu', make: async () => (await import('@sinter/backend-cpu')).cpu({ threads: 2 }) },
  {
    name: 'cpu native',
    make: async () => (await import('@sinter/backend-cpu')).cpu({ threads: 2, target: 'native' }),
  },
  { name: 'webgpu', make: async () => (await import('@sinter/backend-webgpu')).webgpu() },
  { name: 'javascript', make: async () => (await import('../examples/custom-backend/backend.js')).javascript() },
  { name: 'interpreter', make: async () => interpreter({}, { seed: 7, arena: true }) },
];

/** Random graphs say nothing of single ops, and are run by the tests. */
const runs = 20;

/** Runs the suite on a backend, if the machine has what it needs. */
async function reportOf({ name, make }: Candidate): Promise<ConformanceReport | undefined> {
  let backend: Backend;
  try {
    backend = await make();
  } catch (error) {
    console.error(`${name} cannot be had here: ${(error as Error).message}`);
    return undefined;
  }
  const runner = plainRunner();
  let report: ConformanceReport | undefined;
  testBackend(name, () => backend, { ...runner, runs, report: (found) => void (report = found) });
  const failures = await runner.run();
  for (const { test, error } of failures) console.error(test, error);
  if (!report) throw new Error(`the suite on '${name}' gave no report`);
  return report;
}

const marks: Readonly<Record<OpReport['outcome'], string>> = { passed: '✓', refused: '–', failed: '✗' };

/** One row per op, one column per dtype; in a cell what every report says, or one mark where all passed. */
function opTable(reports: readonly ConformanceReport[]): string[] {
  const names = [...new Set(reports.flatMap((r) => r.ops.map((o) => o.op)))];
  const cell = (op: string, dtype: string): string => {
    const found = reports.map((r) => r.ops.find((o) => o.op === op && o.dtype === dtype)?.outcome);
    if (found.every((o) => o === undefined)) return '';
    return found.every((o) => o === 'passed') ? '✓' : found.map((o) => (o ? marks[o] : '?')).join('');
  };
  return table(
    ['op', ...dtypes],
    names.map((op) => [`\`${op}\``, ...dtypes.map((dtype) => cell(op, dtype))]),
  );
}

/** One row per group of tests, one column per backend. */
function groupTable(reports: readonly ConformanceReport[]): string[] {
  const names = [...new Set(reports.flatMap((r) => r.groups.map((g) => g.name)))];
  const cell = (g: GroupReport | undefined): string => {
    if (!g) return '?';
    const total = g.passed + g.failed.length + g.skipped.length;
    return g.passed === total ? `${total}` : `${g.passed} of ${total}`;
  };
  return table(
    ['group', ...reports.map((r) => r.name)],
    names.map((name) => [name, ...reports.map((r) => cell(r.groups.find((g) => g.name === name)))]),
  );
}

/** What did not pass, with the reasons: equal ones of one backend and dtype once. */
function reasons(reports: readonly ConformanceReport[]): string[] {
  return reports.flatMap((r) => {
    const refused = dtypes.flatMap((dtype) => {
      const ops = r.ops.filter((o) => o.dtype === dtype && o.outcome === 'refused');
      return ops.length === 0 ? [] : [`* ${r.name} refuses ${dtype} in ${ops.length} ops: ${ops[0]!.why}`];
    });
    const failed = r.groups.flatMap((g) =>
      g.failed.map(({ test, why }) => `* ${r.name}, failed: ${g.name} > ${test}: ${why}`),
    );
    const skipped = r.groups.flatMap((g) =>
      skippedOf(g).map(({ test, why }) => `* ${r.name}, skipped: ${test}: ${why}`),
    );
    return [...refused, ...failed, ...skipped];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** The page. */
function page(reports: readonly ConformanceReport[]): string {
  return [
    '# Coverage',
    '',
    '*Made by `npm run coverage` from the reports of [@sinter/conformance](../packages/conformance/README.md); do not edit.*',
    '',
    `In a cell stand the backends in this order: **${reports.map((r) => r.name).join(', ')}**; a single ✓ means all of them. ✓ passed, – refused with`,
    'an error when it is built, ✗ failed, ? not tested. The dtype is that of the result, or of the operands where the result is always `bool`;',
    'an empty cell is a dtype that the op does not take. Everything else (functions, gradients, layers, optimizers) is made of these ops.',
    '',
    ...opTable(reports),
    '',
    '## The suite',
    '',
    'Tests that passed, of all where not all did.',
    '',
    ...groupTable(reports),
    '',
    ...reasons(reports),
  ]
    .join('\n')
    .trimEnd();
}

const { values, positionals } = parseArgs({
  options: { only: { type: 'string' }, out: { type: 'string' } },
  allowPositionals: true,
});
const kept = (name: string): string => fileURLToPath(new URL(`../.cache/coverage/${name}.json`, import.meta.url));
const read = (file: string): ConformanceReport => JSON.parse(readFileSync(file, 'utf8')) as ConformanceReport;
const reports: ConformanceReport[] = [];
for (const candidate of candidates) {
  const file = kept(candidate.name);
  if (values.only === undefined || values.only === candidate.name) {
    const report = await reportOf(candidate);
    if (!report) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(report));
    reports.push(report);
  } else if (existsSync(file)) reports.push(read(file));
}
for (const file of positionals) reports.push(read(file));
writeFileSync(values.out ?? fileURLToPath(new URL('../docs/coverage.md', import.meta.url)), `${page(reports)}\n`);
// Devices may keep the process alive.
process.exit();
