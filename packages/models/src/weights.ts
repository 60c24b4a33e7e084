/** From a checkpoint to the parameters of a model: a lookup by name, one tensor at a time, so that memory holds the weights once. */
import { CheckpointError } from './checkpoint/errors.ts';
import { describeStored } from './checkpoint/stored-tensor.ts';
import type { WeightsFile } from './checkpoint/weights-file.ts';
import { initialise } from './init.ts';
import type { PackedWeight } from './quantise/packed.ts';
import { packed as pack, partsOf } from './quantise/packing.ts';
import type { HostTensor, Packing } from './quantise/packing.ts';
import type { Parameter } from './scope.ts';

/** The values of a parameter on the host, row-major. */
export interface Weight {
  data: Float32Array;
  readonly shape: readonly number[];
  readonly dtype: 'f32';
}

/** How a checkpoint and a model fit, by full names. */
export interface LoadReport {
  /** Parameters that the checkpoint lacks: made anew. */
  readonly missing: readonly string[];
  /** Tensors of the checkpoint that the model has no use for: not read. */
  readonly unexpected: readonly string[];
  /** Parameters that the checkpoint has in another shape: made anew. Empty unless `ignore_mismatched_sizes` is set. */
  readonly mismatched: readonly string[];
}

/** The options of {@link loadWeights}. */
export interface LoadWeightsOptions {
  /** The model, for messages: `BertForSequenceClassification`. */
  readonly model: string;
  /** What names of a whole model begin with and those of the bare base model do not: `bert`. */
  readonly base_model_prefix: string;
  /** Names in checkpoints that are no parameters. */
  readonly not_parameters?: RegExp | undefined;
  /** For parameters that are made anew. Default: 0. */
  readonly seed?: number | undefined;
  /** Make parameters of another shape anew, too. Default: no, it is an error. */
  readonly ignore_mismatched_sizes?: boolean | undefined;
  /** Missing and unexpected names are an error. Default: no, they are reported. */
  readonly strict?: boolean | undefined;
  /** How parameters that the checkpoint has as 16-bit or other floats are kept. Default: `float32`. */
  readonly torch_dtype?: TorchDtype | undefined;
  /** How a quantised checkpoint keeps a parameter, if it is a quantised one. */
  readonly quantised?:
    ((name: string, parts: (ending: string) => readonly number[] | undefined) => Packing | undefined) | undefined;
}

/** How parameters are kept in memory; `auto`: as the checkpoint has them. */
export type TorchDtype = 'auto' | 'float32' | 'float16' | 'bfloat16';

/** First values for all declared parameters. */
export function initialWeights(declared: ReadonlyMap<string, Parameter>, seed = 0): Map<string, Weight> {
  return new Map(
    [...declared].map(([name, { shape, init }]) => [
      name,
      { data: initialise(init, name, shape, seed), shape, dtype: 'f32' },
    ]),
  );
}

/**
 * Reads the declared parameters from a checkpoint. A checkpoint of the bare base model, whose names lack the prefix, serves the
 * whole model, and the other way round.
 * @throws CheckpointError `shape-mismatch`; `unknown-tensor` if `strict`; and as {@link WeightsFile}
 */
export async function loadWeights(
  declared: ReadonlyMap<string, Parameter>,
  file: WeightsFile,
  options: LoadWeightsOptions,
): Promise<{
  readonly weights: Map<string, Weight>;
  readonly packed: ReadonlyMap<string, PackedWeight>;
  readonly report: LoadReport;
}> {
  const { model, seed = 0, torch_dtype = 'float32', quantised } = options;
  const stored = new Map(file.names.map((name) => [currentName(name), name]));
  const nameOf = prefixRule(options.base_model_prefix, [...declared.keys()], [...stored.keys()]);
  const packings = new Map<string, Packing>();
  for (const name of quantised ? declared.keys() : []) {
    const packing = quantised!(name, (ending) => {
      const from = stored.get(nameOf(name) + ending);
      return from === undefined ? undefined : file.info(from).shape;
    });
    if (packing) packings.set(name, packing);
  }
  /** The names in the file of what a parameter is made of, by what they are called here. */
  const sources = (name: string): readonly (readonly [string, string | undefined])[] => {
    const packing = packings.get(name);
    const parts = packing ? Object.keys(partsOf(packing, name, declared.get(name)!.shape)) : [name];
    return parts.map((part) => [part, stored.get(nameOf(name) + part.slice(name.length))]);
  };
  const wanted = new Map([...declared.keys()].map((name) => [name, sources(name)]));
  const used = new Set([...wanted.values()].flatMap((parts) => parts.map(([, from]) => from)));
  const lacks = ([, parts]: [string, ReturnType<typeof sources>]) => parts.some(([, from]) => from === undefined);
  const missing = [...wanted].filter(lacks).map(([name]) => name);
  const unexpected = file.names.filter((name) => !used.has(name) && !options.not_parameters?.test(name));
  if (options.strict && missing.length + unexpected.length > 0)
    throw new CheckpointError('unknown-tensor', {
      asked: `exactly the ${declared.size} parameters of ${model}`,
      found: [listed('it lacks', missing), listed('it also has', unexpected)].filter(Boolean).join(', and '),
      where: file.path,
      fix: 'Give the checkpoint of this model, or leave out strict to begin anew with what is missing.',
    });

  const mismatched: string[] = [];
  const weights = new Map<string, Weight>();
  const packed = new Map<string, PackedWeight>();
  for (const [name, { shape, init }] of declared) {
    const packing = packings.get(name);
    if (packing) {
      const tensors = await readParts(file, partsOf(packing, name, shape), wanted.get(name)!, model);
      packed.set(name, { packing, shape, tensors });
      continue;
    }
    const [[, from]] = wanted.get(name) as [[string, string | undefined]];
    const found = from === undefined ? undefined : file.info(from);
    const fits = found && found.shape.length === shape.length && found.shape.every((size, i) => size === shape[i]);
    if (found && !fits) {
      if (!options.ignore_mismatched_sizes) throw mismatch(model, name, shape, from!, found.shape, file.path);
      mismatched.push(name);
    }
    const kept = keptAs(torch_dtype, found?.dtype);
    if (fits && kept && found.dtype === sixteenBits[kept])
      packed.set(name, {
        packing: { kind: kept },
        shape,
        tensors: new Map([[name, (await file.read(from!)) as HostTensor]]),
      });
    else {
      const data = fits ? (await file.readF32(from!)).data : initialise(init, name, shape, seed);
      if (kept) packed.set(name, { packing: { kind: kept }, shape, tensors: pack({ kind: kept }, name, data, shape) });
      else weights.set(name, { data, shape, dtype: 'f32' });
    }
  }
  return { weights, packed, report: { missing, unexpected, mismatched } };
}

