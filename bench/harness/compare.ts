/** Measures one work in all engines that know it, in rounds that take turns, so that a slow moment hits them all. */
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import type { Engine } from '../engines/index.ts';
import { boundOf, type Limits } from '../limits/limits.ts';
import { startPeer, type Peer } from './peer.ts';
import { difference, type Measure, type Round } from './protocol.ts';
import { median, type Row } from './report.ts';
import type { Work } from './work.ts';

/** What one engine does in one round. */
const ROUND: Measure = { minRuns: 2, budgetMs: 300 };
/** Pause before an engine is measured, in which the one before it stops spinning. */
const SETTLE_MS = 100;

/** A round, and how many cores programs outside the benchmark kept busy meanwhile. */
interface Measured extends Round {
  readonly otherCores: number;
}

/**
 * One row per engine that can do the work at its place; the others are named on the console with their reason.
 * @param threads - how many each engine may use, for works on the processor
 * @param rounds - how often each engine is measured; its median is over all runs of all rounds
 * @param limits - what the machine can do with so many threads
 */
export async function compare(
  engines: readonly Engine[],
  work: Work,
  threads: number,
  rounds: number,
  limits?: Limits,
): Promise<Row[]> {
  const live = await start(engines, work, threads);
  const judged = judge(live);
  const measured = new Map<Peer, Measured[]>(live.map((peer) => [peer, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      const peers = [...measured.keys()];
      const first = round % peers.length; // nobody always follows the same neighbour
      for (const peer of [...peers.slice(first), ...peers.slice(0, first)]) {
        await pause(SETTLE_MS);
        try {
          const machineBusy = stopwatch();
          const round = await peer.measure(ROUND);
          measured.get(peer)?.push({ ...round, otherCores: Math.max(0, machineBusy() - round.busyCores) });
        } catch (error) {
          measured.delete(peer);
          leftOut(peer.engine.name, error);
        }
      }
    }
  } finally {
    for (const peer of live) peer.close();
  }
  return rowsOf(work, threads, measured, judged, limits);
}

/** Starts engines one after the other: starting is busy, and two at once would slow each other. */
async function start(engines: readonly Engine[], work: Work, threads: number): Promise<Peer[]> {
  const peers: Peer[] = [];
  const able = ({ place, language, only }: Engine): boolean =>
    place === work.place && work.programs[language] !== undefined && (only?.test(work.name) ?? true);
  for (const engine of engines.filter(able)) {
    try {
      if (engine.limit && threads > engine.limit.threads) throw new Error(engine.limit.because);
      const peer = await startPeer(engine, work, threads);
      peers.push(peer);
      console.log(`  ${peer.ready.version}: ready`);
    } catch (error) {
      leftOut(engine.name, error);
    }
  }
  return peers;
}

/** How far each engine's outputs are from the reference's. */
interface Judged {
  readonly reference: Peer | undefined;
  readonly differences: ReadonlyMap<Peer, number>;
}

/** Compares the outputs, before anything is measured; the reference is native code, or at least not ours. */
function judge(live: readonly Peer[]): Judged {
  const reference =
    live.find(({ engine }) => engine.name === 'onnxruntime-node') ??
    live.find(({ engine }) => engine.name !== 'sinter') ??
    live[0];
  const differences = new Map<Peer, number>();
  for (const peer of live) {
    if (!reference || peer === reference) continue;
    const by = difference(peer.ready.outputs, reference.ready.outputs);
    differences.set(peer, by);
    console.log(`  ${peer.engine.name} differs from ${reference.engine.name} by ${by.toExponential(0)}`);
  }
  return { reference, differences };
}

/** Starts now; returns the number of cores the whole machine has kept busy since. */
function stopwatch(): () => number {
  const busyMs = () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const [before, start] = [busyMs(), performance.now()];
  return () => (busyMs() - before) / (performance.now() - start);
}

/** Says on the console why an engine is not measured. */
export function leftOut(engine: string, error: unknown): void {
  const message = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
  console.log(`  ${engine}: left out, ${message.split('\n').filter(Boolean).slice(0, 3).join(' ')}`);
}

function rowsOf(
  work: Work,
  threads: number,
  measured: ReadonlyMap<Peer, readonly Measured[]>,
  { reference, differences }: Judged,
  limits: Limits | undefined,
): Row[] {
  const entries = [...measured].map(([peer, rounds]) => {
    const times = rounds.flatMap((round) => round.times);
    return { peer, rounds, times, median_ms: median(times) };
  });
  const called = (name: string) => entries.find(({ peer }) => peer.engine.name === name);
  const ours = called('sinter')?.median_ms;
  return entries.map(({ peer, rounds, times, median_ms }) => {
    const idle = median(rounds.map((round) => round.idleCores));
    const busy = median(rounds.map((round) => round.busyCores));
    const bound = limits && work.place === 'cpu' ? boundOf(work, limits, peer.engine.native) : undefined;
    return {
      work: work.name,
      engine: peer.engine.name,
      version: peer.ready.version,
      threads: work.place === 'cpu' ? threads : null,
      adapter: peer.ready.gpu?.adapter ?? null,
      gpu: peer.ready.gpu?.counts ?? null,
      busy_cores: busy,
      idle_cores: idle,
      other_cores: median(rounds.map((round) => round.otherCores)),
      runs: times.length,
      median_ms,
      min_ms: Math.min(...times),
      cpu_ms: busy * median_ms,
      ratio: ours === undefined ? null : median_ms / ours,
      bound: bound?.by ?? null,
      share: bound ? bound.ms / median_ms : null,
      gflops: work.flops ? work.flops / median_ms / 1e6 : null,
      tokens_per_s: work.tokens ? (work.tokens / median_ms) * 1e3 : null,
      peak_rss_bytes: Math.max(...rounds.map((round) => round.peakRssBytes)),
      difference: differences.get(peer) ?? null,
      reference: reference?.engine.name ?? '',
      notes: [
        ...(peer.ready.note ? [peer.ready.note] : []),
        ...(idle > 0.05 ? [`used ${idle.toFixed(2)} cores while others were measured`] : []),
      ],
    };
  });
}
