/** Initial state, streamed: from verified pieces of safetensors files to pieces of tensors. */
import type { Data, DType } from '@sinter/ir';
import { dtypeBytes, sameShape, showShape } from '@sinter/ir';
import { ArtifactError } from './errors.ts';
import type { Manifest, Part } from './manifest.ts';
import { pieceBytes } from './manifest.ts';
import type { Piece, Span } from './pieces.ts';
import type { ReadOptions } from './reader.ts';
import type { StoredTensor } from './safetensors.ts';
import { asElements, converter, parseTensorHead, tensorHeadBytes } from './safetensors.ts';

/** Some elements of a tensor, in the dtype of its state: those from number `at` (row-major) on. */
export interface WeightPiece {
  readonly name: string;
  readonly dtype: DType;
  readonly at: number;
  readonly data: Data;
}

type ReadPieces = (spans: readonly Span[], options?: ReadOptions) => AsyncIterable<Piece>;

/** The wanted tensors of a manifest's weights; pieces of files that hold none of them are not read. */
export async function* readWeights(
  manifest: Manifest,
  pieces: ReadPieces,
  names: readonly string[] | undefined,
  options: ReadOptions,
): AsyncGenerator<WeightPiece, void, undefined> {
  const all = Object.keys(manifest.state).filter((name) => manifest.state[name]!.from === 'weights');
  const missing = new Set(names ?? all);
  for (const name of missing)
    if (!all.includes(name)) throw new ArtifactError('weights', `'${manifest.name}' has no weights for '${name}'`);
  const { signal, onProgress } = options;
  const total = manifest.weights.reduce((sum, number) => sum + manifest.parts[number]!.bytes, 0);
  let before = 0;
  for (const number of manifest.weights) {
    const part = manifest.parts[number]!;
    const progress = (done: number): void => onProgress?.(before + done, total);
    yield* tensorsOf(manifest, part, pieces, missing, { ...(signal && { signal }), onProgress: progress });
    before += part.bytes;
    if (missing.size === 0) break;
  }
  onProgress?.(total, total);
  if (missing.size > 0)
    throw new ArtifactError(
      'weights',
      `the weights of '${manifest.name}' lack ${[...missing].slice(0, 5).join(', ')}; build the artifact again`,
    );
}

async function* tensorsOf(
  manifest: Manifest,
  part: Part,
  pieces: ReadPieces,
  missing: Set<string>,
  options: ReadOptions,
): AsyncGenerator<WeightPiece, void, undefined> {
  const { head, read } = await readHead(part, pieces, options);
  const tensors = parseTensorHead(head).filter(({ name }) => missing.has(name));
  for (const tensor of tensors) checkTensor(manifest, tensor);
  const flow = new Flow(manifest, tensors);
  for (const piece of read) yield* flow.take(piece);
  for await (const piece of pieces(spansOf(part, tensors, read.length), options)) yield* flow.take(piece);
  for (const { name } of tensors) missing.delete(name);
}

/** The head of a safetensors file, and the pieces that had to be read for it. */
async function readHead(
  part: Part,
  pieces: ReadPieces,
  options: ReadOptions,
): Promise<{ head: Uint8Array; read: Piece[] }> {
  const read: Piece[] = [];
  let bytes = new Uint8Array(0);
  for (let next = 0; next < part.sha256.length; next++) {
    for await (const piece of pieces(
      [{ part, from: next, to: next + 1 }],
      options.signal && { signal: options.signal },
    )) {
      read.push(piece);
      const longer = new Uint8Array(bytes.length + piece.bytes.length);
      longer.set(bytes);
      longer.set(piece.bytes, bytes.length);
      bytes = longer;
    }
    if (bytes.length >= 8 && bytes.length >= tensorHeadBytes(bytes))
      return { head: bytes.subarray(0, tensorHeadBytes(bytes)), read };
  }
  throw new ArtifactError(
    'weights',
    `the weights end after ${bytes.length} bytes, within their head; build the artifact again`,
  );
}

/** The pieces with wanted tensors, less those that were read with the head. */
function spansOf(part: Part, tensors: readonly StoredTensor[], read: number): Span[] {
  const spans: { part: Part; from: number; to: number }[] = [];
  for (const { begin, end } of tensors) {
    if (begin === end) continue;
    const from = Math.max(read, Math.floor(begin / pieceBytes));
    const to = Math.ceil(end / pieceBytes);
    const last = spans.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else if (from < to) spans.push({ part, from, to });
  }
  return spans;
}

function checkTensor({ name: bundle, state }: Manifest, { name, dtype, shape }: StoredTensor): void {
  const want = state[name]!;
  if (sameShape(shape, want.shape) && converter(dtype, want.dtype)) return;
  throw new ArtifactError(
    'weights',
    `'${bundle}': the weights of '${name}' are ${dtype}${showShape(shape)}, the state is ${want.dtype}${showShape(want.shape)}`,
  );
}

/** Pieces in, elements of tensors out. An element that two pieces share waits for the second. */
class Flow {
  readonly #manifest: Manifest;
  readonly #tensors: readonly StoredTensor[];
  #carry: Uint8Array = new Uint8Array(0);
  #next = 0;

  constructor(manifest: Manifest, tensors: readonly StoredTensor[]) {
    this.#manifest = manifest;
    this.#tensors = tensors;
  }

  *take({ at, bytes }: Piece): Generator<WeightPiece, void, undefined> {
    const end = at + bytes.length;
    for (; this.#next < this.#tensors.length; this.#next++) {
      const tensor = this.#tensors[this.#next]!;
      if (tensor.begin >= end) return;
      const from = Math.max(tensor.begin, at);
      const to = Math.min(tensor.end, end);
      yield* this.#elements(tensor, from - this.#carry.length, bytes.subarray(from - at, to - at));
      if (tensor.end > end) return;
    }
  }

  *#elements(tensor: StoredTensor, from: number, slice: Uint8Array): Generator<WeightPiece, void, undefined> {
    const { name, dtype, begin } = tensor;
    const width = dtypeBytes[dtype];
    let bytes = slice;
    if (this.#carry.length > 0) {
      bytes = new Uint8Array(this.#carry.length + slice.length);
      bytes.set(this.#carry);
      bytes.set(slice, this.#carry.length);
    }
    const whole = bytes.length - (bytes.length % width);
    this.#carry = bytes.slice(whole);
    if (whole === 0) return;
    const to = this.#manifest.state[name]!.dtype;
    yield {
      name,
      dtype: to,
      at: (from - begin) / width,
      data: converter(dtype, to)!(asElements(dtype, bytes.subarray(0, whole))),
    };
  }
}
