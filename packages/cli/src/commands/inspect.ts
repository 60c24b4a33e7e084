/** `sinter inspect`: what a `.sinter` file holds and needs, as tables or as JSON. Nothing is run. */
import { evaluateSize, fixedSizes, keepPrepared, openBundle, peakBytes, sizeFromJson } from '@sinter/compiler/artifact';
import type { Artifact, Manifest, ManifestState, SizeJson, TensorInfo } from '@sinter/compiler/artifact';
import { dtypeBytes, showShape } from '@sinter/ir';
import { Command } from 'commander';
import type { Sizes } from '../arguments/dims.ts';
import { parseSizes, showDim } from '../arguments/dims.ts';
import { UsageError } from '../errors.ts';
import { openSource } from '../files.ts';
import type { Io } from '../output/io.ts';
import { alternatives, decisive, showSize } from '../output/sizes.ts';
import { largestSizes, section, showBytes, showCount, showSchedule, table } from '../output/text.ts';

/** The options as they stand on the command line, read. */
interface InspectOptions {
  readonly dims: Sizes;
  readonly all?: true;
  readonly json?: true;
}

/** A part of the file, and what it is for. */
interface PartUse {
  readonly what: string;
  readonly bytes: number;
  /** The file beside that it is in. */
  readonly file?: string;
}

/** A kernel, how many steps of every run are calls of it and how many of those that are run once, and the graph nodes that it computes. */
interface KernelUse {
  readonly kernel: string;
  readonly steps: number;
  readonly once: number;
  readonly computes: readonly string[];
}

/** Memory that an entry point takes, in bytes. */
interface EntryMemory {
  /** State and constants, which outlive runs. */
  readonly kept: number;
  /** What is prepared from them once, as packed weights, and outlives runs too; of runtimes that do not prepare, runs take it. */
  readonly prepared: number;
  /** What a run takes at least beside that, over the run-time sizes. */
  readonly run: SizeJson;
  /** What runs take, at some sizes. */
  readonly at: readonly { readonly sizes: Sizes; readonly bytes: number }[];
}

/** What is told of a file. */
interface Inspection {
  readonly file: string;
  readonly bytes: number;
  readonly manifest: Manifest;
  readonly parts: readonly PartUse[];
  readonly kernels: Readonly<Record<string, readonly KernelUse[]>>;
  /** By entry point: how the kernels that were tuned are cut. */
  readonly schedules: Readonly<Record<string, NonNullable<Artifact['schedules']>>>;
  readonly memory: Readonly<Record<string, EntryMemory>>;
}

/** Makes the command. */
export function inspectCommand(io: Io): Command {
  return new Command('inspect')
    .description('Show what a .sinter file holds and needs: entry points, memory, kernels, parts.')
    .argument('<file>', 'a .sinter file, or its http(s) address')
    .option('--dims <sizes>', 'sizes to tell the memory of a run for: batch=8,seq=128', parseSizes, {})
    .option('--all', 'list all tensors of the state and of each kernel, not just the first')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  $ sinter inspect model.sinter\n  $ sinter inspect model.sinter --dims batch=8,seq=128 --json',
    )
    .action(async (file: string, options: InspectOptions) => {
      const inspection = await inspect(file, options.dims);
      io.out(options.json ? `${JSON.stringify(inspection, null, 2)}\n` : show(inspection, options.all === true));
    });
}

async function inspect(file: string, sizes: Sizes): Promise<Inspection> {
  const reader = await openBundle(openSource(file));
  const { manifest } = reader;
  const artifacts = await reader.artifacts(Object.keys(manifest.entries));
  checkSizeNames(manifest, sizes);
  const perEntry = <T>(f: (artifact: Artifact, entry: string) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(artifacts).map(([entry, artifact]) => [entry, f(artifact, entry)]));
  return {
    file,
    bytes: reader.bytes,
    manifest,
    parts: partsOf(manifest),
    kernels: perEntry(kernelsOf),
    schedules: perEntry(({ schedules = {} }) => schedules),
    memory: perEntry((artifact, entry) => memoryOf(manifest, artifact, entry, sizes)),
  };
}

function checkSizeNames({ name, entries }: Manifest, sizes: Sizes): void {
  const known = new Set(Object.values(entries).flatMap(({ dims }) => Object.keys(dims)));
  for (const size of Object.keys(sizes))
    if (!known.has(size))
      throw new UsageError(
        `--dims: '${name}' has no run-time size '${size}'; it has ${[...known].join(', ') || '(none)'}`,
      );
}

