/** What `sinter bench` does: programs from a model or a file, schedules if they are wanted, runs that are timed, tables. */
import { build, makePlan, tune, usualSizes } from '@sinter/compiler';
import type { Artifact, Backend, Program, TunedShape } from '@sinter/compiler';
import { loadBundle, openBundle } from '@sinter/compiler/artifact';
import { diskCache } from '@sinter/compiler/cache';
import type { Graph } from '@sinter/ir';
import { backendOf, runtimeOf } from '../backends.ts';
import type { BenchOptions } from '../commands/bench.ts';
import { openModels } from '../compile/compile-model.ts';
import { writeWeights } from '../compile/check.ts';
import { sampleInputs } from '../compile/sample.ts';
import { dimsFor, dimsOf } from '../compile/source/source.ts';
import { UsageError } from '../errors.ts';
import { openSource } from '../files.ts';
import type { Io } from '../output/io.ts';
import { working } from '../output/io.ts';
import { section } from '../output/text.ts';
import { showEntries, showKernels, showShapes } from './tables.ts';
import type { Timed } from './time.ts';
import { timeProgram } from './time.ts';

/** What the command tells. */
export interface Benched {
  readonly entries: Readonly<Record<string, Timed>>;
  /** With `--tune`: what came of each kernel shape, by entry point. */
  readonly tuned?: Readonly<Record<string, readonly TunedShape[]>>;
}

/** Times the entry points of what stands on the command line, and prints the result. @throws UsageError, CliError, and the errors of all packages below */
export async function benchModel(io: Io, models: readonly string[], options: BenchOptions): Promise<void> {
  const benched = models[0]!.endsWith('.sinter')
    ? await benchFile(io, models, options)
    : await benchSource(io, models, options);
  io.out(options.json ? `${JSON.stringify(benched, null, 2)}\n` : show(benched));
}

/** An artifact is loaded as it is. */
async function benchFile(io: Io, [file, second]: readonly string[], options: BenchOptions): Promise<Benched> {
  if (second !== undefined) throw new UsageError(`${second}: one .sinter file at a time`);
  if (options.tune)
    throw new UsageError(
      `--tune: ${file} is built already; tune the model that it was made from, then compile that with --tune`,
    );
  const source = openSource(file!);
  const { manifest } = await openBundle(source);
  const names = options.entry?.split(',').map((name) => name.trim());
  const runtime = await runtimeOf(manifest.backend, { threads: options.threads });
  await using loaded = await working(io, 'loading', () => loadBundle(source, runtime, names ? { entries: names } : {}));
  const entries: Record<string, Timed> = {};
  for (const [entry, program] of Object.entries(loaded.programs)) {
    const sizes = usualSizes(manifest.entries[entry]!, options.sizes);
    entries[entry] = await working(io, `timing ${entry}`, () =>
      timeProgram(program, sampleInputs(program.inputs, {}, sizes), sizes, options),
    );
  }
  return { entries };
}

/** A model or graph files are compiled, tuned before if that is wanted. */
async function benchSource(io: Io, models: readonly string[], options: BenchOptions): Promise<Benched> {
  const source = await openModels(io, models, { ...options, weights: 'f32', out: '', selfCheck: false, prepare: true });
  const dims = dimsOf(source, options.dims);
  const backend = await backendOf(options.target, { threads: options.threads });
  const entries: Record<string, Timed> = {};
  const tuned: Record<string, readonly TunedShape[]> = {};
  for (const [entry, g] of Object.entries(source.entries)) {
    const own = dimsFor(g, dims);
    const found = options.tune ? await tuneEntry(io, entry, g, backend, own, options) : undefined;
    if (found) tuned[entry] = found.shapes;
    const artifact = await working(io, `compiling ${entry}`, () =>
      build(g, backend, { dims: own, cache: diskCache(), ...(found && { schedules: found.schedules }) }),
    );
    entries[entry] = await working(io, `timing ${entry}`, () => timed(artifact));
  }
  return { entries, ...(options.tune && { tuned }) };

  async function timed(artifact: Artifact): Promise<Timed> {
    await using program: Program = await backend.load(artifact);
    await writeWeights(program.state, source);
    const sizes = usualSizes(artifact, options.sizes);
    return await timeProgram(program, sampleInputs(program.inputs, source.inputs, sizes), sizes, options);
  }
}

async function tuneEntry(
  io: Io,
  entry: string,
  g: Graph,
  backend: Backend,
  dims: ReturnType<typeof dimsFor>,
  { sizes, budget }: BenchOptions,
) {
  const onShape = ({ shape }: TunedShape): void => io.status(`tuning ${entry}: ${shape}`);
  return working(io, `tuning ${entry}`, () =>
    tune(makePlan(g, backend.target, { dims }), backend, { sizes, budget: budget * 1000, onShape }, diskCache()),
  );
}

function show({ entries, tuned = {} }: Benched): string {
  return [
    ...Object.entries(tuned).map(([entry, shapes]) => section(`Kernel shapes of ${entry}`, showShapes(shapes))),
    section('Entry points', showEntries(entries)),
    ...Object.entries(entries).map(([entry, { kernels }]) =>
      kernels ? section(`Kernels of ${entry}`, showKernels(kernels)) : '',
    ),
  ]
    .join('')
    .replace(/^\n/, '');
}
