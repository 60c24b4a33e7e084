/** `npm run bench`: runs every work in every engine, interleaved, and prints one table. See README.md. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engines, type Engine } from './engines/index.ts';
import { compare } from './harness/compare.ts';
import { isWrong, machine, markdown, notes, verdicts, type Row } from './harness/report.ts';
import { gpuWorks, works } from './works/index.ts';

const usage = `npm run bench -- [options]
  --only PATTERN   only works whose name matches this regular expression (matmul, 'MiniLM forward')
  --engines LIST   only these engines: ${[...new Set(engines.map((engine) => engine.name))].join(',')}
  --threads LIST   thread counts to compare at (default 1,2; 2 needs two cores)
  --gpu             the works in the sizes of a real GPU, and only those
  --rounds N       rounds per engine (default 5)
  --json FILE      write the rows and the machine there too`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    engines: { type: 'string', default: '' },
    threads: { type: 'string', default: availableParallelism() > 1 ? '1,2' : '1' },
    gpu: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(usage);
else await main();

async function main(): Promise<void> {
  const pattern = new RegExp(options.only, 'i');
  const offered = options.gpu ? gpuWorks : works;
  const chosen = offered.filter((work) => pattern.test(work.name));
  const wanted = options.engines ? options.engines.split(',').flatMap(enginesNamed) : engines;
  const threadCounts = options.threads.split(',').map(positive('--threads'));
  const rounds = positive('--rounds')(options.rounds);
  if (!chosen.length)
    throw new Error(`--only ${options.only} matches none of: ${offered.map((w) => w.name).join(', ')}`);
  installPeers();

  const here = machine();
  const rows: Row[] = [];
  for (const threads of threadCounts) {
    for (const work of chosen.filter(({ place }) => place === 'cpu')) {
      console.log(`\n${work.name}, ${threads === 1 ? '1 thread' : `${threads} threads`}`);
      rows.push(...(await compare(wanted, work, threads, rounds)));
    }
  }
  for (const work of chosen.filter(({ place }) => place !== 'cpu')) {
    console.log(`\n${work.name}`);
    rows.push(...(await compare(wanted, work, availableParallelism(), rounds)));
  }

  console.log(`\n${markdown(here, rows)}`);
  for (const line of [...verdicts(rows), ...notes(rows)]) console.log(line);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine: here, rows }, null, 2)}\n`);
  if (rows.some(isWrong)) process.exitCode = 1;
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
