/** `npm run bench`: runs every work in every engine, interleaved, and prints one table. See README.md. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engines, type Engine } from './engines/index.ts';
import { compare, leftOut } from './harness/compare.ts';
import { isWrong, machine, markdown, notes, verdicts, type Row } from './harness/report.ts';
import { aimTable, compileTable, sizeTable, startTable, writeSection, type Results } from './harness/tables.ts';
import { measureLimits } from './limits/limits.ts';
import { measureSizes } from './start/sizes.ts';
import { measureCompiling, measureStarts } from './start/starts.ts';
import { findWork, gpuWorks, works } from './works/index.ts';

/** What is measured besides works, under the names that `--only` knows. */
const STARTS = 'MiniLM start to first result';
const COMPILING = 'MiniLM fine-tuning step compile time';
const SIZES = 'bundle size';

const PAGE = 'docs/performance.md';

const usage = `npm run bench -- [options]
  --only PATTERN   only works whose name matches this regular expression (matmul, 'MiniLM forward'); also
                   '${STARTS}', '${COMPILING}', '${SIZES}'
  --engines LIST   only these engines: ${[...new Set(engines.map((engine) => engine.name))].join(',')}
  --threads LIST   thread counts to compare at (default 1,2; 2 needs two cores)
  --cpu            nothing on WebGPU
  --gpu            the works in the sizes of a real GPU, and only those
  --rounds N       rounds per engine (default 3)
  --quick          one round
  --json FILE      write all that was measured there too
  --with FILE      what an earlier run wrote with --json, for all that this run does not measure
  --markdown FILE  write the tables of the processor into the marked section of this page`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    engines: { type: 'string', default: '' },
    threads: { type: 'string', default: availableParallelism() > 1 ? '1,2' : '1' },
    cpu: { type: 'boolean', default: false },
    gpu: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    with: { type: 'string' },
    markdown: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(usage);
else await main();

async function main(): Promise<void> {
  const pattern = new RegExp(options.only, 'i');
  const asked = (name: string): boolean => !options.gpu && pattern.test(name);
  const offered = options.gpu ? gpuWorks : works.filter(({ place }) => !options.cpu || place === 'cpu');
  const chosen = offered.filter((work) => pattern.test(work.name));
  const wanted = options.engines ? options.engines.split(',').flatMap(enginesNamed) : engines;
  const threadCounts = options.threads.split(',').map(positive('--threads'));
  const rounds = options.quick ? 1 : positive('--rounds')(options.rounds);
  const others = [STARTS, COMPILING, SIZES];
  if (!chosen.length && !others.some(asked))
    throw new Error(`--only ${options.only} matches none of: ${[...offered.map((w) => w.name), ...others].join(', ')}`);
  installPeers();
  const begun = performance.now();

  const limits = measureLimits(threadCounts);
  const here = machine(limits);
  const rows: Row[] = [];
  for (const threads of threadCounts) {
    const limit = limits.limits.find((one) => one.threads === threads);
    for (const work of chosen.filter(({ place }) => place === 'cpu')) {
      console.log(`\n${work.name}, ${threads === 1 ? '1 thread' : `${threads} threads`}`);
      rows.push(...(await compare(wanted, work, threads, rounds, limit)));
    }
  }
  for (const work of chosen.filter(({ place }) => place !== 'cpu')) {
    console.log(`\n${work.name}`);
    rows.push(...(await compare(wanted, work, availableParallelism(), rounds)));
  }
  const forward = findWork('MiniLM forward 1×128');
  const starts = asked(STARTS) ? (console.log(`\n${STARTS}`), await measureStarts(forward, rounds)) : [];
  const step = findWork('MiniLM fine-tuning step 16×128');
  const compiling = asked(COMPILING) ? (console.log(`\n${COMPILING}`), await measureCompiling(step, rounds)) : [];
  const shipped = asked(SIZES) ? (console.log(`\n${SIZES}`), await measureSizes(forward, leftOut)) : [];

  console.log(`\n${markdown(here, rows)}`);
  for (const table of [startTable(starts), compileTable(compiling), sizeTable(shipped)])
    if (table.length) console.log(['', ...table].join('\n'));
  for (const line of [...verdicts(rows), ...notes(rows)]) console.log(line);
  const measured: Results = { machine: here, rows, starts, compiling, shipped };
  const aims = aimTable(measured);
  if (aims.length) console.log(['', ...aims, ''].join('\n'));
  console.log(`took ${((performance.now() - begun) / 60_000).toFixed(1)} minutes`);

  const results = options.with
    ? completed(measured, JSON.parse(readFileSync(options.with, 'utf8')) as Results)
    : measured;
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  const whole = !options.only && !options.engines && !options.gpu && !options.quick;
  const page = options.markdown ?? (whole ? fileURLToPath(new URL(`../${PAGE}`, import.meta.url)) : undefined);
  if (page) writeSection(page, results);
  if (rows.some(isWrong)) process.exitCode = 1;
}

/** This run, and of an earlier one what this one has not measured; in the order of the works. */
function completed(now: Results, earlier: Results): Results {
  const key = ({ work, engine, threads, adapter }: Row): string => [work, engine, threads, adapter].join();
  const known = new Set(now.rows.map(key));
  const order = new Map([...works, ...gpuWorks].map(({ name }, i) => [name, i]));
  const rows = [...now.rows, ...earlier.rows.filter((row) => !known.has(key(row)))].sort(
    (a, b) => (a.threads ?? 0) - (b.threads ?? 0) || (order.get(a.work) ?? 0) - (order.get(b.work) ?? 0),
  );
  const either = <T>(mine: readonly T[], theirs: readonly T[]): readonly T[] => (mine.length ? mine : theirs);
  return {
    machine: { ...now.machine, earlier: [...(earlier.machine.earlier ?? []), earlier.machine.date] },
    rows,
    starts: either(now.starts, earlier.starts),
    compiling: either(now.compiling, earlier.compiling),
    shipped: either(now.shipped, earlier.shipped),
  };
}

function enginesNamed(name: string): readonly Engine[] {
  const found = engines.filter((engine) => engine.name === name);
  if (!found.length) throw new Error(`--engines: there is no "${name}"\n${usage}`);
  return found;
}

function positive(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`${option} wants whole numbers from 1, not "${text}"\n${usage}`);
    return value;
  };
}

/** The peers are large and nobody else needs them: they are installed when a benchmark is first asked for. */
function installPeers(): void {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return;
  console.log('installing the peers into bench/node_modules (some 750 MB on disk; once) …');
  const { status } = spawnSync('npm', ['ci', '--prefix', folder], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci --prefix bench failed: see above');
}
