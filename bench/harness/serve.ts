/** The engine's side of the protocol: prepares one work, then measures a round whenever it is asked. */
import { setFlagsFromString } from 'node:v8';
import { findWork } from '../works/index.ts';
import type { GpuCounts } from './gpu-counter.ts';
import { sample, type First, type Measure, type Reply, type Round, type Sample } from './protocol.ts';
import { peakRss, stopwatch } from './usage.ts';
import type { Programs, Work } from './work.ts';

/** A work in an engine, ready to run; what `drive/` makes, wherever it runs. */
export interface Driven {
  /** One whole run, resolved when the result is there. */
  run(): Promise<unknown>;
  /** One whole run, with its result copied out; outside the clock. */
  output(): Promise<ArrayLike<number>>;
}

/** An engine that holds one work. */
export interface Prepared extends Pick<Driven, 'run'> {
  readonly version: string;
  /** As {@link Driven} has it, or the sample of it where the whole would have to come a long way. */
  output(): Promise<ArrayLike<number> | Sample>;
  /** Milliseconds of one run, for engines that a clock in this process would not be near enough to. */
  clock?(): Promise<number>;
  /** For engines on a GPU. */
  readonly gpu?: OnGpu;
}

/** The adapter an engine runs on. */
export interface OnGpu {
  readonly adapter: string;
  /** Counts what one run asks of the adapter. Called once, before any clock runs; afterwards nothing is counted. */
  counts(run: () => Promise<unknown>): Promise<GpuCounts>;
}

/** The option that names a folder of files. */
export const FILES = '--files=';

/** Runs of every work before the first round, so that compilers behind the engine have seen it. */
const WARM_UP_RUNS = 3;

/**
 * Serves the work and thread count given on the command line (`node engine.ts WORK THREADS`) until the runner hangs up. With
 * `--files=FOLDER` it gives its first result from files and ends.
 * @param language - which of the work's programs the engine reads
 * @param prepare - makes the work ready to run, from the folder where one is given
 */
export async function serve<L extends keyof Programs>(
  language: L,
  prepare: (
    work: Work,
    program: NonNullable<Programs[L]>,
    threads: number,
    folder: string | undefined,
  ) => Promise<Prepared>,
): Promise<void> {
  const reply = (message: Reply) => process.send?.(message);
  const fail = (error: unknown) =>
    reply({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  process.on('disconnect', () => process.exit());
  try {
    const [, , name = '', threads = '1', ...options] = process.argv;
    const folder = options.find((option) => option.startsWith(FILES))?.slice(FILES.length);
    const work = findWork(name);
    const program = work.programs[language];
    if (!program) throw new Error(`"${name}" has no program in the language ${language}`);
    enableRelaxedSimd();
    const engine = await prepare(work, program, Number(threads), folder);
    const first = sampleOf(await engine.output());
    if (folder !== undefined) {
      const reply: First = { kind: 'first', version: engine.version, output: first, peakRssBytes: peakRss() };
      process.send?.(reply, () => process.exit());
      return;
    }
    for (let i = 0; i < WARM_UP_RUNS; i++) await engine.run();
    const outputs = [first, sampleOf(await engine.output())];
    const gpu = engine.gpu && { adapter: engine.gpu.adapter, counts: await engine.gpu.counts(engine.run) };
    reply({ kind: 'ready', version: engine.version, outputs, ...(gpu && { gpu }) });

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
  const clock = engine.clock ?? (() => timeOf(engine.run));
  await engine.run(); // the caches hold another engine's data: not counted
  const busy = stopwatch();
  const start = performance.now();
  const times: number[] = [];
  while (times.length < minRuns || performance.now() - start < budgetMs) {
    times.push(await clock());
  }
  return { kind: 'round', times, busyCores: busy(), peakRssBytes: peakRss() };
}

function sampleOf(output: ArrayLike<number> | Sample): Sample {
  return 'values' in output && Array.isArray(output.values) ? (output as Sample) : sample(output as ArrayLike<number>);
}

/** Milliseconds until the run resolves. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await run();
  return performance.now() - before;
}

/** Older V8 hides WebAssembly's fused multiply-add behind a flag; every engine gets it, whether or not it makes use of it. */
export function enableRelaxedSimd(): void {
  const relaxedMadd = '0061736d0100000001080160037b7b7b017b030201000a0d010b00200020012002fd85020b';
  if (!WebAssembly.validate(Buffer.from(relaxedMadd, 'hex'))) setFlagsFromString('--experimental-wasm-relaxed-simd');
}