function memoryOf(manifest: Manifest, artifact: Artifact, entry: string, sizes: Sizes): EntryMemory {
  const { state, constants, peakBytes: run } = manifest.entries[entry]!;
  const stateBytes = state.reduce((sum, name) => sum + tensorBytes(manifest.state[name]!), 0);
  const constantBytes = Object.values(constants).reduce((sum, part) => sum + manifest.parts[part]!.bytes, 0);
  const own = Object.fromEntries(Object.entries(sizes).filter(([name]) => Object.hasOwn(artifact.dims, name)));
  const free = Object.entries(artifact.dims).flatMap(([name, { min, max }]) => (min === max ? [] : [name]));
  const missing = free.filter((name) => !Object.hasOwn(own, name));
  if (Object.keys(own).length > 0 && missing.length > 0)
    throw new UsageError(`--dims: '${entry}' needs ${missing.join(', ')} too`);
  const largest = largestSizes(artifact);
  const at = Object.keys(own).length > 0 || free.length === 0 ? [own] : [];
  if (largest && free.length > 0) at.push(largest);
  return {
    kept: stateBytes + constantBytes,
    prepared: preparedBytes(artifact),
    run,
    at: at.map((of) => ({ sizes: of, bytes: peakBytes(artifact, of) })),
  };
}

function preparedBytes(artifact: Artifact): number {
  const fixed = fixedSizes(artifact.dims);
  return keepPrepared(artifact)
    .buffers.filter(({ role }) => role === 'prepared')
    .reduce((sum, { dtype, length }) => sum + dtypeBytes[dtype] * evaluateSize(length, fixed), 0);
}

function kernelsOf({ kernels, steps, prepare = 0, origins }: Artifact): KernelUse[] {
  const calls = (of: Artifact['steps'], kernel: number): number => of.filter((step) => step.kernel === kernel).length;
  return kernels.map((kernel, i) => ({
    kernel,
    steps: calls(steps.slice(prepare), i),
    once: calls(steps.slice(0, prepare), i),
    computes: origins?.[i] ?? [],
  }));
}

/** What each part is for; a part with several uses names them all. */
function partsOf({ entries, files, check, weights, parts }: Manifest): PartUse[] {
  const uses = parts.map((): string[] => []);
  const use = (part: number, what: string): void => void (uses[part]!.includes(what) || uses[part]!.push(what));
  for (const [name, { plan, code, constants }] of Object.entries(entries)) {
    use(plan, `plan of ${name}`);
    for (const [file, part] of Object.entries(code)) use(part, `code of ${name}: ${file}`);
    for (const part of Object.values(constants)) use(part, `constants of ${name}`);
  }
  for (const part of weights) use(part, 'weights');
  for (const [file, part] of Object.entries(files)) use(part, file);
  for (const [name, { inputs, outputs }] of Object.entries(check))
    for (const { part } of [...Object.values(inputs), ...Object.values(outputs)]) use(part, `self-check of ${name}`);
  // Small tensors of a kind are one row.
  const rows = new Map<string, PartUse>();
  parts.forEach(({ bytes, file }, i) => {
    const what = uses[i]!.join(', ');
    const key = `${what} ${file ?? ''}`;
    rows.set(key, { what, bytes: bytes + (rows.get(key)?.bytes ?? 0), ...(file !== undefined && { file }) });
  });
  return [...rows.values()];
}

function tensorBytes({ dtype, shape }: TensorInfo): number {
  return (shape as readonly number[]).reduce((a, b) => a * b, 1) * dtypeBytes[dtype];
}

// ---- as text

