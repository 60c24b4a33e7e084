/** Initial state, streamed: from verified pieces of the file to pieces of tensors. */
import type { Data } from '@sinter/ir';
import { dtypeBytes } from '@sinter/ir';
import { asElements, widen } from './elements.ts';
import { ArtifactError } from './errors.ts';
import type { Manifest, Part, StoredAt } from './manifest.ts';
import { partOf, pieceBytes } from './manifest.ts';
import type { Piece, Span } from './pieces.ts';

/** Some elements of a tensor, in the dtype of its state: those from number `at` (row-major) on. */
export interface WeightPiece {
  readonly name: string;
  readonly at: number;
  readonly data: Data;
}

interface Stored extends StoredAt {
  readonly name: string;
  readonly end: number;
}

/** The wanted tensors, in the order in which they lie; pieces of parts that hold none of them are not read. */
export async function* readWeights(
  manifest: Manifest,
  names: readonly string[],
  read: (spans: readonly Span[]) => AsyncIterable<Piece>,
): AsyncGenerator<WeightPiece, void, undefined> {
  const { name: bundle, state } = manifest;
  const stored = new Map<Part, Stored[]>();
  for (const name of names) {
    const { shape, from } = state[name] ?? { shape: [], from: 'later' };
    if (typeof from === 'string') throw new ArtifactError('weights', `'${bundle}' has no weights for '${name}'`);
    const part = partOf(manifest, from.part);
    const end = from.at + shape.reduce((a, b) => a * b, dtypeBytes[from.dtype]);
    if (end > part.bytes)
      throw new ArtifactError('weights', `'${bundle}': the weights of '${name}' end behind their part, at ${end}`);
    if (!stored.has(part)) stored.set(part, []);
    if (end > from.at) stored.get(part)!.push({ ...from, name, end });
  }
  const spans = [...stored].flatMap(([part, tensors]) => spansOf(part, tensors));
  for await (const { part, at, bytes } of read(spans)) {
    for (const { name, dtype, at: begin, end } of stored.get(part)!) {
      if (end <= at || begin >= at + bytes.length) continue;
      const data = asElements(dtype, bytes.subarray(Math.max(0, begin - at), end - at));
      const first = Math.max(0, at - begin) / dtypeBytes[dtype];
      yield { name, at: first, data: dtype === state[name]!.dtype ? data : widen(dtype, data) };
    }
  }
}

/** The pieces in which tensors lie. */
function spansOf(part: Part, tensors: Stored[]): Span[] {
  const spans: { part: Part; from: number; to: number }[] = [];
  for (const { at, end } of tensors.sort((a, b) => a.at - b.at)) {
    const [from, to] = [Math.floor(at / pieceBytes), Math.ceil(end / pieceBytes)];
    const last = spans.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else spans.push({ part, from, to });
  }
  return spans;
}