const sixteenBits = { float16: 'f16', bfloat16: 'bf16' } as const;

/** How a parameter is kept if not as `f32`. */
function keptAs(wanted: TorchDtype, found: string | undefined): keyof typeof sixteenBits | undefined {
  if (wanted === 'auto') return found === 'f16' ? 'float16' : found === 'bf16' ? 'bfloat16' : undefined;
  return wanted === 'float32' ? undefined : wanted;
}

/** Reads what a quantised parameter is made of. @throws CheckpointError `shape-mismatch` */
async function readParts(
  file: WeightsFile,
  types: ReturnType<typeof partsOf>,
  sources: readonly (readonly [string, string | undefined])[],
  model: string,
): Promise<Map<string, HostTensor>> {
  const tensors = new Map<string, HostTensor>();
  for (const [part, from] of sources) {
    const [wanted, found] = [types[part]!, file.info(from!)];
    if (describeStored(found) !== describeStored(wanted))
      throw new CheckpointError('shape-mismatch', {
        asked: `${describeStored(wanted)} for "${part}" of ${model}`,
        found: `the checkpoint has ${describeStored(found)}`,
        where: file.path,
        tensor: from!,
        fix: 'Quantise the model again.',
      });
    tensors.set(part, (await file.read(from!)) as HostTensor);
  }
  return tensors;
}

/** The report in the words of Python's library; empty if there is nothing to tell. */
export function reportText(report: LoadReport, model: string, id: string): string {
  const { missing, unexpected, mismatched } = report;
  const parts: string[] = [];
  if (unexpected.length > 0)
    parts.push(
      `Some weights of the model checkpoint at ${id} were not used when initializing ${model}: ${unexpected.join(', ')}.`,
    );
  const anew = [...missing, ...mismatched];
  if (anew.length > 0)
    parts.push(
      `Some weights of ${model} were not initialized from the model checkpoint at ${id} and are newly initialized: ${anew.join(', ')}.`,
      'You should probably TRAIN this model on a down-stream task to be able to use it for predictions and inference.',
    );
  return parts.join('\n');
}

/** Checkpoints made by TensorFlow call the two parameters of a layer normalisation otherwise. */
function currentName(name: string): string {
  return name.replace(/(?<=\bLayerNorm\.)gamma$/, 'weight').replace(/(?<=\bLayerNorm\.)beta$/, 'bias');
}

/** What a parameter is called in a checkpoint that may have the base model's prefix where the model has not, or the other way round. */
function prefixRule(base: string, declared: readonly string[], stored: readonly string[]): (name: string) => string {
  const prefix = `${base}.`;
  const begins = (name: string) => name.startsWith(prefix);
  const [inModel, inFile] = [declared.some(begins), stored.some(begins)];
  if (inModel && !inFile) return (name) => (begins(name) ? name.slice(prefix.length) : name);
  if (!inModel && inFile) return (name) => prefix + name;
  return (name) => name;
}

function mismatch(
  model: string,
  name: string,
  wanted: readonly number[],
  tensor: string,
  found: readonly number[],
  where: string,
): CheckpointError {
  return new CheckpointError('shape-mismatch', {
    asked: `[${wanted.join(', ')}] for the parameter "${name}" of ${model}`,
    found: `the checkpoint has [${found.join(', ')}]`,
    where,
    tensor,
    fix: 'Use the configuration that the weights were saved with (num_labels, …), or say ignore_mismatched_sizes: true to begin anew with such parameters.',
  });
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const more = names.length > 8 ? ` and ${names.length - 8} more` : '';
  return `${what} ${names.slice(0, 8).join(', ')}${more}`;
}
