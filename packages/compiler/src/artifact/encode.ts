/** From a bundle to the bytes of a `.sinter` file, as streams: nothing but the head is ever in memory as a whole. */
import type { TensorData } from '@sinter/ir';
import { sameShape, showShape } from '@sinter/ir';
import { newState } from './bind.ts';
import type { Bundle, WeightTensor } from './bundle.ts';
import { asBytes, widens } from './elements.ts';
import { ArtifactError } from './errors.ts';
import type { Artifact, Ports } from './format.ts';
import type { Manifest, ManifestCheck, ManifestEntry, ManifestState, Part, StoredAt, TensorInfo } from './manifest.ts';
import { encodeHead, padded } from './manifest.ts';
import { near } from './near.ts';
import { peakExpression } from './peak.ts';
import { hashPieces } from './pieces.ts';
import { encodePlan } from './plan-json.ts';
import { mapValues } from './record.ts';
import { contractVersion } from './runtime.ts';
import { encodeTensorHead, storedOrder, tensorBytes } from './safetensors.ts';

/** Options of {@link encodeBundle}. */
export interface EncodeOptions {
  /** The software that writes, with its version. Default: `sinter`. */
  readonly producer?: string;
  /** `inside`, the default: one file. `beside`: weights in safetensors files of their own, which others can read too. */
  readonly weights?: 'inside' | 'beside';
  /** Weights beside are split into files of at most so many bytes (a larger tensor has one of its own). Default: 2 GB. */
  readonly maxShardBytes?: number;
  /** What files of weights are called, less `.safetensors`. Default: `model`. */
  readonly weightsName?: string;
}

/** A file to write. */
export interface EncodedFile {
  readonly name: string;
  readonly bytes: number;
  /** Its bytes in chunks; may be called again. */
  read(): AsyncIterable<Uint8Array>;
}

/** What {@link encodeBundle} gives: the `.sinter` file first, then the files beside it. */
export interface EncodedBundle {
  readonly manifest: Manifest;
  readonly files: readonly [EncodedFile, ...EncodedFile[]];
}

type Read = () => AsyncIterable<Uint8Array>;

/**
 * Encodes a bundle. Parts with equal bytes, such as constants that two entry points share, are stored once. Equal bundles give equal bytes.
 *
 * @throws ArtifactError `backend` where entries are built for different backends, `weights` where weights and state do not
 * agree, `unknown-entry` for a case of an entry that is not there.
 */
export async function encodeBundle(bundle: Bundle, options: EncodeOptions = {}): Promise<EncodedBundle> {
  const { producer = 'sinter', weights: place = 'inside', maxShardBytes = 2e9, weightsName = 'model' } = options;
  const artifacts = Object.values(bundle.entries);
  const backend = oneBackend(bundle);
  const ports = sharedState(artifacts);
  checkWeights(bundle, ports);

  const parts: Part[] = [];
  const reads: Read[] = [];
  const known = new Map<string, number>();
  let end = 0;
  const add = async (read: Read, file?: string): Promise<number> => {
    const hashed = await hashPieces(read());
    const key = `${hashed.bytes} ${hashed.sha256.join()} ${file ?? ''}`;
    const same = known.get(key);
    if (same !== undefined) return same;
    parts.push(file === undefined ? { offset: end, ...hashed } : { file, offset: 0, ...hashed });
    reads.push(read);
    if (file === undefined) end += padded(hashed.bytes);
    known.set(key, parts.length - 1);
    return parts.length - 1;
  };
  const addBytes = (bytes: Uint8Array): Promise<number> => add(once(bytes));

  const entries: Record<string, ManifestEntry> = {};
  for (const [name, artifact] of Object.entries(bundle.entries)) entries[name] = await encodeEntry(artifact, addBytes);
  const check: Record<string, ManifestCheck> = {};
  for (const name of Object.keys(bundle.check ?? {})) check[name] = await encodeCheck(bundle, name, addBytes);
  const files = await eachValue(bundle.files ?? {}, addBytes);

  const shards = shardsOf(bundle.weights ?? {}, place === 'inside' ? Infinity : maxShardBytes);
  const shardFiles: EncodedFile[] = [];
  const weights: number[] = [];
  const places = new Map<string, StoredAt>();
  for (const [i, shard] of shards.entries()) {
    const read = (): AsyncIterable<Uint8Array> => tensorFile(shard);
    const file = place === 'inside' ? undefined : shardName(weightsName, i, shards.length);
    const part = await add(read, file);
    weights.push(part);
    for (const [key, from] of placesOf(shard, part)) places.set(key, from);
    if (file !== undefined) shardFiles.push({ name: file, bytes: parts[part]!.bytes, read });
  }
  if (shardFiles.length > 1) shardFiles.push(shardIndex(weightsName, shards));

  const manifest: Manifest = {
    contract: contractVersion,
    name: bundle.name,
    producer,
    backend,
    ...(bundle.source && { source: bundle.source }),
    entries,
    state: stateTable(ports, places, bundle.zeros),
    weights,
    files,
    check,
    parts,
  };
  const head = await encodeHead(manifest);
  const main: EncodedFile = {
    name: `${bundle.name}.sinter`,
    bytes: head.length + end,
    async *read() {
      yield head;
      for (const [i, part] of parts.entries()) {
        if (part.file !== undefined) continue;
        yield* reads[i]!();
        yield new Uint8Array(padded(part.bytes) - part.bytes);
      }
    },
  };
  return { manifest, files: [main, ...shardFiles] };
}

