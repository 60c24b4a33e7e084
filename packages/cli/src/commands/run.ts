/** `sinter run`: loads a `.sinter` file, runs one of its entry points, and prints what comes out. */
import { loadBundle, openBundle } from '@sinter/compiler/artifact';
import type { BundleReader, ManifestEntry } from '@sinter/compiler/artifact';
import type { TensorData } from '@sinter/ir';
import type { TokenizerConfig, TokenizerJson } from '@sinter/models/tokenizer';
import { Command } from 'commander';
import type { GivenInputs } from '../arguments/inputs.ts';
import { parseInput, tensorsOf } from '../arguments/inputs.ts';
import { parseNumber } from '../arguments/lists.ts';
import { runtimeOf } from '../backends.ts';
import { UsageError } from '../errors.ts';
import { openSource } from '../files.ts';
import type { LabelNames } from '../output/answer.ts';
import { jsonOutputs, scores, showOutputs, showScores } from '../output/answer.ts';
import type { Io } from '../output/io.ts';
import { showTime } from '../output/text.ts';

/** The options as they stand on the command line, read. */
interface RunOptions {
  readonly entry?: string;
  readonly input: GivenInputs;
  readonly text: readonly string[];
  readonly threads?: number;
  readonly device?: string;
  readonly selfCheck?: true;
  readonly json?: true;
}

/** Makes the command. */
export function runCommand(io: Io): Command {
  return new Command('run')
    .description('Run an entry point of a .sinter file and print its outputs.')
    .argument('<file>', 'a .sinter file, or its http(s) address')
    .option('--entry <name>', 'the entry point (default: forward, or the only one)')
    .option('--input <name=value>', 'an input as JSON, or @file.json; may be repeated', parseInput, {})
    .option(
      '--text <text>',
      'a text for models with a tokenizer; may be repeated',
      (text, all: string[]) => [...all, text],
      [],
    )
    .option('--threads <n>', 'threads of the CPU (default: all)', (text) =>
      parseNumber('--threads', text, 'a whole number ≥ 1', (x) => Number.isInteger(x) && x >= 1),
    )
    .option('--device <name>', 'a part of the name of a WebGPU adapter, as `sinter devices` lists them')
    .option('--self-check', 'first run the stored case and compare with its answer')
    .option('--json', 'print all numbers, as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ sinter run model.sinter --text "Free lunch" --text "Meeting at noon"
  $ sinter run scores.sinter --input 'x=[[1, 2], [3, 4]]' --json
  $ sinter run model.sinter --entry evaluate --input input_ids=@ids.json --input labels='[0, 1]'`,
    )
    .action((file: string, options: RunOptions) => run(io, file, options));
}

async function run(io: Io, file: string, options: RunOptions): Promise<void> {
  const began = performance.now();
  const source = openSource(file);
  const reader = await openBundle(source);
  const entryName = entryFor(reader, options.entry);
  const entry = reader.manifest.entries[entryName]!;
  // All that can be wrong with what was asked is found before weights are read.
  const inputs = await inputsFor(reader, entry, options);
  const runtime = await runtimeOf(reader.manifest.backend, { threads: options.threads, adapter: options.device });
  await using loaded = await loadBundle(source, runtime, {
    entries: [entryName],
    selfCheck: options.selfCheck === true,
    onProgress: ({ stage, done, total }) => io.status(`${stage} ${Math.floor((100 * done) / Math.max(1, total))} %`),
  });
  const ready = performance.now();
  const outputs = await loaded.programs[entryName]!.run(inputs);
  io.status('');

  const labels = await labelsFor(reader, outputs);
  if (labels && options.text.length > 0 && options.json)
    io.out(
      `${JSON.stringify(
        options.text.map((text, i) => ({ text, scores: labels[i] })),
        null,
        2,
      )}\n`,
    );
  else if (options.json) io.out(`${JSON.stringify(jsonOutputs(outputs, entry.outputs))}\n`);
  else if (labels && options.text.length > 0) io.out(showScores(options.text, labels));
  else io.out(`${showOutputs(outputs, entry.outputs)}\n`);
  io.status('');
  if (!options.json)
    io.err(
      `loaded in ${showTime(ready - began)}${options.selfCheck ? ', self-check passed' : ''}, ran in ${showTime(performance.now() - ready)}`,
    );
}

function entryFor({ manifest }: BundleReader, asked: string | undefined): string {
  const names = Object.keys(manifest.entries);
  if (asked !== undefined && !names.includes(asked))
    throw new UsageError(`--entry: '${manifest.name}' has no entry point '${asked}'; it has ${names.join(', ')}`);
  if (asked !== undefined) return asked;
  if (names.includes('forward')) return 'forward';
  if (names.length === 1) return names[0]!;
  throw new UsageError(`--entry: '${manifest.name}' has ${names.join(', ')}; say which`);
}

/** The given inputs, and what the tokenizer makes of the texts. @throws UsageError where one is missing */
async function inputsFor(
  reader: BundleReader,
  entry: ManifestEntry,
  { input, text }: RunOptions,
): Promise<Record<string, TensorData>> {
  const tokens = text.length > 0 ? await tokensOf(reader, entry, text) : {};
  const inputs = { ...tokens, ...tensorsOf(input, entry.inputs) };
  const missing = Object.entries(entry.inputs).filter(([name]) => !Object.hasOwn(inputs, name));
  if (missing.length > 0) {
    const listed = missing.map(([name, { dtype, shape }]) => `${name} (${dtype}[${shape.join(', ')}])`);
    const texts = Object.hasOwn(reader.manifest.files, 'tokenizer.json') ? ', or texts with --text' : '';
    throw new UsageError(`--input: missing ${listed.join(', ')}; give them with --input name=value${texts}`);
  }
  return inputs;
}

async function tokensOf(
  reader: BundleReader,
  { inputs, dims }: ManifestEntry,
  texts: readonly string[],
): Promise<Record<string, TensorData>> {
  const config = await jsonFile<TokenizerConfig>(reader, 'tokenizer_config.json');
  const json = await jsonFile<TokenizerJson>(reader, 'tokenizer.json');
  if (!json)
    throw new UsageError(`--text: '${reader.manifest.name}' carries no tokenizer; give its inputs with --input`);
  const { createTokenizer } = await import('@sinter/models/tokenizer');
  const tokenizer = createTokenizer({ json, ...(config && { config }) });
  const { min, max } = dims['seq'] ?? { min: 1, max: Infinity };
  const encoded = tokenizer(texts, {
    truncation: true,
    max_length: Math.min(max, tokenizer.model_max_length),
    padding: min === max ? 'max_length' : true,
    return_tensors: 'i32',
  });
  return Object.fromEntries(Object.entries(encoded).filter(([name]) => Object.hasOwn(inputs, name)));
}

/** Labels with scores, if the file is a classifier's and there are logits of its labels. */
async function labelsFor(reader: BundleReader, { logits }: Readonly<Record<string, TensorData>>) {
  const config = await jsonFile<LabelNames>(reader, 'config.json');
  if (!config?.id2label || logits?.shape.length !== 2) return undefined;
  return logits.shape[1] === Object.keys(config.id2label).length ? scores(logits, config) : undefined;
}

async function jsonFile<T>(reader: BundleReader, name: string): Promise<T | undefined> {
  if (!Object.hasOwn(reader.manifest.files, name)) return undefined;
  return JSON.parse(new TextDecoder().decode(await reader.file(name))) as T;
}
