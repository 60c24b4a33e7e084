/** Bytes in pieces of 4 MiB under one hash each: hashed when they are written, verified before they are used. */
import { ArtifactError } from './errors.ts';
import type { Part } from './manifest.ts';
import { padded, partAlign, pieceBytes, sha256 } from './manifest.ts';
import type { ByteSource } from './source.ts';

/** Cuts a stream into arrays of exactly the lengths that are asked for. */
export class Cutter {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  /** Bytes given so far. */
  at = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, or fewer where the stream ends. They are copied only where they lie in several chunks. */
  async take(length: number): Promise<Uint8Array> {
    const found: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < length) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#chunks.next();
        if (done) break;
        this.#rest = value;
      }
      const some = this.#rest.subarray(0, length - bytes);
      this.#rest = this.#rest.subarray(some.length);
      bytes += some.length;
      found.push(some);
    }
    this.at += bytes;
    if (found.length === 1) return found[0]!;
    const out = new Uint8Array(bytes);
    for (let at = 0; found.length > 0; at += found.shift()!.length) out.set(found[0]!, at);
    return out;
  }

  /** Lets go of the stream. */
  async end(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** The number of bytes of a stream, and the hash of each piece. */
export async function hashPieces(chunks: AsyncIterable<Uint8Array>): Promise<Pick<Part, 'bytes' | 'sha256'>> {
  const cutter = new Cutter(chunks);
  const hashes: string[] = [];
  for (;;) {
    const piece = await cutter.take(pieceBytes);
    if (piece.length > 0) hashes.push(await sha256(piece));
    if (piece.length < pieceBytes) return { bytes: cutter.at, sha256: hashes };
  }
}

/** Pieces of a part: from number `from` up to, but without, number `to`. */
export interface Span {
  readonly part: Part;
  readonly from: number;
  readonly to: number;
}

/** All pieces of a part. */
export function wholePart(part: Part): Span {
  return { part, from: 0, to: part.sha256.length };
}

/** The bytes of a span. */
export function spanBytes({ part, from, to }: Span): number {
  return Math.min(part.bytes, to * pieceBytes) - from * pieceBytes;
}

/** A piece whose hash is right. `at` is its first byte, counted from the start of its part. */
export interface Piece {
  readonly part: Part;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Spans at most so far apart are read in one go. */
const jump = 1 << 16;

/**
 * The pieces of spans of one file, in the order of the file, each verified. `start` is where the file's first part begins.
 *
 * @throws ArtifactError `damaged` at a wrong hash or padding that is not zero, `truncated` where the bytes end.
 */
export async function* verified(
  source: ByteSource,
  start: number,
  spans: readonly Span[],
  signal?: AbortSignal,
): AsyncGenerator<Piece, void, undefined> {
  const begin = (s: Span): number => start + s.part.offset + s.from * pieceBytes;
  // Behind the last piece of a part lies its padding, unless the part is a file of its own.
  const padding = ({ part, to }: Span): number =>
    part.file === undefined && to === part.sha256.length ? padded(part.bytes) - part.bytes : 0;
  const end = (s: Span): number => begin(s) + spanBytes(s) + padding(s);
  const ordered = spans.filter((s) => s.to > s.from).sort((a, b) => begin(a) - begin(b));
  for (let first = 0, next = 0; first < ordered.length; first = next) {
    for (next = first + 1; next < ordered.length && begin(ordered[next]!) - end(ordered[next - 1]!) <= jump;) next++;
    const run = ordered.slice(first, next);
    const [from, to] = [begin(run[0]!), end(run.at(-1)!)];
    const cutter = new Cutter(source.read(from, to - from, signal));
    try {
      for (const span of run) {
        await cutter.take(begin(span) - from - cutter.at);
        for (let piece = span.from; piece < span.to; piece++) {
          const at = piece * pieceBytes;
          const wanted = Math.min(pieceBytes, span.part.bytes - at);
          const bytes = await cutter.take(wanted);
          if (bytes.length < wanted) throw truncated(source, from + cutter.at);
          if ((await sha256(bytes)) !== span.part.sha256[piece])
            throw damaged(source, from + cutter.at - bytes.length, bytes.length);
          signal?.throwIfAborted();
          yield { part: span.part, at, bytes };
        }
        const zeros = await cutter.take(padding(span));
        if (zeros.length < padding(span)) throw truncated(source, from + cutter.at);
        if (zeros.some((byte) => byte !== 0)) throw damaged(source, from + cutter.at - zeros.length, partAlign);
      }
    } finally {
      await cutter.end();
    }
  }
}

/** The error of a source that ends early. */
export function truncated(source: ByteSource, at: number): ArtifactError {
  return new ArtifactError(
    'truncated',
    `${source.name} ends after ${at} bytes, before all of it is there; fetch it again`,
  );
}

/** The error of bytes whose hash is wrong. */
export function damaged(source: ByteSource, at: number, bytes: number): ArtifactError {
  return new ArtifactError(
    'damaged',
    `${source.name} is damaged: the ${bytes} bytes from position ${at} on are not what was written; fetch it again`,
  );
}