function once(bytes: Uint8Array): Read {
  return async function* () {
    yield bytes;
  };
}

async function eachValue<A, B>(
  record: Readonly<Record<string, A>>,
  f: (value: A) => Promise<B>,
): Promise<Record<string, B>> {
  const out: [string, B][] = [];
  for (const [key, value] of Object.entries(record)) out.push([key, await f(value)]);
  return Object.fromEntries(out);
}

function oneBackend({ name, entries }: Bundle): string {
  const backends = [...new Set(Object.values(entries).map((artifact) => artifact.backend))];
  if (backends.length === 1) return backends[0]!;
  throw new ArtifactError(
    'backend',
    backends.length === 0
      ? `the bundle '${name}' has no entry point`
      : `the entry points of '${name}' are built for different backends: ${backends.join(', ')}; make a bundle of each`,
  );
}

/** The state of all entry points. */
function sharedState(artifacts: readonly Artifact[]): Ports {
  let ports: Ports = {};
  for (const artifact of artifacts) ports = { ...ports, ...newState(artifact, ports) };
  return ports;
}

function checkWeights({ name, weights, zeros = [] }: Bundle, ports: Ports): void {
  const fail = (what: string): never => {
    throw new ArtifactError('weights', `the bundle '${name}': ${what}`);
  };
  for (const given of [...Object.keys(weights ?? {}), ...zeros])
    if (!Object.hasOwn(ports, given))
      fail(`no entry point has the state '${given}'; near it: ${near(given, Object.keys(ports))}`);
  if (!weights) return;
  const missing = Object.keys(ports).filter((key) => !Object.hasOwn(weights, key) && !zeros.includes(key));
  if (missing.length > 0)
    fail(
      `${missing.length} of ${Object.keys(ports).length} states have no weights: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}; give them, or list in 'zeros' what starts at zero`,
    );
  for (const [key, { dtype, shape, data }] of Object.entries(weights)) {
    const port = ports[key]!;
    if (!sameShape(shape, port.shape) || !widens(dtype, port.dtype))
      fail(
        `the weights of '${key}' are ${dtype}${showShape(shape)}, the state is ${port.dtype}${showShape(port.shape)}`,
      );
    if (typeof data !== 'function' && data.byteLength !== tensorBytes({ dtype, shape }))
      fail(`the weights of '${key}' are ${dtype}${showShape(shape)}, but their data has ${data.byteLength} bytes`);
  }
}

/** Where the tensors of a shard lie in its part. */
function placesOf(shard: Shard, part: number): [string, StoredAt][] {
  let end = encodeTensorHead(shard).length;
  return shard.map(([name, tensor]) => {
    const at = end;
    end += tensorBytes(tensor);
    return [name, { part, at, dtype: tensor.dtype }];
  });
}

