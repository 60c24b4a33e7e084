/** What `sinter compile` does: source, graphs, code, self-check, files, summary. */
import { statSync } from 'node:fs';
import { build } from '@sinter/compiler';
import type { Artifact } from '@sinter/compiler';
import { diskCache } from '@sinter/compiler/cache';
import { encodeBundle, peakBytes } from '@sinter/compiler/artifact';
import type { Bundle } from '@sinter/compiler/artifact';
import type { Data } from '@sinter/ir';
import { TrainingArguments, TrainingArgumentsError } from '@sinter/trainer';
import { showDim } from '../arguments/dims.ts';
import { parseChoices } from '../arguments/lists.ts';
import { backendOf } from '../backends.ts';
import { UsageError } from '../errors.ts';
import type { WrittenFile } from '../files.ts';
import { writeChunks } from '../files.ts';
import type { Io } from '../output/io.ts';
import { working } from '../output/io.ts';
import { largestSizes, showBytes, showCount, showTime, table } from '../output/text.ts';
import { checkCases } from './check.ts';
import { graphSource } from './source/graph-files.ts';
import { modelSource } from './source/model-folder.ts';
import type { Source } from './source/source.ts';
import { dimsFor, dimsOf } from './source/source.ts';
import { checkEntryNames, writeStandalone } from '../standalone/write.ts';
import { version } from '../version.ts';
import type { CompileOptions } from './options.ts';
import { stepNames } from './options.ts';
import { entryNames } from './source/names.ts';

/** Compiles models or graph files as the options say. @throws UsageError, CliError, and the errors of all packages below */
export async function compileModel(io: Io, models: readonly string[], options: CompileOptions): Promise<void> {
  const began = performance.now();
  const source = await openModels(io, models, options);
  const dims = dimsOf(source, options.dims);
  const name = options.name ?? source.name;
  if (!/^\w[\w.-]*$/.test(name)) throw new UsageError(`--name: '${name}' is no name of a file`);
  if (options.standalone) checkEntryNames(Object.keys(source.entries));

  const backend = await backendOf(options.target);
  const entries: Record<string, Artifact> = {};
  for (const [entry, g] of Object.entries(source.entries))
    entries[entry] = await working(io, `compiling ${entry}`, () =>
      build(g, backend, {
        dims: dimsFor(g, dims),
        prepare: options.prepare,
        tune: options.tune === true,
        cache: diskCache(),
      }),
    );
  const check = options.selfCheck
    ? await working(io, 'computing the self-check', () => checkCases(source, entries, dims))
    : {};
  const bundle: Bundle = {
    name,
    entries,
    weights: Object.fromEntries(source.weights),
    zeros: zerosOf(entries, source),
    files: source.files,
    check,
    source: source.about,
  };
  const files = await working(io, 'writing', () => writeBundle(bundle, options));
  if (options.standalone)
    files.push(...(await working(io, 'writing the standalone module', () => writeStandalone(bundle, options.out))));
  io.out(summary(bundle, files, performance.now() - began));
}

/** A graph file is a file; everything else is a model. */
export async function openModels(io: Io, models: readonly string[], options: CompileOptions): Promise<Source> {
  const files = models.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  if (files.length > 0 && files.length < models.length)
    throw new UsageError(`${models.find((m) => !files.includes(m))} is no file: give graph files, or one model`);
  if (files.length > 0) {
    refuse(options, ['task', 'num_labels', 'revision', ...stepNames], 'graph files have none: it is for models');
    const { entry, state } = options;
    const entries = entry?.split(',').map((name) => name.trim());
    return working(io, 'reading graphs', () => graphSource(files, { entries, state }));
  }
  const [model, second] = models;
  if (second !== undefined)
    throw new UsageError(`${second}: one model at a time; several entry points are --entry a,b`);
  refuse(options, ['state'], 'a model has its weights: it is for graph files');
  const { task, entry = 'forward', weights, num_labels, revision } = options;
  return working(io, `reading ${model}`, () =>
    modelSource(model!, {
      task,
      entries: parseChoices('--entry', entry, entryNames),
      weights,
      step: stepArgumentsOf(options),
      num_labels,
      revision,
      onNotice: io.err,
      onProgress: ({ file, loaded, total }) =>
        io.status(`fetching ${file}: ${showBytes(loaded)}${total === undefined ? '' : ` of ${showBytes(total)}`}`),
    }),
  );
}

/** The arguments of `train_step`, checked by the rules that training has. */
function stepArgumentsOf(options: CompileOptions): TrainingArguments {
  try {
    return new TrainingArguments(Object.fromEntries(stepNames.map((name) => [name, options[name]])));
  } catch (error) {
    throw error instanceof TrainingArgumentsError ? new UsageError(`--${error.message}`, { cause: error }) : error;
  }
}

function refuse(options: CompileOptions, names: readonly (keyof CompileOptions)[], why: string): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given !== undefined) throw new UsageError(`--${given}: ${why}`);
}

/** State that nobody gives a value. */
function zerosOf(entries: Readonly<Record<string, Artifact>>, { weights }: Source): string[] {
  const names = new Set(Object.values(entries).flatMap(({ state }) => Object.keys(state)));
  return [...names].filter((name) => !weights.has(name));
}

async function writeBundle(bundle: Bundle, options: CompileOptions): Promise<WrittenFile[]> {
  const { maxShardBytes, weightsBeside, out } = options;
  const encoded = await encodeBundle(bundle, {
    producer: `@sinter/cli ${version}`,
    weights: weightsBeside || maxShardBytes !== undefined ? 'beside' : 'inside',
    weightsName: bundle.name,
    ...(maxShardBytes !== undefined && { maxShardBytes }),
  });
  const files: WrittenFile[] = [];
  // What others refer to comes last: a file that is there can be loaded.
  for (const file of encoded.files.toReversed()) files.unshift(await writeChunks(out, file.name, file.read()));
  return files;
}

function summary(
  { entries, weights = {}, zeros = [], check = {} }: Bundle,
  files: readonly WrittenFile[],
  ms: number,
): string {
  const rows = Object.entries(entries).map(([entry, artifact]) => {
    const largest = largestSizes(artifact);
    const dims = Object.entries(artifact.dims).map(([name, range]) => `${name}=${showDim(range)}`);
    return [
      entry,
      dims.join(' '),
      String(artifact.kernels.length),
      String(artifact.steps.length),
      largest ? showBytes(peakBytes(artifact, largest)) : 'no limit',
      Object.hasOwn(check, entry) ? 'yes' : 'no',
    ];
  });
  const stored = Object.values(weights).reduce((sum, { data }) => sum + (data as Data).byteLength, 0);
  const head = ['entry', 'sizes', 'kernels', 'steps', 'peak memory', 'self-check'];
  return [
    table(head, rows, ['kernels', 'steps', 'peak memory']),
    `\n  weights: ${showCount(Object.keys(weights).length)} tensors, ${showBytes(stored)}; ${showCount(zeros.length)} more begin at zero`,
    '\n',
    ...files.map(({ path, bytes }) => `  ${path}  ${showBytes(bytes)}\n`),
    `  in ${showTime(ms)}\n`,
  ]
    .join('\n')
    .replace(/\n\n+/g, '\n');
}
