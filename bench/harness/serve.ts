/** The engine's side of the protocol: prepares one work, then measures a round whenever it is asked. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { findWork } from '../works/index.ts';
import { sample, type Measure, type Reply, type Round } from './protocol.ts';
import type { Programs, Work } from './work.ts';

/** An engine that holds one work, ready to run it. */
export interface Prepared {
  readonly version: string;
  /** One whole run, resolved when the result is there. */
  run(): unknown;
  /** One whole run, with its result copied out; outside the clock. */
  output(): ArrayLike<number> | Promise<ArrayLike<number>>;
}

/** Runs of every work before the first round, so that compilers behind the engine have seen it. */
const WARM_UP_RUNS = 3;

/**
 * Serves the work and thread count given on the command line (`node engine.ts WORK THREADS`) until the runner hangs up.
 * @param language - which of the work's programs the engine reads
 */
export async function serve<L extends keyof Programs>(
  language: L,
  prepare: (work: Work, program: Programs[L], threads: number) => Promise<Prepared>,
): Promise<void> {
  const reply = (message: Reply) => process.send?.(message);
  const fail = (error: unknown) =>
    reply({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  process.on('disconnect', () => process.exit());
  try {
    const [, , name = '', threads = '1'] = process.argv;
    const work = findWork(name);
    const program = work.programs[language];
    if (!program) throw new Error(`"${name}" has no program in the language ${language}`);
    enableRelaxedSimd();
    const engine = await prepare(work, program, Number(threads));
    const first = sample(await engine.output());
    for (let i = 0; i < WARM_UP_RUNS; i++) await engine.run();
    reply({ kind: 'ready', version: engine.version, outputs: [first, sample(await engine.output())] });

    let rest = stopwatch();
    process.on('message', (request: Measure) => {
      const idleCores = rest();
      measure(engine, request)
        .then((round) => reply({ ...round, idleCores }), fail)
        .finally(() => (rest = stopwatch()));
    });
  } catch (error) {
    fail(error);
  }
}

async function measure(engine: Prepared, { minRuns, budgetMs }: Measure): Promise<Omit<Round, 'idleCores'>> {
  await engine.run(); // the caches hold another engine's data: not counted
  const busy = stopwatch();
  const start = performance.now();
  const times: number[] = [];
  while (times.length < minRuns || performance.now() - start < budgetMs) {
    const before = performance.now();
    await engine.run();
    times.push(performance.now() - before);
  }
  return { kind: 'round', times, busyCores: busy(), peakRssBytes: peakRss() };
}

/** Starts now; returns the number of cores this process has kept busy since. */
function stopwatch(): () => number {
  const cpu = process.cpuUsage();
  const start = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / 1000 / (performance.now() - start);
  };
}

/** Linux counts the parent's memory in a child's `maxRSS` (it survives exec), but not in `VmHWM`. */
function peakRss(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

/** Older V8 hides WebAssembly's fused multiply-add behind a flag; every engine gets it, whether or not it makes use of it. */
function enableRelaxedSimd(): void {
  const relaxedMadd = '0061736d0100000001080160037b7b7b017b030201000a0d010b00200020012002fd85020b';
  if (!WebAssembly.validate(Buffer.from(relaxedMadd, 'hex'))) setFlagsFromString('--experimental-wasm-relaxed-simd');
}