function stateTable(
  ports: Ports,
  places: ReadonlyMap<string, StoredAt>,
  zeros: readonly string[] = [],
): Record<string, ManifestState> {
  return mapValues(ports, ({ dtype, shape }, name) => {
    const from = places.get(name) ?? (zeros.includes(name) ? 'zeros' : 'later');
    return { dtype, shape: shape as readonly number[], from };
  });
}

const infos = (ports: Ports): Record<string, TensorInfo> => mapValues(ports, ({ dtype, shape }) => ({ dtype, shape }));

async function encodeEntry(artifact: Artifact, add: (bytes: Uint8Array) => Promise<number>): Promise<ManifestEntry> {
  return {
    program: artifact.name,
    dims: artifact.dims,
    inputs: infos(artifact.inputs),
    outputs: infos(artifact.outputs),
    state: Object.keys(artifact.state),
    ...(artifact.updates && { updates: artifact.updates }),
    ...(artifact.requires && { requires: artifact.requires }),
    peakBytes: peakExpression(artifact),
    plan: await add(encodePlan(artifact)),
    code: await eachValue(artifact.code, add),
    constants: await eachValue(artifact.constants, (data) => add(asBytes(data))),
  };
}

async function encodeCheck(
  { name: bundle, entries, check }: Bundle,
  name: string,
  add: (bytes: Uint8Array) => Promise<number>,
): Promise<ManifestCheck> {
  const artifact = entries[name];
  if (!artifact)
    throw new ArtifactError(
      'unknown-entry',
      `the bundle '${bundle}' has a case for '${name}', but its entry points are ${Object.keys(entries).join(', ')}`,
    );
  const { inputs, outputs, tolerance = { absolute: 1e-4, relative: 1e-3 } } = check![name]!;
  const tensor = async ({ data, shape }: TensorData) => ({ shape, part: await add(asBytes(data)) });
  return { inputs: await eachValue(inputs, tensor), outputs: await eachValue(outputs, tensor), tolerance };
}

type Shard = readonly (readonly [string, WeightTensor])[];

/** Tensors in the given order, split where a file would grow too large. */
function shardsOf(weights: Readonly<Record<string, WeightTensor>>, limit: number): Shard[] {
  const shards: [string, WeightTensor][][] = [];
  let bytes = 0;
  for (const [name, tensor] of Object.entries(weights)) {
    const size = tensorBytes(tensor);
    if (shards.length === 0 || bytes + size > limit) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push([name, tensor]);
    bytes += size;
  }
  return shards.map(storedOrder);
}

function shardName(name: string, i: number, count: number): string {
  const number = (n: number): string => String(n).padStart(5, '0');
  return count === 1 ? `${name}.safetensors` : `${name}-${number(i + 1)}-of-${number(count)}.safetensors`;
}

/** The index that Hugging Face's libraries want beside shards. */
function shardIndex(name: string, shards: readonly Shard[]): EncodedFile {
  const total = shards.flat().reduce((sum, [, tensor]) => sum + tensorBytes(tensor), 0);
  const map = shards.flatMap((shard, i) => shard.map(([key]) => [key, shardName(name, i, shards.length)]));
  const json = JSON.stringify({ metadata: { total_size: total }, weight_map: Object.fromEntries(map) }, null, 2);
  const bytes = new TextEncoder().encode(`${json}\n`);
  return { name: `${name}.safetensors.index.json`, bytes: bytes.length, read: once(bytes) };
}

async function* tensorFile(shard: Shard): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeTensorHead(shard);
  for (const [name, { dtype, shape, data }] of shard) {
    if (typeof data !== 'function') {
      yield asBytes(data);
      continue;
    }
    let bytes = 0;
    for await (const chunk of data()) {
      bytes += chunk.length;
      yield chunk;
    }
    const wanted = tensorBytes({ dtype, shape });
    if (bytes !== wanted)
      throw new ArtifactError(
        'weights',
        `the weights of '${name}' are ${dtype}${showShape(shape)}, ${wanted} bytes, but their data gave ${bytes}`,
      );
  }
}
