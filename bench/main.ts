/** `npm run bench`: runs every work in every engine, interleaved, and prints one table. See README.md. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engines } from './engines/index.ts';
import { startPeer, type Peer } from './harness/peer.ts';
import { difference, type Measure, type Round } from './harness/protocol.ts';
import { machine, markdown, median, type Row } from './harness/report.ts';
import type { Work } from './harness/work.ts';
import { works } from './works/index.ts';

const usage = `npm run bench -- [options]
  --only PATTERN   only works whose name matches this regular expression (matmul, 'MiniLM forward')
  --engines LIST   only these engines: ${engines.map((engine) => engine.name).join(',')}
  --threads LIST   thread counts to compare at (default 1,2; 2 needs two cores)
  --rounds N       rounds per engine (default 5)
  --json FILE      write the rows and the machine there too`;

/** A row is wrong, and the benchmark fails, when its output differs by more. */
const TOLERANCE = 1e-3;
/** One round of one engine. */
const ROUND: Measure = { minRuns: 3, budgetMs: 300 };
/** Pause before an engine is measured, in which the one before it stops spinning. */
const SETTLE_MS = 100;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    engines: { type: 'string', default: '' },
    threads: { type: 'string', default: availableParallelism() > 1 ? '1,2' : '1' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(usage);
else await main();

async function main(): Promise<void> {
  const pattern = new RegExp(options.only, 'i');
  const chosen = works.filter((work) => pattern.test(work.name));
  const threadCounts = options.threads.split(',').map(positive('--threads'));
  const rounds = positive('--rounds')(options.rounds);
  if (!chosen.length) throw new Error(`--only ${options.only} matches none of: ${works.map((w) => w.name).join(', ')}`);
  installPeers();

  const here = machine();
  const rows: Row[] = [];
  for (const threads of threadCounts) for (const work of chosen) rows.push(...(await compare(work, threads, rounds)));

  console.log(`\n${markdown(here, rows)}`);
  for (const line of [...verdicts(rows), ...complaints(rows)]) console.log(line);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine: here, rows }, null, 2)}\n`);
  if (rows.some((row) => wrong(row))) process.exitCode = 1;
}

/** Measures one work in all engines that know it, in rounds that take turns, so that a slow moment hits them all. */
async function compare(work: Work, threads: number, rounds: number): Promise<Row[]> {
  console.log(`\n${work.name}, ${threads === 1 ? '1 thread' : `${threads} threads`}`);
  const peers = await start(work, threads);
  const measured = new Map<Peer, Round[]>(peers.map((peer) => [peer, []]));
  for (let round = 0; round < rounds; round++) {
    const turn = round % peers.length; // nobody always follows the same neighbour
    for (const peer of [...peers.slice(turn), ...peers.slice(0, turn)]) {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      measured.get(peer)?.push(await peer.measure(ROUND));
    }
  }
  for (const peer of peers) peer.close();

  const reference = peers.find((peer) => peer.engine.name === 'onnxruntime-node') ?? peers[0];
  const medians = new Map(peers.map((peer) => [peer, median(times(measured.get(peer)))]));
  const ours = medians.get(peers.find((peer) => peer.engine.name === 'sinter') as Peer);
  return peers.map((peer): Row => {
    const took = times(measured.get(peer));
    const median_ms = medians.get(peer) ?? NaN;
    const over = (pick: (round: Round) => number) => (measured.get(peer) ?? []).map(pick);
    const [busy, idle] = [median(over((round) => round.busyCores)), median(over((round) => round.idleCores))];
    return {
      work: work.name,
      engine: peer.engine.name,
      version: peer.ready.version,
      threads,
      busy_cores: busy,
      idle_cores: idle,
      runs: took.length,
      median_ms,
      min_ms: Math.min(...took),
      ratio: ours === undefined ? null : median_ms / ours,
      gflops: work.flops ? work.flops / median_ms / 1e6 : null,
      peak_rss_bytes: Math.max(...over((round) => round.peakRssBytes)),
      difference: reference && peer !== reference ? difference(peer.ready.output, reference.ready.output) : null,
      reference: reference?.engine.name ?? '',
      notes: [
        ...(peer.ready.note ? [peer.ready.note] : []),
        ...(idle > 0.05 ? [`used ${idle.toFixed(2)} cores while others were measured`] : []),
      ],
    };
  });
}

/** Starts, one after the other, the engines that can do the work at this thread count; says why of each that cannot. */
async function start(work: Work, threads: number): Promise<Peer[]> {
  const wanted = options.engines ? options.engines.split(',') : engines.map((engine) => engine.name);
  const peers: Peer[] = [];
  for (const engine of engines.filter(({ name }) => wanted.includes(name))) {
    const skip = (why: string) => console.log(`  ${engine.name}: left out, ${why}`);
    if (!work.programs[engine.language]) skip('it cannot express this work');
    else if (engine.limit && threads > engine.limit.threads) skip(engine.limit.because);
    else
      try {
        const peer = await startPeer(engine, work, threads);
        console.log(`  ${peer.ready.version}: ready`);
        peers.push(peer);
      } catch (error) {
        skip((error as Error).message);
      }
  }
  return peers;
}

/** Per work and thread count: Sinter beside the fastest of the peers that run where it runs, and the fastest native one. */
function verdicts(rows: readonly Row[]): string[] {
  const native = new Set(engines.filter((engine) => engine.native).map((engine) => engine.name));
  return rows
    .filter((row) => row.engine === 'sinter')
    .map((ours) => {
      const others = rows.filter((row) => row.work === ours.work && row.threads === ours.threads && row !== ours);
      const fastest = (isNative: boolean) => {
        const group = others.filter((row) => native.has(row.engine) === isNative);
        const best = group.sort((a, b) => a.median_ms - b.median_ms)[0];
        return best
          ? `${best.ratio?.toFixed(2)}× as fast as ${best.engine}`
          : `no ${isNative ? 'native' : 'JavaScript'} peer`;
      };
      return `${ours.work}, threads ${ours.threads}: ${fastest(false)}; ${fastest(true)}`;
    });
}

/** What makes figures of this run doubtful. */
function complaints(rows: readonly Row[]): string[] {
  const starved = rows.filter((row) => row.busy_cores < 0.85).length;
  return [
    ...rows.flatMap((row) => {
      const where = `${row.engine}, ${row.work}, threads ${row.threads}:`;
      const by = `output differs from ${row.reference} by ${row.difference} (allowed ${TOLERANCE})`;
      return [...(wrong(row) ? [`WRONG ${where} ${by}`] : []), ...row.notes.map((note) => `note: ${where} ${note}`)];
    }),
    ...(starved
      ? [`note: ${starved} of ${rows.length} rows got less than 0.85 cores: the machine had other things to do`]
      : []),
  ];
}

function wrong({ difference }: Row): boolean {
  return difference !== null && !(difference <= TOLERANCE);
}

function times(rounds: readonly Round[] = []): number[] {
  return rounds.flatMap((round) => round.times);
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
  if (existsSync(`${folder}node_modules`)) return;
  console.log('installing the peers into bench/node_modules (some 750 MB on disk; once) …');
  const { status } = spawnSync('npm', ['ci', '--prefix', folder], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('npm ci --prefix bench failed: see above');
}