function show({ file, bytes, manifest, parts, kernels, schedules, memory }: Inspection, all: boolean): string {
  const { name, backend, producer, contract, source = {} } = manifest;
  const about = Object.entries(source).map(
    ([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return [
    `${name}, for ${backend}: ${file}, ${showBytes(bytes)}\n`,
    `  written by ${producer}, for contract ${contract}\n`,
    about.length > 0 ? `  from ${about.join('; ')}\n` : '',
    ...Object.keys(manifest.entries).map((entry) => showEntry(manifest, entry, memory[entry]!)),
    section('State', showState(manifest, all)),
    ...Object.entries(kernels).map(([entry, uses]) => section(`Kernels of ${entry}`, showKernels(uses, all))),
    ...Object.entries(schedules).map(([entry, of]) => section(`Tuned kernels of ${entry}`, showSchedules(of))),
    section('Parts', table(['bytes', 'what'], parts.map(showPart), ['bytes'])),
  ].join('');
}

function showSchedules(schedules: Inspection['schedules'][string]): string {
  const rows = Object.entries(schedules).map(([shape, schedule]) => [shape, showSchedule(schedule)]);
  return rows.length === 0 ? '' : table(['kernel shape', 'schedule'], rows);
}

function showEntry(manifest: Manifest, name: string, { kept, prepared, run, at }: EntryMemory): string {
  const { dims, inputs, outputs, updates, requires } = manifest.entries[name]!;
  const sizes = Object.entries(dims).map(([dim, range]) => `${dim}=${showDim(range)}`);
  const ports = [...portRows('in', inputs), ...portRows('out', outputs)];
  const changed =
    updates === undefined ? 'any state' : updates.length === 0 ? 'nothing' : `${showCount(updates.length)} states`;
  const needs = [
    ...(requires?.features ?? []),
    ...Object.entries(requires?.limits ?? {}).map(([k, v]) => `${k} ≥ ${showCount(v)}`),
  ];
  const lines = [
    `  changes ${changed}`,
    `  needs ${needs.join(', ') || 'nothing special'}`,
    `  keeps ${showBytes(kept)} of state and constants${prepared > 0 ? `, ${showBytes(prepared)} prepared from them` : ''}; a run takes besides`,
    ...showMemory(run, at),
  ];
  return section(
    `Entry point ${name}${sizes.length > 0 ? `, ${sizes.join(', ')}` : ''}`,
    [table(['', 'name', 'type'], ports), ...lines].join('\n'),
  );
}

/** How many formulas of a maximum are shown where no sizes say which of them decides. */
const firstFormulas = 3;

/** Bytes at each of the sizes, with the formula that decides there; where there are none, formulas alone. */
function showMemory(run: SizeJson, at: EntryMemory['at']): string[] {
  if (at.length > 0)
    return at.map(({ sizes, bytes }) => {
      const given = Object.entries(sizes).map(([name, size]) => `${name}=${size}`);
      const formula = decisive(run, sizes);
      const least = evaluateSize(sizeFromJson(formula), sizes);
      const where = given.length > 0 ? ` with ${given.join(', ')}` : '';
      return `    ${showBytes(bytes)}${where}, at least ${showBytes(least)}${formula === least ? '' : `: ${showSize(formula)} bytes`}`;
    });
  const formulas = alternatives(run).map((one) => `    at least ${showSize(one)} bytes`);
  const more = formulas.length - firstFormulas;
  return more <= 0
    ? formulas
    : [...formulas.slice(0, firstFormulas), `    or ${more} other formulas (give --dims, or see --json)`];
}

function portRows(kind: string, ports: Readonly<Record<string, TensorInfo>>): string[][] {
  return Object.entries(ports).map(([name, { dtype, shape }]) => [kind, name, `${dtype}${showShape(shape)}`]);
}

/** How many tensors are listed unless all are asked for. */
const firstTensors = 6;

function showState({ state }: Manifest, all: boolean): string {
  const tensors = Object.entries(state);
  if (tensors.length === 0) return '';
  const rows = tensors.map(([name, info]) => [name, `${info.dtype}${showShape(info.shape)}`, beginning(info)]);
  const shown = all ? rows : rows.slice(0, firstTensors);
  const more = rows.length - shown.length;
  const total = tensors.reduce((sum, [, info]) => sum + tensorBytes(info), 0);
  return [
    table(['name', 'type', 'begins as'], shown),
    more > 0 ? `  … and ${showCount(more)} more (all with --all)` : '',
    `  ${showCount(tensors.length)} tensors, ${showBytes(total)} on the device`,
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function beginning({ from }: ManifestState): string {
  if (typeof from === 'object') return `${from.dtype} weights`;
  return from === 'zeros' ? 'zeros' : 'zeros, to be written';
}

/** How many of the tensors that a kernel computes are listed unless all are asked for. */
const firstOrigins = 3;

function showKernels(uses: readonly KernelUse[], all: boolean): string {
  const rows = uses.flatMap(({ kernel, steps, once, computes }) => {
    const shown = all || computes.length <= firstOrigins + 1 ? computes : computes.slice(0, firstOrigins);
    const left = computes.length - shown.length;
    const [first = '', ...more] = left > 0 ? [...shown, `… and ${left} more`] : shown;
    const often = [steps > 0 ? `${steps}` : '', once > 0 ? `${once} once` : '']
      .filter((text) => text !== '')
      .join(' + ');
    return [[kernel, often, first], ...more.map((text) => ['', '', text])];
  });
  return table(['kernel', 'steps', 'computes'], rows, ['steps']);
}

function showPart({ what, bytes, file }: PartUse): string[] {
  return [showCount(bytes), file === undefined ? what : `${what} (in ${file})`];
}
